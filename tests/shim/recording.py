"""Records what the plugin sends: `python -m tests.shim.recording VERSION` adds a release to released.json."""

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.shim.conftest import INTERPRETER, ROOT, Listener, Plugin

VERBS = {"ADD": "Add", "DEL": "Del", "CHECK": "Check", "GC": "Gc", "STATUS": "Status"}
"""Verb of CNI -> method of the contract."""
RELEASED = Path(__file__).with_name("released.json")


def record(plugin: Plugin, verb: str) -> bytes:
    """Return the bytes of one call, from the preface of HTTP/2 to the end of the request.

    The peer says nothing until it has all of it, so that no acknowledgement is among them.
    """
    received = bytearray()

    def listen(connection) -> None:
        connection.settimeout(10)
        while not ended(received):
            chunk = connection.recv(65536)
            if not chunk:
                return
            received.extend(chunk)

    listener = Listener(plugin.socket)
    listener.script = listen
    try:
        plugin.run(verb)
    finally:
        listener.close()
        plugin.socket.unlink()
    return bytes(received[: length(received)])


def ended(received: bytearray) -> bool:
    """Say whether a frame with END_STREAM is complete."""
    return bool(length(received))


def length(received: bytearray) -> int:
    """Return how many bytes there are up to the end of the request, 0 while it is not complete."""
    position = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    while position + 9 <= len(received):
        end = position + 9 + int.from_bytes(received[position : position + 3], "big")
        kind, flags = received[position + 3], received[position + 4]
        if end > len(received):
            return 0
        if kind == 0 and flags & 1:
            return end
        position = end
    return 0


def version_of(text: str) -> str:
    """Return the name of a release, three numbers; refuse anything else."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no version; give the release's, like 0.2.0")
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Add the plugin of this checkout to the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.shim.recording", description=main.__doc__)
    parser.add_argument("version", type=version_of, metavar="VERSION", help="the release's version")
    version = parser.parse_args(arguments).version
    releases = json.loads(RELEASED.read_text()) if RELEASED.exists() else {}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "tke-route-eni"
        subprocess.run(
            [INTERPRETER, "-I", "-S", str(ROOT / "cni_plugin/build.py"), "--output", str(file)], check=True
        )
        plugin = Plugin(file, Path(directory))
        releases[version] = {verb: record(plugin, verb).hex() for verb in VERBS}
    RELEASED.write_text(json.dumps(releases, indent=1) + "\n")


if __name__ == "__main__":
    main()
