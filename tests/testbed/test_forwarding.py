"""The nodes of the bench: each layout forwards a Pod by eth1, and packets are counted as they arrive."""

import os
import subprocess
from collections.abc import Callable

import pytest

from testbed.bench.forwarding import Layout, Ours, Plain, TwoRules, forwarding
from testbed.bench.packets import Rates, Sender
from testbed.bench.spread import Spread

pytestmark = pytest.mark.netns
LAYOUTS: dict[str, Callable[[], Layout]] = {
    "bare": lambda: Plain("bare"),
    "conntrack": lambda: Plain("conntrack", conntrack=True),
    "NAT": lambda: Plain("NAT", conntrack=True, nat=True),
    "two rules": lambda: TwoRules("two rules"),
    "ours": lambda: Ours("ours"),
}


def inside(netns, *command, stdin=""):
    done = ["ip", "netns", "exec", netns, *command]
    return subprocess.run(done, input=stdin, check=True, capture_output=True, text=True).stdout


def names():
    return subprocess.run(["ip", "netns"], check=True, capture_output=True, text=True).stdout


def received(place, link):
    return int(inside(place.outside, "cat", f"/sys/class/net/{link}/statistics/rx_packets"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_packets_and_exchanges_of_the_pod_pass_by_eth1_with_few_pods_and_with_more(layout):
    made = LAYOUTS[layout]()
    with forwarding(90, made) as place, Sender(place) as sender:
        for ips in ((), ("10.0.2.1", "10.0.2.2"), ("10.0.2.3",)):
            made.add_pods(place, ips)
            before = received(place, "eth0")
            assert sender.flood(0.02) > 1000
            assert sender.exchange(0.02) > 100
            assert received(place, "eth0") - before < 20, "a neighbour's chatter at most"
    assert f"tke-fwd-{os.getpid()}-" not in names()


def test_packets_are_counted_where_they_arrive_and_not_where_they_are_sent():
    with forwarding(91, Plain("bare")) as place, Sender(place) as sender:
        assert sender.flood(0.02) > 1000
        chain = "{ type filter hook egress device eth1 priority 0; policy drop; }"
        rules = f"add table netdev t\nadd chain netdev t c {chain}"
        inside(place.node, "nft", "-f", "-", stdin=rules)
        assert sender.flood(0.1) < 1000, "all is dropped on its way: a neighbour's chatter at most"


def test_a_layout_is_compared_round_by_round():
    rates = Rates(packets={"a": [1, 10], "b": [2, 20]}, exchanges={"a": [3, 30], "b": [1, 10]})

    assert rates.ratio("a", "b") == Spread(median=0.5, low=0.5, high=0.5, n=2)
    assert rates.exchange_ratio("a", "b") == Spread(median=3, low=3, high=3, n=2)
