"""The flags of `ipamctl eip cleanup` and `adopt`; the work is in `eip_cleanup` and `eip_adopt`.

What loads the cloud SDK is imported only when the command runs: those that ask the agent need none of it.
"""

import argparse
import os

from ipamd.core import places
from ipamd.ctl import command_line

_ADOPT_HELP = "show the EIPs that TKE has kept, and with --yes take them over into an EIPPool or EIPClaims"
_HELP = "show the EIPs that a cluster has created, and with --yes give them back"


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add `eip` with its verbs."""
    group = commands.add_parser("eip", help="EIPs of a whole cluster, in the cloud")
    verbs = command_line.commands_of(group, "VERB")
    add_cleanup(verbs)
    _add_adopt(verbs)


def _add_adopt(commands: "command_line.Subparsers") -> None:
    parser = command_line.add(commands, "adopt", _ADOPT_HELP, _adopt, asks_agent=False)
    parser.add_argument("--cluster-id", default="", help="the cluster that takes them (cls-...); required")
    parser.add_argument("--kubeconfig", default="", metavar="FILE", help="of that cluster; required")
    parser.add_argument("--pool", default="", metavar="NAME", help="into this EIPPool, made if there is none")
    parser.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="NAMESPACE/POD=EIP",
        help="into an EIPClaim for the Pod of this name; may be repeated",
    )
    parser.add_argument(
        "--eip",
        default="",
        metavar="EIP,...",
        help="with --pool: these (default: all with TKE's tags of the cluster)",
    )
    parser.add_argument("--yes", action="store_true", help="do it; without, nothing is changed")
    _add_place(parser)


def add_cleanup(commands: "command_line.Subparsers", *, kubeconfig: str = "") -> argparse.ArgumentParser:
    """Add the command itself, which `kubectl eni` has too; `kubeconfig` is that flag's default."""
    parser = command_line.add(commands, "cleanup", _HELP, _cleanup, asks_agent=False)
    parser.add_argument("--cluster-id", default="", help="whose EIPs (cls-...); required")
    parser.add_argument("--yes", action="store_true", help="do it; without, nothing is changed")
    in_use = parser.add_mutually_exclusive_group()
    in_use.add_argument(
        "--unbind", action="store_true", help="also those that are bound: the cluster is deleted"
    )
    in_use.add_argument("--keep-bound", action="store_true", help="all but those that are bound")
    parser.add_argument(
        "--keep-tke", action="store_true", help="all but those that TKE's own component has created"
    )
    parser.add_argument(
        "--kubeconfig",
        default=kubeconfig,
        metavar="FILE",
        help="of the cluster: keeps what its EIPClaims hold, and respects the switch that stops its releases",
    )
    add_cloud(parser, "EIP")
    return parser


def add_cloud(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the flags that say which cloud it is, and how long one of `what` may take to go."""
    _add_place(parser)
    parser.add_argument(
        "--wait", default="2m", metavar="DURATION", help=f"for each {what} to be gone (default: %(default)s)"
    )


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--region", default="", help="for example ap-guangzhou (default: asked of the CVM)")
    parser.add_argument(
        "--cloud-endpoint",
        default="",
        help="'internal', a root domain, or http(s)://host:port (default: tencentcloudapi.com)",
    )
    parser.add_argument(
        "--metadata-url",
        default=places.METADATA_URL,
        help="metadata service of the CVM (default: %(default)s)",
    )


def _cleanup(options: argparse.Namespace) -> int:
    from ipamd.ctl import eip_cleanup  # noqa: PLC0415 - see the module's docstring

    return eip_cleanup.run(options, os.environ)


def _adopt(options: argparse.Namespace) -> int:
    from ipamd.ctl import eip_adopt  # noqa: PLC0415 - see the module's docstring

    return eip_adopt.run(options, os.environ)
