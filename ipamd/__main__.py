"""`ipamd agent` and `ipamd controller`, the two daemons, and what prepares a node and cleans it.

Each has its flags in its package's `options` and its `run` in `command`, which is imported for the chosen one
only: flags and --help must not cost gRPC and the cloud SDK.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

import ipamd
from ipamd.runtime import collector

_COMMANDS = {
    "agent": ("agent", "per-node daemon: addresses, Pod wiring, EIP association"),
    "controller": ("controller", "one leader per cluster: EIPClaims, EIP allocation and release"),
    "install-plugin": ("installation", "put the CNI plugin on this node"),
    "remove-from-node": ("removal", "take all that is ours off this node; no agent may serve it"),
}
"""Command -> the package that has its options, and what it does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line names and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="ipamd", description="Pod networking with public IPs for Tencent Cloud"
    )
    parser.add_argument("--version", action="version", version=f"ipamd {ipamd.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar=f"{{{','.join(_COMMANDS)}}}")
    words = sys.argv[1:] if argv is None else argv
    # Flags are imported of the command that comes first, or of all.
    chosen = [word for word in words[:1] if word in _COMMANDS] or [*_COMMANDS]
    for name in chosen:
        package, description = _COMMANDS[name]
        with collector.kept_off():
            options = importlib.import_module(f"ipamd.{package}.options")
        flags = commands.add_parser(name, help=description, description=description)
        options.add_arguments(flags)
        flags.set_defaults(package=package)
    arguments = parser.parse_args(words)
    with collector.kept_off():
        command = importlib.import_module(f"ipamd.{arguments.package}.command")
    code: int = command.run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
