"""`ipamctl bundle`: everything about this node that whoever helps will ask for, in one file, without secrets.

Each part stands for itself: one that cannot be had (no agent, no `ip` in the container) is replaced by the
reason. Parts are bounded in size, and every one passes `ipamd.core.text.redaction`. In the agent's
container nothing but the state directory can be written, so the file is made there, or goes to standard
output for `kubectl exec`.
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
from typing import IO, Any, Final

import grpc

import ipamd
from ipamd.core import places
from ipamd.core.text import redaction
from ipamd.ctl import agent_calls, command_line, node, plain
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
    "nft-ip6.txt": "nft list table ip6 tke_eni",
    "nft-tables.txt": "nft list tables",
    "sysctl.txt": "sysctl net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv4.conf.default.rp_filter",
}
_CNI_CONF_DIR: Final = "/etc/cni/net.d"
_CNI_SUFFIXES: Final = (".conf", ".conflist", ".json", ".damaged")
"""What runtimes read, and what the agent has put aside; other programs' kubeconfigs lie there too."""
_DIRECTORY: Final = Path(places.STATE_DIRECTORY)
"""Where a bundle goes without --file: the agent's state directory, the one place it may write to."""
_STDOUT: Final = "-"
_ADVICE: Final = "look through it before you give it away; secrets that were known are taken out"
_SECRETS: Final = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY")


def add_command(commands: "command_line.Subparsers") -> None:
    """Add the command."""
    added = command_line.add(commands, "bundle", _HELP, _run, shows=False)
    added.add_argument(
        "--file",
        default="",
        help=f"where to write it, - for standard output (default: {_DIRECTORY}/tke-eni-<node>-<time>.tar.gz)",
    )
    added.add_argument(
        "--log",
        action="append",
        default=[],
        metavar="GLOB",
        help=f"log files of the agent (default: {_LOGS})",
    )
    added.add_argument(
        "--cni-conf-dir",
        type=Path,
        default=Path(_CNI_CONF_DIR),
        metavar="DIR",
        help="network configurations of the runtime (default: %(default)s)",
    )


def _run(options: argparse.Namespace) -> int:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    name = f"tke-eni-{platform.node()}-{stamp}.tar.gz"
    if options.file == _STDOUT:
        return _to_stdout(options, name)
    path = Path(options.file) if options.file else _DIRECTORY / name
    try:
        # Others on the machine need not read what is in it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            _write(options, file, path.name)
    except OSError as e:
        print(
            f"ipamctl: the bundle {path} cannot be written: {e.strerror}; give another place with "
            "--file PATH, or --file - for standard output",
            file=sys.stderr,
        )
        return 1
    print(f"{path}: {_ADVICE}")
    return 0


def _to_stdout(options: argparse.Namespace, name: str) -> int:
    if sys.stdout.isatty():
        print("ipamctl: the bundle is no text: send it to a file with > bundle.tar.gz", file=sys.stderr)
        return 1
    try:
        _write(options, sys.stdout.buffer, name)
        sys.stdout.buffer.flush()
    except OSError as e:
        print(f"ipamctl: the bundle cannot be written to standard output: {e.strerror}", file=sys.stderr)
        return 1
    print(f"ipamctl: {_ADVICE}", file=sys.stderr)
    return 0


def _write(options: argparse.Namespace, file: IO[bytes], name: str) -> None:
    known = [os.environ.get(secret, "") for secret in _SECRETS]
    with tarfile.open(fileobj=file, mode="w|gz") as archive:
        for part, text in _parts(options):
            _add(archive, f"{name.removesuffix('.tar.gz')}/{part}", redaction.redacted(text, known))


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
    yield from _configurations(options.cni_conf_dir)
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
    yield "nft-ip6.json", dumped.nft_ip6


def _printed(line: str) -> str:
    """Return what a command prints, or why it does not."""
    try:
        done = subprocess.run(
            line.split(), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"{line}: {e}\n"
    return _end_of((done.stdout + done.stderr).decode(errors="replace"))


def _configurations(directory: Path) -> Iterator[tuple[str, str]]:
    """Yield the names of all that lies in the directory, and the network configurations."""
    try:
        found = sorted(directory.iterdir())
    except OSError as e:
        yield "cni/files.txt", f"{directory}: {e.strerror}\n"
        return
    yield "cni/files.txt", "".join(f"{path}\n" for path in found)
    for path in found:
        if path.suffix in _CNI_SUFFIXES and path.is_file():
            yield f"cni/{path.name}", _read_end(path)


def _logs(patterns: list[str]) -> Iterator[tuple[str, str]]:
    for index, pattern in enumerate(patterns):
        root = Path(pattern).anchor or "."
        files = sorted(Path(root).glob(pattern.removeprefix(root)))
        if not files:
            missing = (
                f"no file matches {pattern}: where it is run, the node's logs may not be mounted; add what "
                "kubectl -n kube-system logs <pod of tke-eni-agent> prints, or name files with --log\n"
            )
            yield f"log/none-{index}.txt", missing
        for number, file in enumerate(files):
            yield f"log/{number}-{file.name}", _read_end(file)


def _read_end(file: Path) -> str:
    """Return the end of a file, or why it cannot be read."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - _LARGEST))
            return opened.read(_LARGEST).decode(errors="replace")
    except OSError as e:
        return f"{file}: {e}\n"


def _end_of(text: str) -> str:
    return text if len(text) <= _LARGEST else "...\n" + text[-_LARGEST:]


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
    archive.addfile(entry, io.BytesIO(content))
