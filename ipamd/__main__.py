"""`ipamd agent` and `ipamd controller`, the two daemons of the product, and what prepares a node for them.

Each has its flags and its `run` in its package's `options`; only the chosen one's dependencies are imported.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

import ipamd

_COMMANDS = {
    "agent": ("agent", "per-node daemon: addresses, Pod wiring, EIP association"),
    "controller": ("controller", "one leader per cluster: EIPClaims, EIP allocation and release"),
    "install-plugin": ("installation", "put the CNI plugin and its interpreter on this node"),
}
"""Command -> the package that has its options, and what it does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line names and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="ipamd", description="Pod networking with public IPs for Tencent Cloud"
    )
    parser.add_argument("--version", action="version", version=f"ipamd {ipamd.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar=f"{{{','.join(_COMMANDS)}}}")
    for name, (package, description) in _COMMANDS.items():
        options = importlib.import_module(f"ipamd.{package}.options")
        command = commands.add_parser(name, help=description, description=description)
        options.add_arguments(command)
        command.set_defaults(options=options)
    arguments = parser.parse_args(argv)
    code: int = arguments.options.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
