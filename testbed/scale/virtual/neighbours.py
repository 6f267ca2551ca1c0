"""What a node that binds without end costs its neighbours, which bind now and then."""

from collections import Counter
from collections.abc import Generator

from testbed.scale.virtual.account import Account
from testbed.scale.virtual.node import Node
from testbed.scale.virtual.timeline import Signal, Timeline

QUIET_NODES = 200
WORKERS = 10
"""Of an agent (`ipamd.agent.eips.reconciler`); checked by a test."""
_SECONDS = 120.0
"""In which each of them binds one EIP."""


def binds(busy: int) -> list[float]:
    """Return how long each quiet node's bind takes beside nodes that bind as fast as they may."""
    timeline = Timeline()
    account, requests = Account(timeline), Counter[str]()
    taken: list[float] = []
    for number in range(busy):
        timeline.start(_bind_without_end(Node(account, number, requests), timeline))
    for number in range(QUIET_NODES):
        node = Node(account, busy + number, requests)
        timeline.start(_bind_once(node, timeline, taken), account.random.uniform(0, _SECONDS))
    timeline.run(2 * _SECONDS)
    return taken


def _bind_once(node: Node, timeline: Timeline, taken: list[float]) -> Generator["float | Signal", None, None]:
    begun = timeline.now
    yield from node.bind(_now(timeline), Signal(timeline))
    taken.append(timeline.now - begun)


def _bind_without_end(node: Node, timeline: Timeline) -> Generator["float | Signal", None, None]:
    """Bind one EIP after the other, as many at once as an agent has workers for."""
    for _ in range(WORKERS):
        timeline.start(_again(node, timeline))
    yield 0.0


def _again(node: Node, timeline: Timeline) -> Generator["float | Signal", None, None]:
    while True:
        yield from node.bind(_now(timeline), Signal(timeline))


def _now(timeline: Timeline) -> Signal:
    happened = Signal(timeline)
    happened.set()
    return happened
