"""`ipamctl check` and `ipamctl repair`: what is wrong with the node, whom it concerns, what to do; and do it.

Exit code 0 when nothing is wrong, 1 when something is, 3 when there is no agent to ask; for scripts.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import grpc

from ipamd import boot, start_file
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding, named
from ipamd.core.start_progress import StartStep
from ipamd.ctl import agent_calls, command_line, output, plain
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import Block, Line, Plain, Shape
from ipamd.rpc import maintenance_pb2 as messages
from ipamd.rpc.maintenance_pb2_grpc import MaintenanceStub

_CHECK: Final = "say what is wrong with this node and what to do; changes nothing without --fix"
_REPAIR: Final = "have the agent look at kernel and cloud and repair what differs now, then check"
_CHECK_SECONDS: Final = 10.0
_REPAIR_SECONDS: Final = 60.0
_INDENT: Final = " " * 9
_NO_AGENT: Final = {
    grpc.StatusCode.UNAVAILABLE: FindingCode.AGENT_NOT_RUNNING,
    grpc.StatusCode.DEADLINE_EXCEEDED: FindingCode.AGENT_HUNG,
}
_AGENT: Final = "node/agent"
_TO_WAIT_FOR: Final = {
    StartStep.STORE: FindingCode.STORE_UNWRITABLE,
    StartStep.IDENTITY: FindingCode.METADATA_AWAY,
    StartStep.WATCHES: FindingCode.API_SERVER_AWAY,
    StartStep.NETWORK: FindingCode.CLOUD_AWAY,
    StartStep.SOCKET: FindingCode.AGENT_STARTING,
}
"""Which finding has the next step when the start waits at one of its own."""
_PROBLEMS: Final = ("error", "warning")


class _Fix(argparse.Action):
    """A flag whose work takes longer."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - the signature of argparse
        namespace: argparse.Namespace,
        values: object,  # noqa: ARG002 - the signature of argparse
        option_string: str | None = None,  # noqa: ARG002 - the signature of argparse
    ) -> None:
        namespace.fix, namespace.seconds = True, _REPAIR_SECONDS


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add both commands."""
    check = command_line.add(commands, "check", _CHECK, _run, repeats=True, seconds=_CHECK_SECONDS)
    check.add_argument(
        "--fix",
        action=_Fix,
        nargs=0,
        default=False,
        help="have what is ours repaired first, and say what was",
    )
    repair = command_line.add(commands, "repair", _REPAIR, _run, seconds=_REPAIR_SECONDS)
    repair.set_defaults(fix=True)


def _run(options: argparse.Namespace) -> int:
    def call(channel: grpc.Channel) -> messages.Findings:
        stub = MaintenanceStub(channel)
        if options.fix:
            return stub.Repair(messages.RepairRequest(), timeout=options.timeout)
        return stub.Check(messages.CheckRequest(), timeout=options.timeout)

    try:
        found = agent_calls.ask(options.socket, call)
    except grpc.RpcError as error:
        if error.code() in _NO_AGENT:
            output.show(options, plain.from_message(_without_agent(options.socket, error)), _FINDINGS)
        return agent_calls.tell(options.socket, error)
    output.show(options, plain.from_message(found), _FINDINGS)
    return ExitCode.PROBLEM if found.problems else ExitCode.OK


def _without_agent(socket: str, error: grpc.RpcError) -> messages.Findings:
    """Return what is known where nobody answers: that, and what to do about it."""
    if _NO_AGENT[error.code()] is FindingCode.AGENT_HUNG:
        text = f"the agent at {socket} took the call and gave no answer in time"
        finding = Finding(code=FindingCode.AGENT_HUNG, subject=_AGENT, text=text)
    else:
        finding = _not_served(Path(socket))
    message = messages.Finding(
        severity=finding.level.value,
        code=finding.code.text,
        object=finding.subject,
        text=finding.text,
        breaks=finding.broken,
        next_step=finding.advice,
    )
    return messages.Findings(problems=[str(finding)], findings=[message])


def _not_served(socket: Path) -> Finding:
    """Return why nobody listens: an agent that starts is told from one that has ended, and from none."""
    started = start_file.read(socket)
    if started is None:
        text = (
            f"nobody listens at {socket}, which an agent has left: it has ended"
            if socket.exists()
            else f"there is no socket {socket}, and no agent that starts there"
        )
        return Finding(code=FindingCode.AGENT_NOT_RUNNING, subject=_AGENT, text=text)
    progress, lives = started
    told = progress.sentence(boot.clock())
    if not lives:
        text = f"the last agent has ended while {told}"
        return Finding(code=FindingCode.AGENT_NOT_RUNNING, subject=_AGENT, text=text)
    return Finding(
        code=FindingCode.AGENT_STARTING,
        subject=_AGENT,
        text=f"the agent does not serve yet: {told}",
        next_step=_TO_WAIT_FOR[progress.step].facts.next_step if progress.waits_for else "",
    )


def _blocks(answer: Plain, _: float) -> Sequence[Block]:
    found = _of(answer)
    problems = [finding for finding in found if finding["severity"] in _PROBLEMS]
    facts = [finding for finding in found if finding not in problems]
    return [
        *(Line("REPAIRED", sentence) for sentence in answer["repaired"]),
        *(Line("SKIPPED", sentence) for sentence in answer["unfinished"]),
        *(line for finding in problems for line in _lines(finding)),
        _summary(answer, problems),
        *(line for finding in facts for line in _lines(finding, is_fact=True)),
    ]


def _of(answer: Plain) -> list[dict[str, Any]]:
    """Return the findings; an agent of an older release sends sentences only."""
    if answer["findings"]:
        return list(answer["findings"])
    return [{"severity": "error", "code": "", "text": sentence} for sentence in answer["problems"]]


def _lines(finding: dict[str, Any], *, is_fact: bool = False) -> Iterator[Line]:
    """Yield what it is, what it breaks and what to do; of a fact only what it is, unless it is shown wide."""
    code, subject = finding["code"], finding.get("object", "")
    head = f"{code} {subject}: {finding['text']}" if code else finding["text"]
    label = finding["severity"].upper()
    yield Line(label, f"{'':{len(_INDENT) - len(label) - 2}}{head}")
    pods = named(finding.get("pods", ()))
    breaks = finding.get("breaks", "")
    for word, text in (
        ("breaks", f"{breaks} ({pods})" if pods else breaks),
        ("next", finding.get("nextStep")),
    ):
        if text:
            yield Line("", f"{_INDENT}{word}: {text}", wide=is_fact)


def _summary(answer: Plain, problems: Sequence[Mapping[str, Any]]) -> Line:
    pods = f"{answer['pods']} Pods"
    if not problems:
        return Line("", f"nothing is wrong with the node and its {pods}")
    fixable = sum(bool(finding.get("repairable")) for finding in problems)
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return Line("", f"{count}, {pods}; `ipamctl check --fix` mends {fixable or 'none of it'}")


_FINDINGS = Shape(_blocks, lambda answer: [finding["code"] for finding in _of(answer)])
