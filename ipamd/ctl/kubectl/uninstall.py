"""`kubectl eni uninstall`: gives back all that the installation has, step by step, and can be repeated.

Each step looks what there is to do, does it, and says what is left. What is left keeps the next step from
being taken, since each relies on those before: a claim is deleted while the controller runs that gives its
EIP back, a node is cleaned when no agent would undo it, the account when nobody orders. Nothing is remembered
elsewhere than in the objects themselves, so a run that was cut off goes on with the next one.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ipamd.core.errors import IpamError
from ipamd.core.kubernetes import cluster_settings
from ipamd.ctl import command_line, output
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.kubectl import access, removal_of_nodes, removal_of_objects, removal_of_pods
from ipamd.ctl.kubectl.removal_step import Patience, StepReport
from ipamd.ctl.shape import Block, Column, Line, Plain, Shape, Table
from ipamd.flags import checks
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import NotFoundError
from ipamd.kube.resources import CONFIGMAPS

_HELP: Final = "give back ENIs, addresses, EIPs, kernel state, files and objects; without --yes only say what"
_SHOWN: Final = 3


class ReleasesStoppedError(IpamError):
    """Somebody has stopped all releases of EIPs."""


def add_command(commands: "command_line.Subparsers") -> None:
    """Add the command."""
    added = command_line.add(commands, "uninstall", _HELP, _run, asks_agent=False)
    access.add_flags(added, default=False)
    doing = added.add_mutually_exclusive_group()
    doing.add_argument("--yes", action="store_true", help="do it; without, nothing is changed")
    doing.add_argument("--dry-run", action="store_true", help="only say what would be done, as without --yes")
    added.add_argument(
        "--drain",
        action="store_true",
        help="cordon the nodes and delete the Pods that have their network from us",
    )
    added.add_argument(
        "--force",
        action="store_true",
        help="go on when claims do not go: their finalizers are taken off, their EIPs given back by tags",
    )
    added.add_argument(
        "--wait",
        default="3m",
        metavar="DURATION",
        help="without a change, until a step is given up (default: %(default)s)",
    )


def _run(options: argparse.Namespace) -> int:
    patience = Patience(seconds=checks.duration("--wait", options.wait, least=1))
    reports: list[StepReport] = []
    with access.client(options) as api:
        _check_switch(api)
        for number, (name, step) in enumerate(_steps(options, api, patience), 1):
            output.say(f"step {number}: {name}", program="kubectl eni uninstall")
            reports.append(step())
            if reports[-1].left and reports[-1].stops:
                break
    output.show(options, _answer(reports, dry=not options.yes), SHAPE)
    return ExitCode.PROBLEM if any(report.left for report in reports) else ExitCode.OK


def _steps(
    options: argparse.Namespace, api: KubeClient, patience: Patience
) -> Iterator[tuple[str, Callable[[], StepReport]]]:
    dry = not options.yes
    pods, of_nodes = removal_of_pods, removal_of_nodes
    yield "Pods", lambda: pods.drain(api, patience, dry=dry, force=options.drain)
    yield "webhook", lambda: pods.webhooks(api, dry=dry)
    yield "claims", lambda: pods.own_objects(api, patience, dry=dry, force=options.force)
    yield "controller and agents", lambda: of_nodes.end_daemons(api, patience, dry=dry)
    yield "claims without a controller", lambda: pods.free_objects(api, patience, dry=dry)
    yield "nodes", lambda: of_nodes.clean_nodes(api, patience, dry=dry)
    yield "EIPs and ENIs", lambda: of_nodes.give_back(api, patience, dry=dry)
    yield "objects", lambda: removal_of_objects.remove_objects(api, patience, dry=dry)


def _check_switch(api: KubeClient) -> None:
    """Raises: ReleasesStoppedError; KubeError: it is not known, so nothing may be released."""
    try:
        found = api.get(CONFIGMAPS, cluster_settings.CONFIG_MAP, access.NAMESPACE)
    except NotFoundError:
        return
    stopped_by = cluster_settings.releases_stopped(found, access.NAMESPACE)
    if stopped_by:
        raise ReleasesStoppedError(
            f"nothing was done: {stopped_by}", advice="ask who has stopped them, and why; then allow them"
        )


def _answer(reports: Sequence[StepReport], *, dry: bool) -> dict[str, Any]:
    steps = [
        {
            "step": report.step,
            "todo": report.todo,
            "left": report.left,
            "nextStep": report.advice if report.left else "",
            "note": report.note,
        }
        for report in reports
    ]
    return {"dryRun": dry, "steps": steps}


def _blocks(answer: Plain, _: float) -> Sequence[Block]:
    columns = (
        Column("STEP", lambda step: step["step"]),
        Column("FOUND", lambda step: str(len(step["todo"]))),
        Column("LEFT", lambda step: "" if answer["dryRun"] else str(len(step["left"]))),
        Column("WHAT", lambda step: _few(step["todo"])),
    )
    steps = answer["steps"]
    left = [Line("LEFT", f"{step['step']}: {text}") for step in steps for text in step["left"]]
    advice = [Line("NEXT", step["nextStep"]) for step in steps if step["nextStep"]]
    notes = [Line("NOTE", step["note"]) for step in steps if step["note"]]
    return [Table(columns, steps, empty="nothing"), *left, *advice, *notes, Line("", _verdict(answer))]


def _few(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return f"{', '.join(texts[:_SHOWN])}{more}"


def _verdict(answer: Plain) -> str:
    if answer["dryRun"]:
        return "nothing was changed; --yes does it"
    left = sum(len(step["left"]) for step in answer["steps"])
    return f"{left} left; the same command goes on" if left else "nothing of ours is left"


SHAPE: Final = Shape(_blocks, lambda answer: [text for step in answer["steps"] for text in step["left"]])
