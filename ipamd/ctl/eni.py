"""The flags of `ipamctl eni cleanup`; the work is in `eni_cleanup`, which is imported only when it runs."""

import argparse
import os

from ipamd.ctl import command_line, eip

_HELP = "show the ENIs that a cluster has made for its nodes, and with --yes give them back"


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add `eni` with its verb."""
    group = commands.add_parser("eni", help="ENIs of a whole cluster, in the cloud")
    parser = command_line.add(
        command_line.commands_of(group, "VERB"), "cleanup", _HELP, _cleanup, asks_agent=False
    )
    parser.add_argument("--cluster-id", default="", help="whose ENIs (cls-...); required")
    parser.add_argument("--yes", action="store_true", help="do it; without, nothing is changed")
    parser.add_argument(
        "--detach", action="store_true", help="also those that are attached: no Pod uses them any more"
    )
    parser.add_argument(
        "--reservations",
        action="store_true",
        help="also private addresses and ENIs that are kept for its Pods and unused: the cluster is gone",
    )
    eip.add_cloud(parser, "ENI")


def _cleanup(options: argparse.Namespace) -> int:
    from ipamd.ctl import eni_cleanup  # noqa: PLC0415 - loads the cloud SDK

    return eni_cleanup.run(options, os.environ)
