"""`ipamctl bundle`: everything about this node that whoever helps will ask for, in one file, without secrets.

It is made in the agent's container, where nothing but the state directory can be written, and on the host,
whose paths are the same. `kubectl eni bundle` gathers those of all nodes.
"""

import argparse
import os
import platform
import time
from pathlib import Path
from typing import Final

from ipamd.core import places
from ipamd.core.timing.deadline import Deadline
from ipamd.ctl import archive, cluster_parts, command_line, node_parts
from ipamd.ctl.archive import Parts

_HELP: Final = "collect state, kernel and log of this node into one file for a support case; without secrets"
_LOGS: Final = (
    "/var/log/pods/kube-system_tke-eni-agent-*/*/*.log",
    "/var/log/pods/kube-system_tke-eni-ipamd-*/*/*.log",
)
_SECONDS: Final = 15.0
"""For all that is asked of others; what lies in files comes in any case."""
_AGENT_SECONDS: Final = 9.0
"""Of these for the agent."""
_CNI_CONF_DIR: Final = "/etc/cni/net.d"
_METRICS_PORT: Final = 61681
"""Of components/metrics, where the agent listens at the node's own address (HOST_IP)."""
_DIRECTORY: Final = Path(places.STATE_DIRECTORY)
"""Where a bundle goes without --file: the agent's state directory, the one place it may write to."""


def add_command(commands: "command_line.Subparsers") -> None:
    """Add the command."""
    added = command_line.add(commands, "bundle", _HELP, _run, shows=False)
    added.add_argument(
        "--file",
        default="",
        help=f"where to write it, - for standard output (default: {_DIRECTORY}/tke-eni-<node>-<time>.tar.gz, "
        "or the current directory where there is no such place)",
    )
    added.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="GLOB",
        help=f"log files of agent and controller (default: {' and '.join(_LOGS)})",
    )
    added.add_argument(
        "--cni-conf-dir",
        type=Path,
        default=Path(_CNI_CONF_DIR),
        metavar="DIR",
        help="network configurations of the runtime (default: %(default)s)",
    )
    added.add_argument(
        "--metrics",
        default="",
        metavar="URL",
        help=f"metrics of the agent (default: port {_METRICS_PORT} of $HOST_IP, else of 127.0.0.1)",
    )
    added.add_argument(
        "--kubeconfig",
        default="",
        metavar="FILE",
        help="for the node's claims and Events (default: the agent's own rights, in its container)",
    )


def _run(options: argparse.Namespace) -> int:
    directory = _DIRECTORY if os.access(_DIRECTORY, os.W_OK) else Path()
    name = archive.name_of(platform.node())
    return archive.save(options.file, directory, name, lambda: _parts(options), program=options.program)


def _parts(options: argparse.Namespace) -> Parts:
    host = os.environ.get("HOST_IP", "127.0.0.1")
    deadline = Deadline.after(_SECONDS, time.monotonic)
    share = deadline.within(_AGENT_SECONDS)
    agent = node_parts.AskedAgent(options.socket, seconds=options.timeout, deadline=share)
    yield "versions.json", node_parts.versions()
    yield from node_parts.answers(agent)
    yield from node_parts.kernel(agent)
    yield from node_parts.commands(deadline)
    yield from node_parts.foreign_tables()
    yield from node_parts.configurations(options.cni_conf_dir)
    yield (
        "metrics.txt",
        node_parts.page(options.metrics or f"http://{host}:{_METRICS_PORT}/metrics", deadline),
    )
    yield from cluster_parts.of_node(options.kubeconfig, os.environ, deadline)
    yield from node_parts.logs(options.log or list(_LOGS))
