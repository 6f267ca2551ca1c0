"""`ipamctl connectivity`: connections from and to Pods of this node, tried from inside their namespaces.

Beside each stands what `ipamctl trace` expects, so a leg that fails names what is in its way. It runs in this
process, which ends with it: the agent enters no Pod for it, and nothing of the kernel is changed.
"""

import argparse
import os
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import grpc

from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.ctl import agent_calls, command_line, completion, legs, node, output, plain
from ipamd.ctl.choice import Choice, object_keys
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.legs import Leg, LegKind, LegOutcome, LegResult, PodPlace
from ipamd.ctl.shape import Block, Column, Line, Plain, Shape, Table
from ipamd.net import pod_sockets
from ipamd.net.pod_sockets import EchoUrl, PlaceError, Reached, SocketPlace
from ipamd.rpc import diagnosis_pb2 as messages
from ipamd.rpc.diagnosis_pb2_grpc import DiagnosisStub

_HELP: Final = "try connections of Pods of this node to each other, the node, a Service and the internet"
_INTERNET: Final = "mirrors.tencent.com:443"
_TRACE_SECONDS: Final = 15.0
"""A listing of nftables with tens of thousands of rules takes a while."""
_AT_ONCE: Final = 8
_NAMED: Final = 2
"""Legs that a message names; the table has them all."""
_HERE: Final = SocketPlace()
_PORTS: Final = {"http": 80, "https": 443}
_LARGEST_PORT: Final = 65535


class NothingTriedError(IpamError):
    """No connection was tried, so nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """A server outside of the node that Pods are to reach."""

    text: str
    """As the operator has named it."""
    host: str
    port: int
    echo: EchoUrl | None = None


def add_command(commands: "command_line.Subparsers") -> None:
    """Add the command."""
    added = command_line.add(commands, "connectivity", _HELP, _run, repeats=True)
    pods = added.add_argument(
        "names", nargs="*", metavar="POD", help="NAME or NAMESPACE/NAME (default: two, one with EIP)"
    )
    completion.complete(pods, node.pods_known)
    added.add_argument(
        "--to",
        metavar="HOST:PORT",
        help=f"a TCP server in the internet, '' for none (default: {_INTERNET}, or none with --echo)",
    )
    added.add_argument(
        "--echo", metavar="URL", help="a site that answers with the caller's address (default: none)"
    )
    added.add_argument(
        "--service",
        metavar="HOST:PORT",
        help="a Service (default: kubernetes, from the environment of the agent's container)",
    )


def _run(options: argparse.Namespace) -> int:
    internet, service = _internet(options), _service(options.service)
    try:
        with grpc.insecure_channel(f"unix:{options.socket}") as channel:
            known = plain.from_message(node.ask(channel, node.COMMANDS["pods"], options.timeout))["pods"]
            pods = _chosen(known, options)
            tried = list(_plan(pods, [entry["hostInterface"] for entry in known], service, internet))
            traces = _traces(DiagnosisStub(channel), tried, max(options.timeout, _TRACE_SECONDS))
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    trial = _Trial(options.timeout, {server.text: server for server in (*internet, service) if server})
    report = messages.ConnectivityReport(
        legs=[legs.judged(leg, outcome, traces) for leg, outcome in zip(tried, trial.run(tried), strict=True)]
    )
    output.show(options, plain.from_message(report), _SHAPE)
    return _ended(report)


def _ended(report: messages.ConnectivityReport) -> int:
    results = {leg.result for leg in report.legs}
    if results == {LegResult.SKIPPED}:
        return ExitCode.FAILED
    return ExitCode.PROBLEM if LegResult.FAILED in results else ExitCode.OK


def _chosen(known: list[Plain], options: argparse.Namespace) -> list[PodPlace]:
    """Return the Pods that the command line names, else two. Raises: NothingTriedError; NoSuchEntryError."""
    entries = Choice(options.namespace, options.names).of([dict(one) for one in known], object_keys, "Pod")
    pods = [legs.pod_of(entry) for entry in entries]
    if not pods:
        raise NothingTriedError(
            "no Pod of this node has an address, so no connection can be tried",
            advice="start one here, or use `kubectl eni connectivity`, which makes Pods of its own",
        )
    return pods if options.names else legs.some_of(pods)


def _plan(
    pods: Sequence[PodPlace], links: Sequence[str], service: _Server | None, internet: Sequence[_Server]
) -> Iterator[Leg]:
    yield from legs.between_pods(pods)
    for pod in pods:
        yield from legs.with_node(pod, *_node_side(pod, links))
    for pod in pods:
        if service is None:
            skipped = "the Service kubernetes is not known here: KUBERNETES_SERVICE_HOST is not set"
            advice = "give --service CLUSTER-IP:443, or run ipamctl in the agent's container"
            yield legs.to_server(LegKind.POD_TO_SERVICE, pod, "Service kubernetes", "", skipped, advice)
        else:
            yield legs.to_server(LegKind.POD_TO_SERVICE, pod, service.text, *_resolved(service.host))
    for server in internet:
        resolved = _resolved(server.host)
        for pod in pods:
            yield legs.to_server(LegKind.POD_TO_INTERNET, pod, server.text, *resolved)
    yield from (legs.inbound(pod) for pod in pods if pod.eip)


def _node_side(pod: PodPlace, links: Sequence[str]) -> tuple[str, str, str]:
    """Return the node's address for a Pod, or why it is not known, and what to do."""
    advice = "run ipamctl in the agent's container, or on the node itself; else `ipamctl check`"
    here = {name for _, name in socket.if_nameindex()}
    if here.isdisjoint(links):
        return "", "ipamctl does not run in the node's network namespace: no link of a Pod is here", advice
    try:
        return pod_sockets.local_address(_HERE, pod.ip), "", ""
    except OSError as e:
        return "", f"the node has no address towards {pod.ip}: {_said(e, 0)}", "`ipamctl check`"


def _resolved(host: str) -> tuple[str, str, str]:
    """Return the address of a host, or why it is not known, and what to do."""
    try:
        found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as e:
        return "", f"the node does not resolve {host}: {_said(e, 0)}", "give an address instead of the name"
    return str(found[0][4][0]), "", ""


def _traces(
    stub: DiagnosisStub, tried: Sequence[Leg], seconds: float
) -> dict[tuple[str, str], messages.TraceReply]:
    """Ask which way each Pod's packets go; what the agent cannot say is left out. Raises: grpc.RpcError."""
    found: dict[tuple[str, str], messages.TraceReply] = {}
    for leg in tried:
        asked = leg.pod.full_name, leg.traced_to
        if leg.skipped or not leg.traced_to or asked in found:
            continue
        request = messages.TraceRequest(
            namespace=leg.pod.namespace, name=leg.pod.name, destination=leg.traced_to
        )
        try:
            found[asked] = stub.Trace(request, timeout=seconds)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise
    return found


class _Trial:
    """Tries legs, some at a time."""

    def __init__(self, seconds: float, servers: dict[str, _Server]) -> None:
        self._seconds = seconds
        self._servers = servers

    def run(self, tried: Sequence[Leg]) -> list[LegOutcome]:
        """Return what became of each, in order."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="leg") as threads:
            return list(threads.map(self._one, tried))

    def _one(self, leg: Leg) -> LegOutcome:
        if leg.skipped:
            return LegOutcome(skipped=leg.skipped, advice=leg.advice)
        try:
            reached = self._connect(leg)
        except PlaceError as e:
            return LegOutcome(skipped=e.message, advice=e.advice)
        except OSError as e:
            return LegOutcome(failure=_said(e, self._seconds))
        return LegOutcome(milliseconds=reached.milliseconds, seen_source=reached.seen_source)

    def _connect(self, leg: Leg) -> Reached:
        inside = SocketPlace(leg.pod.netns)
        if leg.kind is LegKind.POD_TO_POD and leg.peer:
            return pod_sockets.to_listener(inside, SocketPlace(leg.peer.netns), leg.address, self._seconds)
        if leg.kind is LegKind.POD_TO_NODE:
            return pod_sockets.to_listener(inside, _HERE, leg.address, self._seconds)
        if leg.kind is LegKind.NODE_TO_POD:
            return pod_sockets.to_listener(_HERE, inside, leg.address, self._seconds)
        server = self._servers[leg.target]
        if server.echo is not None:
            return pod_sockets.to_echo(inside, leg.address, server.echo, self._seconds)
        return pod_sockets.to_server(inside, leg.address, server.port, self._seconds)


def _said(error: OSError, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    return (error.strerror or str(error) or type(error).__name__).lower()


def _internet(options: argparse.Namespace) -> list[_Server]:
    """Return what of the internet is to be asked. Raises: InvalidInputError."""
    servers = [_echo(options.echo)] if options.echo else []
    to = options.to if options.to is not None else "" if options.echo else _INTERNET
    return [*servers, *([_server("--to", to)] if to else [])]


def _service(given: str | None) -> _Server | None:
    """Return the Service that is asked. Raises: InvalidInputError."""
    if given:
        return _server("--service", given)
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{name}", "") for name in ("HOST", "PORT"))
    return _server("--service", f"{host}:{port or _PORTS['https']}") if host else None


def _server(flag: str, text: str) -> _Server:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= _LARGEST_PORT:
        raise InvalidInputError(f"{flag} is {text!r}", advice=f"give HOST:PORT, for example {_INTERNET}")
    return _Server(text=text, host=host, port=int(port))


def _echo(text: str) -> _Server:
    try:
        url = urlsplit(text)
        port = url.port or _PORTS[url.scheme]
    except (KeyError, ValueError):
        url, port = urlsplit(""), 0
    if not url.hostname or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidInputError(
            f"--echo is {text!r}", advice="give a URL of http or https, for example https://ifconfig.me/ip"
        )
    path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    echo = EchoUrl(tls=url.scheme == "https", host=url.hostname, port=port, path=path)
    return _Server(text=text, host=url.hostname, port=port, echo=echo)


def _blocks(answer: Plain, _: float) -> Sequence[Block]:
    columns = (
        Column("FROM", lambda leg: leg["source"]),
        Column("TO", lambda leg: leg["target"]),
        Column("KIND", lambda leg: leg["kind"], wide=True),
        Column("ADDRESS", lambda leg: leg["address"], wide=True),
        Column("RESULT", lambda leg: leg["result"]),
        Column("TOOK", lambda leg: _took(leg["milliseconds"])),
        Column("SEEN-AS", lambda leg: leg["seenSource"]),
        Column("EXPECTED", lambda leg: leg["expected"], wide=True),
    )
    return [
        Table(columns, answer["legs"], empty="nothing was tried"),
        *_messages(answer["legs"], LegResult.FAILED),
        *_messages(answer["legs"], LegResult.SKIPPED),
    ]


def _took(milliseconds: float) -> str:
    return f"{milliseconds:.2f}ms" if milliseconds else ""


def _messages(told: Sequence[Plain], result: LegResult) -> Iterator[Line]:
    """One line for each cause, with the next step of the first leg that it broke."""
    by_cause: dict[str, list[Plain]] = {}
    for leg in told:
        if leg["result"] == result:
            by_cause.setdefault(leg["why"], []).append(leg)
    for why, alike in by_cause.items():
        ways = ", ".join(f"{leg['source']} to {leg['target']}" for leg in alike[:_NAMED])
        more = f" and {len(alike) - _NAMED} more" if len(alike) > _NAMED else ""
        yield Line(result.upper(), f"{ways}{more}: {why}; {alike[0]['nextStep']}")


def _names(answer: Plain) -> list[str]:
    """Return the Pods that have a leg which failed."""
    failed = [leg for leg in answer["legs"] if leg["result"] == LegResult.FAILED]
    inbound = (LegKind.NODE_TO_POD, LegKind.INTERNET_TO_POD)
    return list(dict.fromkeys(leg["target" if leg["kind"] in inbound else "source"] for leg in failed))


_SHAPE: Final = Shape(_blocks, _names)
