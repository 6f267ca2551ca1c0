"""`python -m testbed.bench.start_up`: what the CNI plugin's process costs beside a bare interpreter.

Whole processes, from posix_spawn to wait, in interleaved rounds on one machine. The agent is played by the
real gRPC server with an empty handler, so that the plugin's part is seen and not the agent's.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import grpc

from testbed import table

_INTERPRETER = "/usr/bin/python3.11"
_CONFIG = b'{"cniVersion": "1.0.0", "name": "tke-eni", "type": "tke-route-eni"}'
_RESULT = b'{"cniVersion": "1.0.0", "ips": [{"address": "10.0.1.7/32"}]}'


@dataclass(frozen=True, slots=True)
class Program:
    """One contestant, and the milliseconds that its processes took."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    milliseconds: list[float] = field(default_factory=list)

    def run(self, stdin: Path) -> None:
        """Execute once; a failure ends the measurement, because it would measure something else."""
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        ]
        start = time.perf_counter()
        pid = os.posix_spawn(self.command[0], self.command, self.environment, file_actions=actions)
        _, status = os.waitpid(pid, 0)
        self.milliseconds.append((time.perf_counter() - start) * 1000)
        if status:
            raise RuntimeError(f"{self.name}: {' '.join(self.command)} ended with status {status}")


class _Agent(grpc.GenericRpcHandler):
    """Answers every method with the same CniReply."""

    def service(self, _details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        reply = b"\x0a" + bytes((len(_RESULT),)) + _RESULT
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: reply)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; always 0, because times are not assertions."""
    parser = argparse.ArgumentParser(prog="python -m testbed.bench.start_up", description=__doc__)
    parser.add_argument("--plugin", default="build/cni/tke-route-eni", help="built file (%(default)s)")
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        socket, stdin = Path(directory, "ipamd.sock"), Path(directory, "config")
        stdin.write_bytes(_CONFIG)
        server = grpc.server(futures.ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((_Agent(),))
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        programs = _programs(str(Path(options.plugin).absolute()), Path(directory), socket)
        for _ in range(options.rounds):
            for program in programs:
                program.run(stdin)
        server.stop(None).wait()
    rows = [
        [
            program.name,
            f"{median(program.milliseconds):.2f}",
            f"{min(program.milliseconds):.2f}",
            f"{sorted(program.milliseconds)[int(len(program.milliseconds) * 0.95)]:.2f}",
        ]
        for program in programs
    ]
    sys.stdout.write(table.render(["PROCESS", "MEDIAN ms", "MIN ms", "P95 ms"], rows) + "\n")
    return 0


def _programs(plugin: str, directory: Path, socket: Path) -> list[Program]:
    cni = {
        "CNI_CONTAINERID": "c0ffee" * 10,
        "CNI_NETNS": "/run/netns/c0ffee",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0",
        "CNI_PATH": "/opt/cni/bin",
    }
    agent = cni | {"TKE_ENI_SOCKET": str(socket)}
    no_agent = cni | {
        "TKE_ENI_SOCKET": str(directory / "none.sock"),
        "TKE_ENI_PENDING_DELETES": str(directory / "pending"),
    }
    return [
        Program("/bin/true", ["/bin/true"], {}),
        Program("python3.11 -I -S -c pass", [_INTERPRETER, "-I", "-S", "-c", "pass"], {}),
        Program("tke-route-eni VERSION", [plugin], {"CNI_COMMAND": "VERSION"}),
        Program("tke-route-eni ADD", [plugin], agent | {"CNI_COMMAND": "ADD"}),
        Program("tke-route-eni DEL, queued", [plugin], no_agent | {"CNI_COMMAND": "DEL"}),
    ]


if __name__ == "__main__":
    sys.exit(main())
