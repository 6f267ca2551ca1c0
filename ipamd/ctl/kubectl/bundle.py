"""`kubectl eni bundle`: objects, Events, the controllers' logs and a bundle of each node, in one file."""

import argparse
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from ipamd.ctl import archive, cluster_parts, command_line
from ipamd.ctl.archive import Parts
from ipamd.ctl.kubectl import access, node_listing
from ipamd.ctl.kubectl.access import Kubectl
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import PODS

_HELP: Final = "collect nodes, controller, claims and Events of the cluster into one file; without secrets"
_MOST_NODES: Final = 20
_AT_ONCE: Final = 4
_NODE_SECONDS: Final = 180.0
_LOG_LINES: Final = 20_000


def add_command(commands: "command_line.Subparsers") -> None:
    """Add the command."""
    added = command_line.add(commands, "bundle", _HELP, _run, asks_agent=False, shows=False)
    access.add_flags(added, default=False)
    added.add_argument("nodes", nargs="*", metavar="NODE", help="of these nodes (default: see --most)")
    added.add_argument(
        "--file",
        default="",
        help="where to write it, - for standard output (default: tke-eni-cluster-<time>.tar.gz here)",
    )
    added.add_argument(
        "--most",
        type=int,
        default=_MOST_NODES,
        metavar="NUMBER",
        help="of how many nodes, those with problems first (default: %(default)s)",
    )


def _run(options: argparse.Namespace) -> int:
    kubectl = access.kubectl(options)
    with access.client(options) as api:
        name = archive.name_of("cluster")
        return archive.save(
            options.file, Path(), name, lambda: _parts(options, api, kubectl), program=options.program
        )


def _parts(options: argparse.Namespace, api: KubeClient, kubectl: Kubectl) -> Parts:
    rows = node_listing.look(api)
    yield "nodes.json", json.dumps(rows, indent=1)
    yield from cluster_parts.lists(api)
    yield from cluster_parts.settings(api)
    yield from _controllers(api, kubectl)
    wanted = [row for row in rows if not options.nodes or row["node"] in options.nodes]
    yield from _nodes(wanted[: len(options.nodes) or options.most], kubectl)


def _controllers(api: KubeClient, kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """Yield the logs of the controllers, and of what ran before in the same Pods."""
    found = api.list(PODS, access.NAMESPACE, label_selector=access.CONTROLLER_LABEL).items
    for pod in found:
        yield from _logs("controller", pod["metadata"]["name"], kubectl)


def _logs(folder: str, pod: str, kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    for previous in ((), ("--previous",)):
        arguments = ("--namespace", access.NAMESPACE, "logs", pod, f"--tail={_LOG_LINES}", *previous)
        said = kubectl.run(*arguments)
        text = said.out.decode(errors="replace") if said.code == 0 else f"{said.err}\n"
        yield f"{folder}/{pod}{'-previous' if previous else ''}.log", archive.cut(text)


def _nodes(rows: list[dict[str, Any]], kubectl: Kubectl) -> Parts:
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        asked = [workers.submit(_of_node, row, kubectl) for row in rows]
        for future in asked:
            yield from future.result()


def _of_node(row: Mapping[str, Any], kubectl: Kubectl) -> list[tuple[str, str | bytes]]:
    """Return the bundle of a node, or why there is none, and its agent's logs, which no bundle has."""
    place = f"nodes/{row['node']}"
    if not row["agent"]:
        return [(f"{place}/none.txt", f"{row['problem']}\n")]
    command = access.in_agent(row["agent"], "ipamctl", "bundle", "--file", archive.STDOUT)
    said = kubectl.run(*command, seconds=_NODE_SECONDS)
    logs = _logs(place, row["agent"], kubectl)
    if said.code or not said.out:
        return [(f"{place}/none.txt", f"{said.err or 'no bundle came'}\n"), *logs]
    return [(f"{place}/bundle.tar.gz", said.out), *logs]
