"""The parts of a bundle that a node has: what its agent answers, its kernel, its configurations and logs.

One that cannot be had is replaced by the reason: a bundle is made where things do not work.
"""

import json
import platform
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import grpc
from google.protobuf.message import Message

import ipamd
from ipamd.core.errors import IpamError, KernelError
from ipamd.core.timing.deadline import Deadline
from ipamd.ctl import agent_calls, archive, node, plain
from ipamd.rpc import maintenance_pb2 as messages
from ipamd.rpc.maintenance_pb2_grpc import MaintenanceStub

_Answer = TypeVar("_Answer")
_COMMAND_SECONDS: Final = 3.0
_PAGE_SECONDS: Final = 3.0
_LEAST_SECONDS: Final = 0.2
"""What each has, whoever took all the time before it."""
_COMMANDS: Final[Mapping[str, str]] = {
    "ip-address.txt": "ip -d address",
    "ip-rule.txt": "ip rule",
    "ip-route.txt": "ip route show table all",
    "ip-neigh.txt": "ip neigh",
    "nft.txt": "nft list table ip tke_eni",
    "nft-ip6.txt": "nft list table ip6 tke_eni",
    "nft-tables.txt": "nft list tables",
    "nft-ruleset.txt": "list_ruleset",
    "iptables-nft.txt": "iptables-nft-save",
    "iptables-legacy.txt": "iptables-legacy-save",
    "sysctl.txt": "sysctl net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv4.conf.default.rp_filter",
}
_TABLES: Final = (Path("/proc/net/ip_tables_names"), Path("/proc/net/ip_tables_targets"))
"""Which tables of the older iptables there are, also where no program could list them."""
_CNI_SUFFIXES: Final = (".conf", ".conflist", ".json", ".damaged")
"""What runtimes read, and what the agent has put aside; other programs' kubeconfigs lie there too."""


def versions() -> str:
    """Return what runs here."""
    found = {
        "tke-eni": ipamd.__version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "node": platform.node(),
    }
    return json.dumps(found, indent=1)


class UnansweredError(IpamError):
    """The agent has not answered, or is not asked any more."""


class AskedAgent:
    """The agent of this node, which is asked no more after it has once not answered in time.

    Invariant: `_silent` says why it is not asked any more.
    """

    def __init__(self, socket: str, *, seconds: float, deadline: Deadline) -> None:
        """Take where it is, the seconds for one answer, and when all of them have to be there."""
        self._socket = socket
        self._seconds = seconds
        self._deadline = deadline
        self._silent = ""

    def ask(self, call: Callable[[grpc.Channel, float], _Answer]) -> _Answer:
        """Return an answer. Raises: UnansweredError."""
        if self._silent or self._deadline.expired:
            raise UnansweredError(f"not asked: {self._silent or 'all answers together took too long'}")
        seconds = self._deadline.cap(self._seconds)
        try:
            return agent_calls.ask(self._socket, lambda channel: call(channel, seconds))
        except grpc.RpcError as error:
            explanation = agent_calls.explanation(self._socket, error)
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                self._silent = explanation
            raise UnansweredError(explanation) from error


def answers(agent: AskedAgent) -> Iterator[tuple[str, str]]:
    """Yield what the agent says of itself."""
    for name, command in node.COMMANDS.items():
        yield f"{name}.json", _asked(agent, partial(_shown, command))
    yield "check.json", _asked(agent, _check)


def kernel(agent: AskedAgent) -> Iterator[tuple[str, str]]:
    """Yield what the agent sees of ours in the kernel: its container has no programs that could show it."""

    def dump(channel: grpc.Channel, seconds: float) -> messages.KernelDump:
        return MaintenanceStub(channel).DumpKernel(messages.DumpKernelRequest(), timeout=seconds)

    try:
        dumped = agent.ask(dump)
    except UnansweredError as error:
        yield "kernel.json", f"{error}\n"
        return
    yield "kernel.json", dumped.snapshot
    yield "nft.json", dumped.nft
    yield "nft-ip6.json", dumped.nft_ip6


def commands(deadline: Deadline) -> Iterator[tuple[str, str]]:
    """Yield what the node's own programs print."""
    for name, line in _COMMANDS.items():
        yield name, printed(line.split(), deadline)


def printed(argv: Sequence[str], deadline: Deadline) -> str:
    """Return what a command prints, or why it does not."""
    seconds = max(_LEAST_SECONDS, deadline.cap(_COMMAND_SECONDS))
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"{' '.join(argv)}: {e}\n"
    return archive.cut((done.stdout + done.stderr).decode(errors="replace"))


def foreign_tables() -> Iterator[tuple[str, str]]:
    """Yield the tables of all programs, by the library that the agent's image has instead of programs."""
    yield "nft-ruleset.json", _ruleset()
    yield "iptables-legacy-tables.txt", "".join(f"{path}:\n{read_end(path)}\n" for path in _TABLES)


def configurations(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield the names of all that lies in the directory, and the network configurations."""
    try:
        found = sorted(directory.iterdir())
    except OSError as e:
        yield "cni/files.txt", f"{directory}: {e.strerror}\n"
        return
    yield "cni/files.txt", "".join(f"{path}\n" for path in found)
    for path in found:
        if path.suffix in _CNI_SUFFIXES and path.is_file():
            yield f"cni/{path.name}", read_end(path)


def logs(patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the ends of the files that match."""
    for index, pattern in enumerate(patterns):
        root = Path(pattern).anchor or "."
        files = sorted(Path(root).glob(pattern.removeprefix(root)))
        if not files:
            missing = (
                f"no file matches {pattern}: where it is run, the node's logs may not be mounted; add what "
                "kubectl -n kube-system logs <pod> prints, name files with --log, or use kubectl eni bundle\n"
            )
            yield f"log/none-{index}.txt", missing
        for number, file in enumerate(files):
            yield f"log/{index}-{number}-{file.name}", read_end(file)


def page(url: str, deadline: Deadline) -> str:
    """Return what is served there, or why it is not."""
    seconds = max(_LEAST_SECONDS, deadline.cap(_PAGE_SECONDS))
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310 - an operator's flag
            return str(answer.read(archive.LARGEST).decode(errors="replace"))
    except (OSError, ValueError) as e:
        return f"{url}: {e}; metrics are served with --metrics-address only (docs/metrics.md)\n"


def read_end(file: Path) -> str:
    """Return the end of a file, or why it cannot be read."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - archive.LARGEST))
            return opened.read(archive.LARGEST).decode(errors="replace")
    except OSError as e:
        return f"{file}: {e}\n"


def _asked(agent: AskedAgent, call: Callable[[grpc.Channel, float], Message]) -> str:
    try:
        return json.dumps(plain.from_message(agent.ask(call)), indent=1)
    except UnansweredError as error:
        return f"{error}\n"


def _shown(command: node.Command, channel: grpc.Channel, seconds: float) -> Message:
    return node.ask(channel, command, seconds)


def _check(channel: grpc.Channel, seconds: float) -> messages.Findings:
    return MaintenanceStub(channel).Check(messages.CheckRequest(), timeout=seconds)


def _ruleset() -> str:
    from ipamd.net import libnftables  # noqa: PLC0415 - loads the library

    try:
        found = libnftables.run([{"list": {"ruleset": None}}], "list all tables", "list_ruleset")
    except KernelError as e:
        return f"{e}\n"
    return archive.cut(json.dumps(found))
