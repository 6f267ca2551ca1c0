"""`make shim-arm64`: the CNI plugin for arm64, built on a machine of another kind; and what runs it there."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from testbed.debian import UnpackedPackage

_ROOT = Path(__file__).resolve().parent.parent
_TARGET = "shim-arm64"

COMPILER = "aarch64-linux-gnu-gcc"
LIBRARY = UnpackedPackage(name="libpython3.11-dev", programs=("usr",), target=_TARGET, architecture="arm64")
"""CPython's static library and headers; the package's files are below its directory as below a root."""
EMULATOR = UnpackedPackage(name="qemu-user-static", programs=("usr/bin/qemu-aarch64-static",), target=_TARGET)
"""Runs one program of another architecture; `path("qemu-aarch64-static")` gives it."""


def is_ready() -> bool:
    """Whether `build` and the emulator need nothing more."""
    return shutil.which(COMPILER) is not None and LIBRARY.is_complete and EMULATOR.is_complete


def build(output: Path) -> None:
    """Build the plugin. Raises: subprocess.CalledProcessError, with what the build says on stderr."""
    command = ["/usr/bin/python3.11", "-I", "-S", str(_ROOT / "cni_plugin" / "build.py")]
    options = ["--compiler", COMPILER, "--root", str(LIBRARY.directory), "--output", str(output)]
    subprocess.run([*command, *options], check=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Get what is missing, build, and run the result once; 1 when that is not possible."""
    parser = argparse.ArgumentParser(prog="make shim-arm64", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="PATH", help="file to write")
    output: Path = parser.parse_args(arguments).output
    if LIBRARY.main() or EMULATOR.main():
        return 1
    build(output)
    emulator = EMULATOR.path("qemu-aarch64-static")
    return subprocess.run([emulator, output], env={"CNI_COMMAND": "VERSION"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
