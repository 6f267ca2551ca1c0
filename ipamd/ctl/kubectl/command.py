"""`kubectl eni`: the same program as `ipamctl`, for the whole cluster, by the user's kubeconfig.

kubectl runs a program `kubectl-eni` of the path as its command `eni` ("Extend kubectl with plugins").
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

from ipamd.core.claim import eipclaim
from ipamd.core.vpc_ip import vpcipclaim
from ipamd.ctl import command_line, completion, output, process
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.kubectl import (
    access,
    bundle,
    claims,
    cleanup,
    connectivity,
    fixed_ips,
    node_listing,
    nodes,
    relay,
    uninstall,
)
from ipamd.ctl.shape import Shape

_NAME: Final = "kubectl eni"


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it parsed has `run`."""
    made = command_line.program(
        _NAME, "Show how Pod networking and EIPs do in the whole cluster.", asks_agent=False
    )
    access.add_flags(made, default=True)
    commands = command_line.commands_of(made)
    _add_nodes(commands)
    _add_claims(commands)
    _add_fixed_ips(commands)
    relay.add_commands(commands)
    connectivity.add_command(commands)
    bundle.add_command(commands)
    cleanup.add_command(commands)
    uninstall.add_command(commands)
    completion.add_plugin_command(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return how it ended (`ExitCode`)."""
    return process.run(parser(), arguments)


def _add_nodes(commands: "command_line.Subparsers") -> None:
    text = "all nodes at a glance, those with problems first"
    added = command_line.add(commands, "nodes", text, _nodes, asks_agent=False, repeats=True)
    access.add_flags(added, default=False)
    added.add_argument("--problems", action="store_true", help="only nodes with a problem")


def _add_claims(commands: "command_line.Subparsers") -> None:
    text = "the EIPClaims of the cluster, and what is wrong with them"
    added = command_line.add(commands, "claims", text, _claims, asks_agent=False, repeats=True)
    access.add_flags(added, default=False)
    added.add_argument("--problems", action="store_true", help="only claims with a problem")


def _add_fixed_ips(commands: "command_line.Subparsers") -> None:
    text = "the VpcIPClaims of the cluster with their addresses, and what is wrong with them"
    added = command_line.add(commands, "fixed-ips", text, _fixed_ips, asks_agent=False, repeats=True)
    access.add_flags(added, default=False)
    added.add_argument("--problems", action="store_true", help="only claims with a problem")


def _nodes(options: argparse.Namespace) -> int:
    with access.client(options) as api:
        found = node_listing.look(api)
    chosen = [row for row in found if row["problem"]] if options.problems else found
    output.show(options, {"nodes": chosen}, nodes.SHAPE)
    return ExitCode.OK


def _claims(options: argparse.Namespace) -> int:
    with access.client(options) as api:
        objects = node_listing.claim_objects(api, options.namespace)
    _show_claims(options, claims.rows(map(eipclaim.read, objects), _created(objects)), claims.SHAPE)
    return ExitCode.OK


def _fixed_ips(options: argparse.Namespace) -> int:
    with access.client(options) as api:
        objects = node_listing.fixed_ip_objects(api, options.namespace)
        found = [vpcipclaim.read(obj) for obj in objects]
        pods = node_listing.pods_named(api, options.namespace, {str(claim) for claim in found})
    rows = fixed_ips.rows(found, _created(objects), pods)
    _show_claims(options, rows, fixed_ips.SHAPE)
    return ExitCode.OK


def _show_claims(options: argparse.Namespace, found: list[dict[str, Any]], shape: Shape) -> None:
    chosen = [row for row in found if row["problem"]] if options.problems else found
    output.show(options, {"claims": chosen, "onlyProblems": options.problems}, shape)


def _created(objects: list[dict[str, Any]]) -> dict[str, str]:
    return {o["metadata"]["uid"]: str(o["metadata"].get("creationTimestamp") or "") for o in objects}


if __name__ == "__main__":
    sys.exit(main())
