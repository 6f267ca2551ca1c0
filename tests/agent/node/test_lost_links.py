"""Pods whose links are gone: told once each, as long as they exist; whoever listens hears of more only."""

from dataclasses import replace

import pytest

from ipamd.agent.node.lost_links import LostLinks
from ipamd.core.ledger.states import Address, Assigned, Warm
from ipamd.core.model import SandboxKey
from tests.testkit.pods import pod_ref

WARM = Address(ip="10.0.1.10", eni_id="eni-1", state=Warm(since=0.0), added_at=0.0)


def address(number):
    state = Assigned(
        key=SandboxKey(container_id=f"c{number}", ifname="eth0"),
        pod=pod_ref(f"web-{number}", f"u{number}"),
        since=1.0,
        host_interface=f"eni{number}",
        host_mac="0a:e2:00:00:00:01",
    )
    return replace(WARM, ip=f"10.0.1.{number}", state=state)


ONE, TWO = address(1), address(2)


class Told:
    """Who hears of it: Pods by their Events, and whether a Pod is over is said by `over`."""

    def __init__(self):
        self.events = []
        self.over = set()
        self.more = 0

    def warning(self, pod, reason, message):
        self.events.append((pod.name, reason, message))

    def is_over(self, address):
        return address.ip in self.over

    def hear(self):
        self.more += 1


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def links(told):
    links = LostLinks(told, told)
    links.on_more(told.hear)
    return links


def test_each_pod_is_told_once_with_what_it_needs(links, told):
    links.report((ONE,))
    links.report((ONE,))
    links.report((ONE, TWO))

    assert told.events == [
        (name, "NetworkLost", f"the link of {ip} is gone from the node; the Pod needs a new sandbox")
        for name, ip in (("web-1", "10.0.1.1"), ("web-2", "10.0.1.2"))
    ]
    assert links.problems() == [
        "Pod default/web-1: the link of 10.0.1.1 is gone from the node",
        "Pod default/web-2: the link of 10.0.1.2 is gone from the node",
    ]
    assert links.cut_off == (ONE, TWO)


def test_who_is_gone_or_nobody_is_not_told(links, told):
    told.over = {ONE.ip}

    links.report((ONE, WARM))

    assert told.events == []
    assert links.problems() == []
    assert links.cut_off == (ONE, WARM)


def test_what_has_its_link_again_is_no_problem_and_is_told_the_next_time(links, told):
    links.report((ONE,))
    links.report(())
    assert links.problems() == []

    links.report((ONE,))
    assert len(told.events) == 2


def test_listeners_hear_of_more_and_not_of_fewer(links, told):
    for cut_off, more in (((), 0), ((ONE,), 1), ((ONE,), 1), ((ONE, TWO), 2), ((ONE,), 2), ((), 2)):
        links.report(cut_off)
        assert told.more == more
