"""Makes the plugin, one executable file without needs: `build.py --output build/cni/tke-route-eni`.

The modules of this directory are compiled to bytecode, marshalled, and linked with `program.c`,
`linked.c` and CPython's static library (Debian's package libpython3.11-dev). docs/shim.md says what that
spares.

For another architecture, name its compiler, and where its libpython3.11-dev is unpacked: `--compiler
aarch64-linux-gnu-gcc --root DIRECTORY`. Same sources, options and packages give the same bytes.
"""

import argparse
import marshal
import os
import runpy
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_PYTHON = (3, 11)  # program.c says why no other
_HERE = Path(__file__).resolve().parent
_MODULES = (
    "loader",
    "main",
    "cnierror",
    "status",
    "wire",
    "unary",
    "exchange",
    "frames",
    "upload",
    "hpack",
    "huffman",
    "pending",
    "standing",
)
_SOURCES = ("program.c", "linked.c")
_DEFAULTS = runpy.run_path(str(_HERE / "defaults.py"))
_DEFAULTS_SOURCE = """\
SOCKET = {socket!r}
PENDING_DELETES = {pending_deletes!r}
TIMEOUT = {timeout!r}
STATUS_PATIENCE = {status_patience!r}
"""
_CODE_SOURCE = """\
#include "program.h"
const unsigned char plugin_code[] = {{{octets}}};
const size_t plugin_code_size = sizeof plugin_code;
"""
_LONGEST_SOCKET_PATH = 107  # unix(7): sun_path has 108 with its final zero
_LONGEST_TIMEOUT = 3600

# Position-independent, so that every address is random; nothing of the file is writable and executable, and
# what the linker has filled in is read-only when main() runs. No build-id, no symbols: the input decides.
_COMPILER_OPTIONS = (
    *("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-fPIE", "-static-pie", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2"),
    *("-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,--gc-sections", "-Wl,--build-id=none", "-s"),
)


class BuildError(Exception):
    """The file would not run; the message says what to change."""


@dataclass(frozen=True)
class Toolchain:
    """A compiler, and the root below which Debian's libpython3.11-dev for its target is."""

    compiler: str
    root: Path

    def link(self, code: bytes, output: Path) -> None:
        """Compile and link the program around the marshalled modules. Raises: BuildError."""
        triplet = self._run("-dumpmachine").strip()
        library = self.root / f"usr/lib/python3.11/config-3.11-{triplet}/libpython3.11-pic.a"
        if not library.exists():
            raise BuildError(f"{library} is missing; install libpython3.11-dev, or unpack it below --root")
        # Of another root, the headers alone: the C library's are the compiler's own.
        headers = [f"-I{self.root}/usr/include/python3.11", f"-I{self.root}/usr/include"]
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory, "code.c")
            source.write_text(_CODE_SOURCE.format(octets=",".join(map(str, code))))
            sources = [*(str(_HERE / name) for name in _SOURCES), str(source)]
            paths = [f"-I{_HERE}", *(headers if self.root != Path("/") else headers[:1])]
            self._run(*_COMPILER_OPTIONS, *paths, *sources, "-o", str(output), str(library), "-lm")

    def _run(self, *arguments: str) -> str:
        try:
            done = subprocess.run([self.compiler, *arguments], capture_output=True, text=True, check=False)
        except OSError as error:
            raise BuildError(f"{self.compiler} cannot be run: {error.strerror}; install gcc") from None
        if done.returncode:
            raise BuildError(f"{self.compiler} failed:\n{done.stderr}")
        return done.stdout


def marshalled(*, socket: str, pending_deletes: str, timeout: float, status_patience: float) -> bytes:
    """Return the code of all modules by their names, with these defaults. Raises: BuildError."""
    if sys.version_info[:2] != _PYTHON:
        raise BuildError(f"this is Python {sys.version.split()[0]}; build the plugin with Python 3.11")
    _check_paths(socket, pending_deletes)
    _check_seconds("--timeout", timeout)
    _check_seconds("--status-patience", status_patience)
    sources = {name: (_HERE / f"{name}.py").read_text() for name in _MODULES}
    sources["defaults"] = _DEFAULTS_SOURCE.format(
        socket=socket.encode(),
        pending_deletes=pending_deletes.encode(),
        timeout=timeout,
        status_patience=status_patience,
    )
    # Format 2 writes no references, whose number depends on what else the building process holds.
    code = {
        name: marshal.dumps(
            compile(source, f"cni_plugin/{name}.py", "exec", dont_inherit=True, optimize=2), 2
        )
        for name, source in sources.items()
    }
    return marshal.dumps(code, 2)


def _check_paths(socket: str, pending_deletes: str) -> None:
    for option, path in (("--socket", socket), ("--pending-deletes", pending_deletes)):
        if not path.startswith("/"):
            raise BuildError(f"{option} is {path!r}; it must be an absolute path")
    if len(socket.encode()) > _LONGEST_SOCKET_PATH:
        raise BuildError(f"--socket is {socket!r}; the kernel takes at most {_LONGEST_SOCKET_PATH} octets")


def _check_seconds(option: str, seconds: float) -> None:
    if not 0 < seconds <= _LONGEST_TIMEOUT:
        raise BuildError(
            f"{option} is {seconds}; it must be more than 0 and at most {_LONGEST_TIMEOUT} seconds"
        )


def _check_starts(plugin: Path) -> None:
    """Run what was built: a library of another patch release may have what the plugin needs changed."""
    done = subprocess.run(
        [plugin], env={"CNI_COMMAND": "VERSION"}, capture_output=True, text=True, check=False
    )
    if done.returncode or "supportedVersions" not in done.stdout:
        raise BuildError(f"the plugin was built and does not start: {done.stdout}{done.stderr}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the CNI plugin tke-route-eni as one executable file.")
    default = {
        name: value.decode() if isinstance(value, bytes) else value for name, value in _DEFAULTS.items()
    }
    for flag, of, text in (
        ("--socket", default["SOCKET"], "unix socket of the agent"),
        ("--pending-deletes", default["PENDING_DELETES"], "directory of the DELs that wait for the agent"),
    ):
        parser.add_argument(flag, default=of, metavar="PATH", help=f"{text} (%(default)s)")
    for flag, of, text in (
        ("--timeout", default["TIMEOUT"], "for one call"),
        ("--status-patience", default["STATUS_PATIENCE"], "in service while empty and without agent"),
    ):
        parser.add_argument(flag, type=float, default=of, metavar="SECONDS", help=f"{text} (%(default)s)")
    parser.add_argument("--compiler", default="gcc", metavar="COMMAND", help="C compiler (%(default)s)")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIRECTORY",
        help="below which libpython3.11-dev of the compiler's target is (%(default)s)",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="PATH", help="file to write")
    return parser.parse_args()


def main() -> None:
    """Write the file, whole or not at all."""
    options = _options()
    output: Path = options.output
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.new")
    try:
        code = marshalled(
            socket=options.socket,
            pending_deletes=options.pending_deletes,
            timeout=options.timeout,
            status_patience=options.status_patience,
        )
        Toolchain(options.compiler, options.root).link(code, temporary)
        temporary.chmod(0o755)
        if options.root == Path("/"):
            _check_starts(temporary)
        temporary.rename(output)
    except BuildError as error:
        temporary.unlink(missing_ok=True)
        sys.exit(f"build.py: {error}")


if __name__ == "__main__":
    main()
