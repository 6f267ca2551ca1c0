"""Joins the modules of the plugin into one executable file: `build.py --output build/cni/tke-route-eni`.

The interpreter line of the file keeps Python from parsing it as a whole: `-c` runs the first 1024 bytes only,
a few lines of source, which check that the interpreter has the bytecode format of the build and load the
rest, which is marshalled code. That starts as fast as a .pyc file; to parse the code as a literal would cost
0.7 ms more, to compile the sources 5 ms (docs/shim.md has the figures).

The interpreter that runs this program is the one that the file fits. The same sources and options give the
same bytes.
"""

import argparse
import hashlib
import marshal
import runpy
import subprocess
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path

DEFAULT_INTERPRETER = "/usr/bin/python3.11"

_PYTHON = (3, 11)  # later ones have no module _sha256
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
_DEFAULTS = runpy.run_path(str(_HERE / "defaults.py"))
_DEFAULTS_SOURCE = """\
SOCKET = {socket!r}
PENDING_DELETES = {pending_deletes!r}
TIMEOUT = {timeout!r}
STATUS_PATIENCE = {status_patience!r}
"""
_STUB_SIZE = 1024
_INTERPRETER_LINE = "#!{} -IScimport posix,sys;f=posix.open(sys.argv[1],0);exec(posix.read(f,{}))\n"
_LONGEST_INTERPRETER_LINE = 127  # of kernels before 5.1, which cut off what is longer
_LONGEST_SOCKET_PATH = 107  # unix(7): sun_path has 108 with its final zero
_LONGEST_TIMEOUT = 3600
_STUB = """\
# tke-route-eni, the CNI plugin of tke-eni.
# Made by cni_plugin/build.py with Python {version}; the sources have the digest {digest}.
import marshal
from _frozen_importlib_external import MAGIC_NUMBER
if MAGIC_NUMBER != {magic}:
    sys.stdout.write(
        '{{"cniVersion": "1.0.0", "code": 999, '
        '"msg": "tke-route-eni was built for Python {version}, but %s is Python %s", '
        '"details": "install Python 3.11 there, or build the plugin for another path: '
        'build.py --interpreter"}}\\n'
        % (sys.executable, sys.version.split()[0])
    )
    sys.exit(1)
modules = marshal.loads(posix.read(f, 1 << 24))
posix.close(f)
exec(marshal.loads(modules["loader"]))
start(modules)
"""


class BuildError(Exception):
    """The file would not run; the message says what to change."""


def build(
    interpreter: str, *, socket: str, pending_deletes: str, timeout: float, status_patience: float
) -> bytes:
    """Return the content of the executable file; raises BuildError."""
    if sys.version_info[:2] != _PYTHON:
        raise BuildError(f"this is Python {sys.version.split()[0]}; build the plugin with Python 3.11")
    _check_interpreter(interpreter)
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
    digest = hashlib.sha256("\0".join(sources.values()).encode()).hexdigest()[:12]
    stub = _INTERPRETER_LINE.format(interpreter, _STUB_SIZE) + _STUB.format(
        version=sys.version.split()[0], digest=digest, magic=MAGIC_NUMBER
    )
    return stub.encode().ljust(_STUB_SIZE - 1, b"#") + b"\n" + _marshalled(sources)


def _marshalled(sources: dict[str, str]) -> bytes:
    # Format 2 writes no references, whose number depends on what else the building process holds.
    code = {
        name: marshal.dumps(
            compile(source, f"cni_plugin/{name}.py", "exec", dont_inherit=True, optimize=2), 2
        )
        for name, source in sources.items()
    }
    return marshal.dumps(code, 2)


def _check_interpreter(interpreter: str) -> None:
    excess = len(_INTERPRETER_LINE.format(interpreter, _STUB_SIZE)) - _LONGEST_INTERPRETER_LINE
    if not interpreter.startswith("/") or not interpreter.isprintable() or set(interpreter) & set(" \"'\\"):
        raise BuildError(
            f"--interpreter is {interpreter!r}; it must be an absolute path without blanks or quotes"
        )
    if excess > 0:
        raise BuildError(
            f"--interpreter is {interpreter!r}, {excess} characters too long: kernels before 5.1 take "
            f"{_LONGEST_INTERPRETER_LINE} characters of the interpreter line"
        )
    if not Path(interpreter).exists():
        return  # packaged for another machine; the file itself checks when it runs
    question = "from _frozen_importlib_external import MAGIC_NUMBER; print(MAGIC_NUMBER.hex())"
    answer = subprocess.run([interpreter, "-IS", "-c", question], capture_output=True, text=True, check=False)
    if answer.stdout.strip() != MAGIC_NUMBER.hex():
        raise BuildError(
            f"--interpreter is {interpreter!r}, whose bytecode differs from that of {sys.executable}, which "
            f"runs this build; run it as: {interpreter} -I -S {__file__} --interpreter {interpreter} ..."
        )


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


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the CNI plugin tke-route-eni as one executable file.")
    default = {
        name: value.decode() if isinstance(value, bytes) else value for name, value in _DEFAULTS.items()
    }
    for flag, of, text in (
        ("--interpreter", DEFAULT_INTERPRETER, "Python that will run the file"),
        ("--socket", default["SOCKET"], "unix socket of the agent"),
        ("--pending-deletes", default["PENDING_DELETES"], "directory of the DELs that wait for the agent"),
    ):
        parser.add_argument(flag, default=of, metavar="PATH", help=f"{text} (%(default)s)")
    for flag, of, text in (
        ("--timeout", default["TIMEOUT"], "for one call"),
        ("--status-patience", default["STATUS_PATIENCE"], "in service while empty and without agent"),
    ):
        parser.add_argument(flag, type=float, default=of, metavar="SECONDS", help=f"{text} (%(default)s)")
    parser.add_argument("--output", type=Path, required=True, metavar="PATH", help="file to write")
    return parser.parse_args()


def main() -> None:
    """Write the file, whole or not at all."""
    options = _options()
    try:
        content = build(
            options.interpreter,
            socket=options.socket,
            pending_deletes=options.pending_deletes,
            timeout=options.timeout,
            status_patience=options.status_patience,
        )
    except BuildError as error:
        sys.exit(f"build.py: {error}")
    output: Path = options.output
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.new")
    temporary.write_bytes(content)
    temporary.chmod(0o755)
    temporary.rename(output)


if __name__ == "__main__":
    main()
