"""`ipamd agent` and `ipamd controller`: the two daemons of the product.

Each has its flags and its `run` in its package's `options`; only the chosen one's dependencies are imported.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

import ipamd

_DAEMONS = {
    "agent": "per-node daemon: addresses, Pod wiring, EIP association",
    "controller": "one leader per cluster: EIPClaims, EIP allocation and release",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon that the command line names and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="ipamd", description="Pod networking with public IPs for Tencent Cloud"
    )
    parser.add_argument("--version", action="version", version=f"ipamd {ipamd.__version__}")
    commands = parser.add_subparsers(dest="daemon", required=True, metavar="{agent,controller}")
    for name, description in _DAEMONS.items():
        options = importlib.import_module(f"ipamd.{name}.options")
        command = commands.add_parser(name, help=description, description=description)
        options.add_arguments(command)
        command.set_defaults(options=options)
    arguments = parser.parse_args(argv)
    code: int = arguments.options.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
