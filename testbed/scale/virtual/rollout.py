"""A rollout on all nodes at once, and what a busy node costs its neighbours."""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass

from testbed.scale.virtual.account import Account
from testbed.scale.virtual.controller import VirtualController
from testbed.scale.virtual.node import Node
from testbed.scale.virtual.timeline import Signal, Timeline

PODS, EIPS = 30, 2
"""Of each node."""
_STARTED_WITHIN = 1.0
"""Seconds in which the nodes learn of their Pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What came of it; times in seconds from its beginning."""

    nodes: int
    addresses: list[float]
    """When each node has given all its Pods their addresses."""
    provisioned: list[float]
    """When each claim has its EIP."""
    bound: list[float]
    """When each EIP is bound."""
    binds: list[float]
    """For how long each node waited from its claim's EIP until the last of them is bound."""
    asked: Counter[str]
    refused: Counter[str]
    """Of the account."""
    requests: Counter[str]
    """Of the API server."""

    @property
    def seconds(self) -> float:
        """When all Pods run."""
        return max(*self.addresses, *self.bound)

    @property
    def calls_per_s(self) -> float:
        """Calls of the account in a second, on average, those that were refused among them."""
        return (self.asked.total() + self.refused.total()) / self.seconds

    @property
    def refused_per_s(self) -> float:
        """Of them, in a second, those that were too many."""
        return self.refused.total() / self.seconds

    @property
    def requests_per_s(self) -> float:
        """Requests of the API server in a second, on average."""
        return self.requests.total() / self.seconds

    @property
    def wall(self) -> str:
        """What the last Pod waited for."""
        if max(self.addresses) > max(self.bound):
            return "CreateAndAttachNetworkInterface and AssignPrivateIpAddresses"
        waited = max(self.bound) - max(self.provisioned)
        return "AllocateAddresses" if waited < max(self.provisioned) / 2 else "AssociateAddress"


class _Watch:
    """Writes down when things happen."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.times: dict[Signal, float] = {}

    def of(self, signals: list[Signal]) -> None:
        for signal in signals:
            self._timeline.start(self._note(signal))

    def _note(self, signal: Signal) -> Generator["float | Signal", None, None]:
        yield signal
        self.times[signal] = self._timeline.now


def roll_out(nodes: int, *, pods: int = PODS, eips: int = EIPS) -> Rollout:
    """Let every node get its Pods within a second."""
    timeline = Timeline()
    account, requests, watch = Account(timeline), Counter[str](), _Watch(timeline)
    controller = VirtualController(account, requests)
    addresses: list[list[Signal]] = []
    provisioned: list[list[Signal]] = []
    bound: list[list[Signal]] = []
    for number in range(nodes):
        node = Node(account, number, requests)
        addresses.append([node.add_pod(f"pod-{index}") for index in range(pods)])
        provisioned.append([Signal(timeline) for _ in range(eips)])
        bound.append([Signal(timeline) for _ in range(eips)])
        timeline.start(_begin(node), account.random.uniform(0, _STARTED_WITHIN))
        for index in range(eips):
            timeline.start(_bind(node, provisioned[-1][index], addresses[-1][index], bound[-1][index]))
    claims = [claim for group in provisioned for claim in group]
    account.random.shuffle(claims)
    for group in (*addresses, *provisioned, *bound):
        watch.of(group)
    controller.provision(claims)
    timeline.run()
    times = watch.times
    return Rollout(
        nodes=nodes,
        addresses=[max(times[s] for s in group) for group in addresses],
        provisioned=[times[s] for s in claims],
        bound=[times[s] for group in bound for s in group],
        binds=[
            max(times[done] - times[claim] for claim, done in zip(ours, ends, strict=True))
            for ours, ends in zip(provisioned, bound, strict=True)
        ],
        asked=account.asked,
        refused=account.refused,
        requests=requests,
    )


def _begin(node: Node) -> Generator[float, None, None]:
    node.plan()
    yield from ()


def _bind(
    node: Node, provisioned: Signal, has_address: Signal, done: Signal
) -> Generator["float | Signal", None, None]:
    yield provisioned
    yield from node.bind(has_address, done)
