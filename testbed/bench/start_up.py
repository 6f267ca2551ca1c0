"""`python -m testbed.bench.start_up`: what the CNI plugin's process costs beside a bare interpreter.

Whole processes, from posix_spawn to wait, in interleaved rounds on one machine: wall time, which needs a
quiet one, and CPU time, which does not. The agent is played by a stub that answers at once, so that the
plugin's part is seen and not the agent's.
"""

import argparse
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from testbed import table

NOTHING = "/bin/true"
_INTERPRETER = "/usr/bin/python3.11"
ADD = " ADD"
"""End of the name of a plugin's program that executes ADD."""
_CONFIG = b'{"cniVersion": "1.0.0", "name": "tke-eni", "type": "tke-route-eni"}'
_RESULT = b'{"cniVersion": "1.0.0", "ips": [{"address": "10.0.1.7/32"}]}'
_END_STREAM = 1


@dataclass(frozen=True, slots=True)
class Program:
    """One contestant, and the milliseconds that its processes took, by the wall and of CPU."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, stdin: Path) -> None:
        """Execute once; a failure ends the measurement, because it would measure something else."""
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        ]
        start = time.perf_counter()
        pid = os.posix_spawn(self.command[0], self.command, self.environment, file_actions=actions)
        _, status, used = os.wait4(pid, 0)
        self.wall.append((time.perf_counter() - start) * 1000)
        self.cpu.append((used.ru_utime + used.ru_stime) * 1000)
        if status:
            raise RuntimeError(f"{self.name}: {' '.join(self.command)} ended with status {status}")


class _Agent(threading.Thread):
    """Answers every call with the same CniReply, in one piece; ends when its socket is shut down."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        reply = b"\x0a" + bytes((len(_RESULT),)) + _RESULT
        self._answer = b"".join(
            (
                _frame(4, 0, 0, b""),
                _frame(1, 4, 1, b"\x88\x0f\x10\x10application/grpc"),
                _frame(0, 0, 1, b"\0" + len(reply).to_bytes(4, "big") + reply),
                _frame(1, 4 | _END_STREAM, 1, b"\x00\x0bgrpc-status\x010"),
            )
        )
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                received = b""
                while not received.endswith(_CONFIG):  # the last field of the last frame
                    received += connection.recv(65536)
                connection.sendall(self._answer)
                while connection.recv(65536):  # until the plugin has gone
                    pass

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self._listener.close()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; always 0, because times are not assertions."""
    parser = argparse.ArgumentParser(prog="python -m testbed.bench.start_up", description=__doc__)
    parser.add_argument("--plugin", default="build/cni/tke-route-eni", help="built file (%(default)s)")
    parser.add_argument(
        "--beside", action="append", default=[], metavar="FILE", help="another plugin to compare"
    )
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args(arguments)
    programs = compared([Path(options.plugin), *map(Path, options.beside)], rounds=options.rounds)
    header = ["PROCESS", "WALL MEDIAN ms", "WALL MIN ms", "CPU MEDIAN ms", "CPU MIN ms"]
    rows = [
        [program.name, *(f"{of(times):.2f}" for times in (program.wall, program.cpu) for of in (median, min))]
        for program in programs
    ]
    sys.stdout.write(table.render(header, rows) + "\n")
    return 0


def compared(plugins: Sequence[Path], *, rounds: int) -> list[Program]:
    """Return what the processes took of each plugin, and of programs that do nothing, in interleaved rounds.

    Raises: RuntimeError when one of them fails.
    """
    with tempfile.TemporaryDirectory() as directory:
        stdin = Path(directory, "config")
        stdin.write_bytes(_CONFIG)
        programs = [
            Program(NOTHING, ["/bin/true"], {}),
            Program("python3.11 -I -S -c pass", [_INTERPRETER, "-I", "-S", "-c", "pass"], {}),
        ]
        for plugin in plugins:
            programs += _verbs(plugin.absolute(), Path(directory))
        agent = _Agent(Path(directory, "ipamd.sock"))
        agent.start()
        try:
            for _ in range(rounds):
                for program in programs:
                    program.run(stdin)
        finally:
            agent.close()
    return programs


def _verbs(plugin: Path, directory: Path) -> list[Program]:
    cni = {
        "CNI_CONTAINERID": "c0ffee" * 10,
        "CNI_NETNS": "/run/netns/c0ffee",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0",
        "CNI_PATH": "/opt/cni/bin",
    }
    agent = cni | {"TKE_ENI_SOCKET": str(directory / "ipamd.sock")}
    no_agent = cni | {
        "TKE_ENI_SOCKET": str(directory / "none.sock"),
        "TKE_ENI_PENDING_DELETES": str(directory / "pending"),
    }
    return [
        Program(f"{plugin.name} VERSION", [str(plugin)], {"CNI_COMMAND": "VERSION"}),
        Program(f"{plugin.name}{ADD}", [str(plugin)], agent | {"CNI_COMMAND": "ADD"}),
        Program(f"{plugin.name} DEL, queued", [str(plugin)], no_agent | {"CNI_COMMAND": "DEL"}),
    ]


if __name__ == "__main__":
    sys.exit(main())
