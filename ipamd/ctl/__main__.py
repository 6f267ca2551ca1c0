"""`ipamctl`: what an operator types.

`status`, `pods` and other listings ask the agent of this node, `trace` and `explain` have it look, `check`
and `repair` compare and mend, `bundle` collects all of it; `connectivity` tries connections of its Pods;
`eip cleanup` and `eni cleanup` ask the cloud, from anywhere.
"""

import argparse
import sys
from collections.abc import Sequence

from ipamd.ctl import (
    bundle,
    command_line,
    completion,
    connectivity,
    diagnosis,
    eip,
    eni,
    maintenance,
    node,
    pool,
    process,
    watch,
)
from ipamd.ctl.preflight import command as preflight

_NAME = "ipamctl"


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it parsed has `run`."""
    made = command_line.program(_NAME, "Show what the agent of this node knows; give back EIPs of a cluster.")
    commands = command_line.commands_of(made)
    node.add_commands(commands)
    diagnosis.add_commands(commands)
    connectivity.add_command(commands)
    watch.add_command(commands)
    pool.add_commands(commands)
    maintenance.add_commands(commands)
    bundle.add_command(commands)
    eip.add_commands(commands)
    eni.add_commands(commands)
    preflight.add_command(commands)
    completion.add_command(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return how it ended (`ExitCode`)."""
    return process.run(parser(), arguments)


if __name__ == "__main__":
    sys.exit(main())
