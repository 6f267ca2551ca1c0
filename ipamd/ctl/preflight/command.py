"""`ipamctl preflight` as a command: its flags, and how what was found is shown.

What asks the outside is imported only when the command runs: other commands need none of it.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ipamd.core import places
from ipamd.core.preflight.result import Fitness, Judgement
from ipamd.ctl import command_line, output
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import Block, Line, Plain, Shape

_HELP: Final = "look whether node, account and cluster are fit for an installation; changes nothing"
_CONTAINERD: Final = "/etc/containerd/config.toml"


def add_command(commands: "command_line.Subparsers") -> None:
    """Add `preflight`."""
    added = command_line.add(commands, "preflight", _HELP, _run, asks_agent=False)
    added.add_argument(
        "--only-node", action="store_true", help="look at the node alone, not at account and cluster"
    )
    added.add_argument(
        "--kubeconfig",
        default="",
        metavar="FILE",
        help="of the cluster (default: the service account of the Pod it runs in)",
    )
    added.add_argument(
        "--bin-dir", default=places.CNI_BINARIES, help="directory of CNI plugins (default: %(default)s)"
    )
    added.add_argument(
        "--conf-dir",
        default=places.CNI_CONFIGURATIONS,
        help="directory of CNI configurations (default: %(default)s)",
    )
    added.add_argument("--sysctl-root", default="/proc/sys", help="kernel settings (default: %(default)s)")
    added.add_argument(
        "--containerd-config",
        default=_CONTAINERD,
        metavar="FILE",
        help="containerd's configuration (default: %(default)s)",
    )
    added.add_argument(
        "--pod-subnets",
        default="",
        metavar="SUBNET[,SUBNET]",
        help="the --pod-subnets with which the agent will be started (default: the CVM's own subnet)",
    )
    added.add_argument(
        "--cloud-endpoint",
        default="",
        help="'internal', a root domain, or http(s)://host:port (default: tencentcloudapi.com)",
    )
    added.add_argument(
        "--metadata-url",
        default=places.METADATA_URL,
        help="metadata service of the CVM (default: %(default)s)",
    )


def _run(options: argparse.Namespace) -> int:
    found = sorted(_look(options), key=lambda one: one.fitness.rank)
    problems = sum(one.fitness is Fitness.PROBLEM for one in found)
    answer = {"problems": problems, "results": [_plain(one) for one in found]}
    output.show(options, answer, SHAPE)
    return ExitCode.PROBLEM if problems else ExitCode.OK


def _look(options: argparse.Namespace) -> Iterator[Judgement]:
    from ipamd.ctl.preflight import cloud_probe, cluster_probe, machine_probe  # noqa: PLC0415 - see above

    yield from machine_probe.look(
        bin_dir=Path(options.bin_dir),
        conf_dir=Path(options.conf_dir),
        sysctl_root=Path(options.sysctl_root),
        containerd=Path(options.containerd_config),
    )
    if not options.only_node:
        subnets = tuple(filter(None, options.pod_subnets.split(",")))
        yield from cloud_probe.look(options.metadata_url, options.cloud_endpoint, os.environ, subnets)
        yield from cluster_probe.look(options.kubeconfig, os.environ)


def _plain(one: Judgement) -> dict[str, Any]:
    return {
        "result": one.fitness.value,
        "code": one.check.code,
        "object": one.subject,
        "text": one.text,
        "nextStep": one.next_step,
    }


def _blocks(answer: Plain, _: float) -> Sequence[Block]:
    lines = [Line(one["result"].upper(), _sentence(one)) for one in answer["results"]]
    bad = answer["problems"]
    verdict = (
        f"{bad} {'thing has' if bad == 1 else 'things have'} to be put right first"
        if bad
        else "nothing is in the way"
    )
    return [*lines, Line("", verdict)]


def _sentence(one: Plain) -> str:
    step = f"; {one['nextStep']}" if one["nextStep"] else ""
    return f"{one['code']} {one['object']}: {one['text']}{step}"


SHAPE: Final = Shape(
    _blocks,
    lambda answer: [one["code"] for one in answer["results"] if one["result"] == Fitness.PROBLEM.value],
)
"""By name: the codes of problems."""
