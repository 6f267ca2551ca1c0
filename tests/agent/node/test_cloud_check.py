"""A look at the cloud: when it is due, what Pods hear of what it finds, and whom new addresses are told."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.node.cloud_check import CloudCheck
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage, Warm
from ipamd.core.model import PodRef, SandboxKey
from tests.testkit.pods import pod_ref

THROTTLED = cloud_error("DescribeNetworkInterfaces", "RequestLimitExceeded", "too many")
AWAY = cloud_error("DescribeNetworkInterfaces", "ClientNetworkError", "no answer")
WARM = Address(ip="10.0.1.9", eni_id="eni-1", state=Warm(since=0.0), added_at=0.0)


def used(name="web-0", *, stage=BindStage.BOUND, quarantined=False):
    state = Assigned(
        key=SandboxKey(container_id=name, ifname="eth0"),
        pod=pod_ref(name, name),
        since=1.0,
        host_interface=name,
        host_mac="0a:e2:00:00:00:01",
    )
    eip = Binding(eip_id=f"eip-{name}", public_ip="198.18.0.9", stage=stage)
    return replace(
        WARM, ip=f"10.0.1.{name[-1]}", state=state, eip=eip, missing_since=5.0 if quarantined else None
    )


class Node:
    """What the looks find, one after the other, and who hears of it."""

    def __init__(self, *addresses):
        self.now, self.looks, self.failure, self.finds = 1000.0, 0, None, []
        self.is_settled, self.settles = True, False
        self.current = Ledger.of(addresses)
        self.enis = {}
        self.events: list[tuple[str, str]] = []
        self.loose: list[dict[PodRef, str]] = []
        self.heard: list[str] = []
        self.check = CloudCheck(
            self,
            shared_ledger=self,
            enis=self,
            announcer=self,
            loose=SimpleNamespace(found=self.loose.append),
            interval=100.0,
            monotonic=lambda: self.now,
        )
        self.check.on_addresses(lambda: self.heard.append("first"))
        self.check.on_addresses(lambda: self.heard.append("second"))

    def due(self):
        return self.check.is_due

    def look(self, deadline):
        self.looks += 1
        if self.finds:
            self.current = Ledger.of(self.finds.pop(0))
        self.is_settled |= self.settles
        return self.failure

    def warning(self, pod, reason, message):
        self.events.append((pod.name, reason))


def test_the_first_look_is_due_at_once_and_the_next_after_the_interval_less_a_fifth_at_most():
    node = Node()
    assert node.due()

    node.check.look()

    node.now += 79.0
    assert not node.due()
    node.now += 21.0
    assert node.due()


def test_a_cause_makes_it_due_once():
    node = Node()
    node.check.look()

    node.check.hasten()
    assert node.due()
    node.check.look()
    assert not node.due()


@pytest.mark.parametrize(("failure", "least"), [(THROTTLED, 160.0), (AWAY, 80.0)])
def test_only_what_the_cloud_finds_too_much_is_asked_less_often(failure, least):
    node = Node()
    node.failure = failure

    node.check.look()

    node.now += least - 1
    assert not node.due()
    node.now += least / 4 + 1
    assert node.due()


def test_what_brings_or_takes_addresses_is_told_and_nothing_else():
    node = Node(WARM)
    node.check.look()
    assert node.heard == []

    node.finds = [[WARM, used()]]
    node.check.look()
    assert node.heard == ["first", "second"]

    node.finds = [[replace(WARM, state=Warm(since=5.0)), used()]]
    node.check.look()
    assert node.heard == ["first", "second"]

    node.finds = [[used()]]
    node.check.look()
    assert node.heard == ["first", "second"] * 2


def test_that_the_ledger_is_true_by_now_is_told():
    node = Node(WARM)
    node.is_settled, node.settles = False, True

    node.check.look()

    assert node.heard == ["first", "second"]


def test_an_eip_that_somebody_has_unbound_is_told_to_its_pod_and_counted():
    node = Node(used("web-1"), used("web-2"), used("web-3"))
    node.finds = [
        [used("web-1", stage=BindStage.BINDING), used("web-2", stage=BindStage.BINDING), used("web-3")]
    ]

    node.check.look()

    assert node.events == [("web-1", "EIPUnbound"), ("web-2", "EIPUnbound")]
    assert node.check.unbound == 2
    assert [sorted(pod.name for pod in found) for found in node.loose] == [["web-1", "web-2"]]
    node.check.look()
    assert node.check.unbound == 2


def test_an_address_that_one_listing_does_not_show_is_looked_for_again_before_its_pod_hears():
    node = Node(used())
    node.finds = [[used(quarantined=True)], [used()]]

    node.check.look()
    node.check.report()

    assert (node.looks, node.events, node.check.missing()) == (2, [], [])


def test_a_pod_hears_once_that_its_address_is_lost():
    node = Node(used())
    node.finds = [[used(quarantined=True)]]

    for _ in range(2):
        node.check.look()
        node.check.report()

    assert node.events == [("web-0", "AddressLost")]
    assert node.looks == 3, "what was told is not looked for twice"
    assert node.check.missing()[0].startswith("Pod default/web-0: the address 10.0.1.0 cannot be used")


def test_a_pod_hears_again_of_an_address_that_was_back_meanwhile():
    node = Node(used())
    node.finds = [[used(quarantined=True)], [used(quarantined=True)], [used()], [used(quarantined=True)]]

    for _ in range(3):
        node.check.look()
        node.check.report()

    assert node.events == [("web-0", "AddressLost")] * 2


def test_an_address_is_lost_with_the_eni_that_cannot_carry_pods():
    node = Node(used(quarantined=True))
    node.enis = {
        "eni-1": SimpleNamespace(eni_id="eni-1", problem="no link"),
        "eni-2": SimpleNamespace(eni_id="eni-2", problem=""),
    }

    assert "ENI eni-1: no link" in node.check.missing()[0]
