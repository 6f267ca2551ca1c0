"""Legs of `ipamctl connectivity`: what is tried, and what comes of it beside what the trace says. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ipamd.rpc.diagnosis_pb2 import ConnectivityLeg, TraceReply

NODE: Final = "node"
OUTSIDE: Final = "internet"
_BOUND: Final = "bound"
_NOBODY: Final = "nobody"
"""Whom a trace sees where the packet does not arrive."""
_TELLING: Final = ("eip", "pod")
"""Whom a trace sees where it also knows the address for certain."""


class LegKind(StrEnum):
    """From what to what."""

    POD_TO_POD = "pod-to-pod"
    POD_TO_NODE = "pod-to-node"
    NODE_TO_POD = "node-to-pod"
    POD_TO_SERVICE = "pod-to-service"
    POD_TO_INTERNET = "pod-to-internet"
    INTERNET_TO_POD = "internet-to-pod"


class LegResult(StrEnum):
    """What became of a leg."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """A Pod of the node, as the agent tells of it."""

    namespace: str
    name: str
    ip: str
    netns: str
    host_interface: str
    eip: str
    """Public address of its EIP, empty if none is bound."""

    @property
    def full_name(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One connection that is to be tried."""

    kind: LegKind
    source: str
    target: str
    pod: PodPlace
    """The Pod of the leg: its source, or its target where the source is the node or the outside."""
    peer: PodPlace | None = None
    """The other Pod."""
    address: str = ""
    """The IPv4 address that is connected to; empty when it is not known."""
    skipped: str = ""
    """Why it is not tried; empty if it is."""
    advice: str = ""
    """What to do about that."""
    answers_to: str = ""
    """Of a leg into the Pod, whither the Pod's answers go."""

    @property
    def traced_to(self) -> str:
        """Whither the Pod's packets of this leg go; empty when that is not known."""
        return self.answers_to or ("" if self.kind is LegKind.INTERNET_TO_POD else self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegOutcome:
    """What became of the attempt."""

    milliseconds: float = 0.0
    seen_source: str = ""
    failure: str = ""
    """Why there is no connection; empty if there was one."""
    skipped: str = ""
    """Why it was not tried; empty if it was."""
    advice: str = ""
    """What to do about that."""


def pod_of(entry: Mapping[str, Any]) -> PodPlace:
    """Return a Pod of the answer of `ipamctl pods`."""
    return PodPlace(
        namespace=entry["namespace"],
        name=entry["name"],
        ip=entry["privateIp"],
        netns=entry["netns"],
        host_interface=entry["hostInterface"],
        eip=entry["publicIp"] if entry["eipState"] == _BOUND else "",
    )


def some_of(pods: Sequence[PodPlace]) -> list[PodPlace]:
    """Return two Pods, one with EIP and one without if there are such: these take different ways."""
    within = [pod for pod in pods if pod.netns]
    first = [pod for pod in within if pod.eip][:1]
    others = [pod for pod in within if not pod.eip] + [pod for pod in within if pod.eip][1:]
    return [*first, *others][:2] or list(pods[:2])


def between_pods(pods: Sequence[PodPlace]) -> Iterator[Leg]:
    """Each Pod to each other one."""
    for source in pods:
        for target in pods:
            if source is not target:
                yield Leg(
                    kind=LegKind.POD_TO_POD,
                    source=source.full_name,
                    target=target.full_name,
                    pod=source,
                    peer=target,
                    address=target.ip,
                    skipped=_unknown_namespace(source) or _unknown_namespace(target),
                )
    if len(pods) == 1:
        (only,) = pods
        yield Leg(
            kind=LegKind.POD_TO_POD,
            source=only.full_name,
            target="another Pod",
            pod=only,
            skipped="only one Pod is tried",
            advice="name two Pods of this node",
        )


def with_node(pod: PodPlace, node_ip: str, skipped: str, advice: str) -> Iterator[Leg]:
    """A Pod to its node, and the node to the Pod, as the kubelet's probes go.

    node_ip: the address with which the node speaks to the Pod.
    """
    unknown = _unknown_namespace(pod)
    yield Leg(
        kind=LegKind.POD_TO_NODE,
        source=pod.full_name,
        target=NODE,
        pod=pod,
        address=node_ip,
        skipped=skipped or unknown,
        advice=advice,
    )
    yield Leg(
        kind=LegKind.NODE_TO_POD,
        source=NODE,
        target=pod.full_name,
        pod=pod,
        address=pod.ip,
        skipped=skipped or unknown,
        advice=advice,
        answers_to=node_ip,
    )


def to_server(kind: LegKind, pod: PodPlace, target: str, address: str, skipped: str, advice: str) -> Leg:
    """A Pod to a server that somebody else runs."""
    return Leg(
        kind=kind,
        source=pod.full_name,
        target=target,
        pod=pod,
        address=address,
        skipped=skipped or _unknown_namespace(pod),
        advice=advice,
    )


def inbound(pod: PodPlace) -> Leg:
    """The outside to an EIP: a node cannot stand outside."""
    return Leg(
        kind=LegKind.INTERNET_TO_POD,
        source=OUTSIDE,
        target=pod.full_name,
        pod=pod,
        address=pod.eip,
        skipped="only somebody outside of the VPC can try it",
        advice=f"from there, with a server in the Pod: curl -v telnet://{pod.eip}:PORT",
    )


Traces = Mapping[tuple[str, str], TraceReply]
"""What is known of the ways of Pods, by full name and destination."""


def judged(leg: Leg, outcome: LegOutcome, traces: Traces) -> ConnectivityLeg:
    """Return a leg as it is told."""
    trace = _telling(leg, traces.get((leg.pod.full_name, leg.traced_to)))
    back = traces.get((leg.peer.full_name, leg.pod.ip)) if leg.peer else None
    why, advice = _why(leg, outcome, trace, back)
    return ConnectivityLeg(
        kind=leg.kind,
        source=leg.source,
        target=leg.target,
        address=leg.address,
        result=LegResult.SKIPPED if outcome.skipped else LegResult.FAILED if why else LegResult.OK,
        milliseconds=round(outcome.milliseconds, 2),
        seen_source=outcome.seen_source,
        expected=trace.verdict if trace else "",
        why=why,
        next_step=advice,
    )


def _telling(leg: Leg, trace: TraceReply | None) -> TraceReply | None:
    """Return a trace that says something of the leg: it knows no ports, so of a Service no backend."""
    if trace is None or leg.kind is not LegKind.POD_TO_SERVICE or trace.seen_as in (_NOBODY, "pod"):
        return trace
    return None


def _why(leg: Leg, outcome: LegOutcome, trace: TraceReply | None, back: TraceReply | None) -> tuple[str, str]:
    if outcome.skipped:
        return outcome.skipped, outcome.advice or "`ipamctl check` says more of the node"
    if outcome.failure:
        return _unreached(leg, outcome.failure, trace, back)
    return _mistaken(leg, outcome.seen_source, trace)


def _unreached(leg: Leg, failure: str, trace: TraceReply | None, back: TraceReply | None) -> tuple[str, str]:
    shown = f"`ipamctl trace {leg.pod.full_name} --to {leg.traced_to or 'IP'}` shows the way"
    if trace is not None and trace.seen_as == _NOBODY:
        return f"{failure}: {trace.verdict}", f"`ipamctl check` says what to do about it; {shown}"
    if leg.peer is not None and back is not None and back.seen_as == _NOBODY:
        shown = f"`ipamctl trace {leg.peer.full_name} --to {leg.pod.ip}` shows the way"
        return (
            f"{failure}: of what {leg.peer.full_name} answers, {back.verdict}",
            f"`ipamctl check` says what to do about it; {shown}",
        )
    if leg.kind is LegKind.POD_TO_SERVICE:
        advice = "is there a backend, is kube-proxy running, does a security group or NetworkPolicy close it?"
    elif leg.kind is LegKind.POD_TO_INTERNET:
        advice = (
            "does the server listen, does the security group of the Pod's ENI let it out, has the node or "
            "the VPC a way out where the Pod has no EIP?"
        )
    else:
        advice = "does a NetworkPolicy, a firewall that nft does not list, or a missing link close it?"
    said = "" if trace is None else f"; by the trace it arrives ({trace.verdict})"
    return f"{failure}{said}", f"`ipamctl check` first; then: {advice} {shown}"


def _mistaken(leg: Leg, seen: str, trace: TraceReply | None) -> tuple[str, str]:
    """Say it when the other side takes the Pod for somebody else."""
    expected = _expected_source(leg, trace)
    if not seen or expected in ("", seen):
        return "", ""
    said = "" if trace is None or trace.seen_address == expected else f": {trace.verdict}"
    advice = "something translates the source: `ipamctl check` names it"
    if leg.kind is LegKind.POD_TO_INTERNET:
        advice = (
            "`ipamctl check`; then the condition EgressThroughEIP of the claim, as a NAT gateway may come "
            "before the EIP"
        )
    return f"it arrives, and {seen} is seen instead of {expected}{said}", advice


def _expected_source(leg: Leg, trace: TraceReply | None) -> str:
    """Return as whom the source has to be seen; empty where more than one address is right."""
    if leg.kind in (LegKind.POD_TO_POD, LegKind.POD_TO_NODE):
        return leg.pod.ip
    if leg.kind is not LegKind.POD_TO_INTERNET:
        return ""
    return trace.seen_address if trace is not None and trace.seen_as in _TELLING else leg.pod.eip


def _unknown_namespace(pod: PodPlace) -> str:
    return "" if pod.netns else f"the agent does not know the network namespace of {pod.full_name}"
