"""`ipamctl`: what an operator types.

`status`, `pods`, `enis` and `eips` ask the agent of this node, `check` and `repair` have it compare and mend,
`bundle` collects all of it; `eip cleanup` asks the cloud, from anywhere.
"""

import argparse
import sys
from collections.abc import Sequence

from ipamd.core.errors import InvalidInputError
from ipamd.ctl import agent_calls, bundle, eip, maintenance, node


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it parsed has `run`."""
    made = argparse.ArgumentParser(
        prog="ipamctl", description="Show what the agent of this node knows; give back EIPs of a cluster."
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    agent_calls.add_flags(made)
    node.add_commands(commands)
    maintenance.add_commands(commands)
    bundle.add_command(commands)
    of_cluster = commands.add_parser("eip", help="EIPs of a whole cluster, in the cloud")
    eip.add_command(of_cluster.add_subparsers(dest="verb", required=True, metavar="VERB"))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked, 1 when it could not, 2 for wrong usage."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except InvalidInputError as e:
        print(f"ipamctl: {e}", file=sys.stderr)
        return 2
    return code


if __name__ == "__main__":
    sys.exit(main())
