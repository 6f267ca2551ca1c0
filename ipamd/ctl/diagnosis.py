"""`ipamctl trace` and `explain`: what the agent finds out about one Pod when it is asked."""

import argparse
from collections.abc import Sequence
from typing import Final

import grpc

from ipamd.core.errors import InvalidInputError
from ipamd.ctl import agent_calls, ages, command_line, completion, node, output, plain
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import SPACE, Block, Column, Facts, Line, Plain, Shape, Table
from ipamd.rpc import diagnosis_pb2 as messages
from ipamd.rpc.diagnosis_pb2_grpc import DiagnosisStub

_TRACE_HELP: Final = "ask the kernel which way a packet of a Pod goes, and say which address the outside sees"
_EXPLAIN_HELP: Final = "tell what has happened to a Pod, what is wrong with it, and what comes next"
_SECONDS: Final = 15.0
"""A listing of nftables with tens of thousands of rules takes a while."""
_DEFAULT_NAMESPACE: Final = "default"


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add both commands."""
    group = commands.add_parser("explain", help="tell what has happened to a Pod, and what is wrong with it")
    kinds = command_line.commands_of(group, "KIND")
    explain = command_line.add(kinds, "pod", _EXPLAIN_HELP, _explain, repeats=True, seconds=_SECONDS)
    add_pod(explain)
    trace = command_line.add(commands, "trace", _TRACE_HELP, _trace, repeats=True, seconds=_SECONDS)
    add_pod(trace)
    trace.add_argument(
        "--to",
        default="",
        metavar="IP[:PORT]",
        help="where the packet goes to, by TCP (default: somewhere in the internet)",
    )


def add_pod(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a Pod."""
    pod = parser.add_argument(
        "pod", metavar="POD", help="NAMESPACE/NAME, or NAME of the namespace of -n or default"
    )
    completion.complete(pod, node.pods_known)


def pod_of(options: argparse.Namespace) -> tuple[str, str]:
    """Return namespace and name of the Pod that the command line names. Raises: InvalidInputError."""
    namespace, _, name = options.pod.rpartition("/")
    if not name or "/" in namespace or (namespace and options.namespace not in ("", namespace)):
        raise InvalidInputError(
            f"the Pod is {options.pod!r}" + (f" and -n is {options.namespace}" if options.namespace else ""),
            advice="give NAMESPACE/NAME, or NAME with -n NAMESPACE",
        )
    return namespace or options.namespace or _DEFAULT_NAMESPACE, name


def _explain(options: argparse.Namespace) -> int:
    namespace, name = pod_of(options)
    request = messages.ExplainRequest(namespace=namespace, name=name)

    def call(channel: grpc.Channel) -> messages.ExplainReply:
        return DiagnosisStub(channel).Explain(request, timeout=options.timeout)

    try:
        reply = agent_calls.ask(options.socket, call)
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    output.show(options, plain.from_message(reply), _EXPLANATION)
    return ExitCode.PROBLEM if reply.wrong else ExitCode.OK


def _explain_blocks(answer: Plain, now: float) -> Sequence[Block]:
    """What is wrong stands on top, the first cause first."""
    sights = (
        Column("SIDE", lambda sight: sight["side"]),
        Column("WHAT", lambda sight: sight["what"]),
        Column("STATE", lambda sight: "ok" if sight["ok"] else "wrong"),
        Column("SAYS", lambda sight: sight["text"]),
    )
    events = (
        Column("AGO", lambda event: ages.since(event["at"], now)),
        Column("STEP", lambda event: event["step"]),
        Column("TOOK", lambda event: ages.took(event["tookMs"])),
        Column("WHAT", _told),
    )
    pod = f"{answer['namespace']}/{answer['name']}"
    having = ", ".join(filter(None, (answer["privateIp"] or "no address", answer["publicIp"])))
    return [
        Line("", f"Pod {pod}: {having}"),
        *(Line("WRONG", text) for text in answer["wrong"]),
        *([] if answer["wrong"] else [Line("OK", "nothing is wrong with it")]),
        Line("NEXT", answer["next"]),
        SPACE,
        Table(events, answer["events"], empty="the agent remembers nothing of it"),
        SPACE,
        Table(sights, answer["sights"], empty="neither kernel nor cloud has anything of it"),
    ]


def _told(event: Plain) -> str:
    times = f" ({event['count']} times)" if event["count"] > 1 else ""
    return f"{'FAILED: ' if event['failed'] else ''}{event['text']}{times}"


def _trace(options: argparse.Namespace) -> int:
    namespace, name = pod_of(options)
    request = messages.TraceRequest(namespace=namespace, name=name, destination=options.to)

    def call(channel: grpc.Channel) -> messages.TraceReply:
        return DiagnosisStub(channel).Trace(request, timeout=options.timeout)

    try:
        reply = agent_calls.ask(options.socket, call)
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    output.show(options, plain.from_message(reply), _TRACE)
    return ExitCode.PROBLEM if reply.seen_as == "nobody" else ExitCode.OK


def _trace_blocks(answer: Plain, _: float) -> Sequence[Block]:
    columns = (Column("WHERE", lambda step: step["where"]), Column("WHAT", lambda step: step["what"]))
    leaves = f"by {answer['link']} as {answer['source']}" if answer["link"] else ""
    pod = f"{answer['namespace']}/{answer['name']}, {answer['privateIp']}"
    return [
        Facts(
            [
                ("Pod", f"{pod}, EIP {answer['publicIp']}" if answer["publicIp"] else pod),
                ("To", answer["destination"]),
                *([("Leaves", leaves)] if leaves else []),
            ]
        ),
        Line("PROBLEM" if answer["seenAs"] == "nobody" else "SEEN", answer["verdict"]),
        SPACE,
        Table(columns, answer["steps"], empty="nothing is done to it on the way"),
        *(Line("UNREAD", f"{text}; it counts as not met") for text in answer["unread"]),
    ]


_EXPLANATION = Shape(_explain_blocks, lambda answer: [f"{answer['namespace']}/{answer['name']}"])
_TRACE = Shape(_trace_blocks, lambda answer: [answer["seenAddress"] or answer["seenAs"]])
