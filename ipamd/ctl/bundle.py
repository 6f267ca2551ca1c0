"""`ipamctl bundle`: everything about this node that whoever helps will ask for, in one file, without secrets.

Each part stands for itself: one that cannot be had (no agent, no `ip` in the container) is replaced by the
reason. Parts are bounded in size, and every one passes `ipamd.core.redaction`.
"""

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc

import ipamd
from ipamd.core import redaction
from ipamd.ctl import agent_calls, node, plain
from ipamd.rpc import maintenance_pb2 as messages
from ipamd.rpc.maintenance_pb2_grpc import MaintenanceStub

_HELP: Final = "collect state, kernel and log of this node into one file for a support case; without secrets"
_LARGEST: Final = 4 << 20
"""Bytes of a part; of a log its end."""
_SECONDS: Final = 30.0
_LOGS: Final = "/var/log/pods/kube-system_tke-eni-agent-*/*/*.log"
_COMMANDS: Final[Mapping[str, str]] = {
    "ip-address.txt": "ip -d address",
    "ip-rule.txt": "ip rule",
    "ip-route.txt": "ip route show table all",
    "ip-neigh.txt": "ip neigh",
    "nft.txt": "nft list table ip tke_eni",
    "nft-tables.txt": "nft list tables",
    "sysctl.txt": "sysctl net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv4.conf.default.rp_filter",
}
_SECRETS: Final = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY")


def add_command(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the command."""
    added = commands.add_parser("bundle", help=_HELP, description=_HELP)
    added.add_argument("--file", default="", help="where to write it (default: tke-eni-<node>-<time>.tar.gz)")
    added.add_argument(
        "--log", action="append", default=[], metavar="GLOB", help=f"log files of the agent ({_LOGS})"
    )
    added.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = Path(options.file or f"tke-eni-{platform.node()}-{stamp}.tar.gz")
    known = [os.environ.get(name, "") for name in _SECRETS]
    try:
        # Others on the machine need not read what is in it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            for name, text in _parts(options):
                _add(archive, f"{path.name.removesuffix('.tar.gz')}/{name}", redaction.redacted(text, known))
    except OSError as e:
        print(f"ipamctl: the bundle {path} cannot be written: {e.strerror}", file=sys.stderr)
        return 1
    print(f"{path}: look through it before you give it away; secrets that were known are taken out")
    return 0


def _parts(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    yield "versions.json", json.dumps(_versions(), indent=1)
    for name, command in node.COMMANDS.items():
        yield (
            f"{name}.json",
            _asked(options, partial(node.ask, command=command, seconds=_SECONDS)),
        )
    yield "check.json", _asked(options, _check)
    yield from _kernel(options)
    for name, line in _COMMANDS.items():
        yield name, _printed(line)
    yield from _logs(options.log or [_LOGS])


def _versions() -> dict[str, str]:
    return {
        "tke-eni": ipamd.__version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "node": platform.node(),
    }


def _asked(options: argparse.Namespace, call: Callable[[grpc.Channel], Any]) -> str:
    try:
        return json.dumps(plain.from_message(agent_calls.ask(options.socket, call)), indent=1)
    except grpc.RpcError as error:
        return agent_calls.explanation(options.socket, error)


def _check(channel: grpc.Channel) -> messages.Findings:
    return MaintenanceStub(channel).Check(messages.CheckRequest(), timeout=_SECONDS)


def _kernel(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield what the agent sees of ours in the kernel: its container has no programs that could show it."""

    def dump(channel: grpc.Channel) -> messages.KernelDump:
        return MaintenanceStub(channel).DumpKernel(messages.DumpKernelRequest(), timeout=_SECONDS)

    try:
        dumped = agent_calls.ask(options.socket, dump)
    except grpc.RpcError as error:
        yield "kernel.json", agent_calls.explanation(options.socket, error)
        return
    yield "kernel.json", dumped.snapshot
    yield "nft.json", dumped.nft


def _printed(line: str) -> str:
    """Return what a command prints, or why it does not."""
    try:
        done = subprocess.run(
            line.split(), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"{line}: {e}\n"
    return _end_of((done.stdout + done.stderr).decode(errors="replace"))


def _logs(patterns: list[str]) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        root = Path(pattern).anchor or "."
        for number, file in enumerate(sorted(Path(root).glob(pattern.removeprefix(root)))):
            name = f"log/{number}-{file.name}"
            try:
                with file.open("rb") as log:
                    log.seek(max(0, file.stat().st_size - _LARGEST))
                    yield name, log.read(_LARGEST).decode(errors="replace")
            except OSError as e:
                yield name, f"{file}: {e}\n"


def _end_of(text: str) -> str:
    return text if len(text) <= _LARGEST else "...\n" + text[-_LARGEST:]


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
    archive.addfile(entry, io.BytesIO(content))
