"""What the controller sees of fixed addresses by its watches, and who is looked at for which change."""

import contextlib

import pytest

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.vpc_ips.address_book import AddressBook
from ipamd.core.claim.kept_eni import KeptEni
from ipamd.core.kubernetes import nodes
from ipamd.core.kubernetes.node_labels import subnet_label
from ipamd.core.vpc_ip import vpcip, vpcipclaim
from ipamd.kube.resources import NODES, PODS, VPCIPCLAIMS, VPCIPS
from tests.runtime.manual_clock import ManualClock
from tests.testkit import kubernetes_objects as objects
from tests.testkit.eventually import eventually
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import EXCLUSIVE, KEPT

WISH = {"tke.cloud.tencent.com/vpc-ip-claim-delete-policy": "Never"}
RESERVED = {"ip": "10.0.3.7", "subnetID": "subnet-aaaaaaaa", "reservationID": "rsvip-1"}
OF_ENI = {"ip": "10.0.3.7", "subnetID": "subnet-aaaaaaaa", "eniID": "eni-own"}
BY_BOOK = {"ip": "10.0.3.8", "subnetID": "subnet-bbbbbbbb"}


class Watched:
    """A cluster, and the book as its watches tell it."""

    def __init__(self, client):
        self.client = client
        self.woken: list[tuple[str, str]] = []
        self.woken_eips: list[tuple[str, str]] = []
        self.deleted_lines: list[str] = []
        self.view = ClusterView(client, wake=lambda _: None, outages=Absences(ManualClock().now))
        self.book = AddressBook(
            client,
            self.view,
            wake=self.woken.append,
            wake_eip=self.woken_eips.append,
            on_line_deleted=lambda line: self.deleted_lines.append(line.ip),
        )

    def pod(self, name, annotations=None):
        obj = objects.pod(name, node="node-a", namespace="default", annotations=annotations or {})
        self.client.create(PODS, obj)
        eventually(lambda: self.view.pod(("default", name)))

    def claim(self, name, request=KEPT, **status):
        self.client.create(VPCIPCLAIMS, vpcipclaim.new_object(pod_view(name=name, nodeName=""), request))
        if status:
            self.write(name, **status)
        eventually(lambda: self.knows(name))

    def write(self, name, **status):
        self.client.patch(VPCIPCLAIMS, name, {"status": status}, "default", subresource="status")
        eventually(lambda: self.knows(name))

    def knows(self, name):
        live = vpcipclaim.read(self.client.get(VPCIPCLAIMS, name, "default"))
        known = self.book.claim(("default", name))
        return known and known.resource_version == live.resource_version

    def line(self, name):
        claim = self.book.claim(("default", name))
        self.client.create(VPCIPS, vpcip.new_object(claim, claim.address))
        eventually(lambda: self.book.line(claim.address.ip))

    def node(self, name, **labels):
        condition = {"type": "Ready", "status": "True"}
        metadata = {"name": name, "labels": labels}
        self.client.create(NODES, {"metadata": metadata, "status": {"conditions": [condition]}})
        eventually(lambda: self.view.node(name))

    def wakes(self, change, *names):
        """Wait until a change has woken these, and nobody else before."""
        self.woken.clear()
        change()
        eventually(lambda: {name for _, name in self.woken} == set(names), f"{names} are woken")


@pytest.fixture
def watched(client):
    with contextlib.ExitStack() as stack:
        watched = Watched(client)
        for watch in (watched.view, watched.book):
            stack.callback(watch.stop)
            watch.start()
        assert watched.view.wait_synced(20)
        eventually(lambda: watched.book.complete)
        yield watched


def test_all_that_has_to_do_with_fixed_addresses_can_be_looked_at_again(watched):
    watched.pod("wants", WISH)
    watched.pod("plain")
    watched.claim("alone")
    watched.woken.clear()

    watched.book.wake_all()

    assert sorted(watched.woken) == [("default", "alone"), ("default", "wants")]


def test_the_book_says_which_addresses_others_have_and_where_the_vpc_keeps_none(watched):
    watched.claim("reserved", address=RESERVED)
    watched.claim("by-book", address=BY_BOOK)
    watched.claim("without")
    for name in ("reserved", "by-book"):
        watched.line(name)

    uid = watched.book.claim(("default", "reserved")).uid
    assert watched.book.foreign_ips(uid) == {"10.0.3.8"}
    assert watched.book.foreign_ips("another") == {"10.0.3.7", "10.0.3.8"}
    assert watched.book.crowded() == {"subnet-bbbbbbbb"}
    assert watched.book.line("10.0.3.9") is None
    assert watched.book.claim(("default", "nobody")) is None


def test_the_eni_that_a_pod_keeps_is_that_of_its_claim_until_it_is_deleted(watched):
    watched.claim("reserved", address=RESERVED)
    watched.claim("without")
    watched.claim("own", EXCLUSIVE, address=OF_ENI)
    assert watched.view.kept_eni(("default", "own")) == KeptEni("eni-own", ends=False)
    for name in ("reserved", "without", "nobody"):
        assert watched.view.kept_eni(("default", name)) is None

    watched.client.delete(VPCIPCLAIMS, "own", "default")

    eventually(lambda: watched.view.kept_eni(("default", "own")) == KeptEni("eni-own", ends=True))


def test_a_claim_wakes_by_what_matters_and_its_eip_only_if_it_has_an_eni_of_its_own(watched):
    watched.claim("route", address=RESERVED)
    watched.claim("direct", EXCLUSIVE, address=OF_ENI)
    assert set(watched.woken_eips) == {("default", "direct")}

    def say(reason):
        told = {"type": "Reserved", "status": "True", "reason": reason}
        watched.write("route", conditions=[told])

    say("Reserved")
    watched.woken.clear()
    say("OtherWords")
    assert watched.woken == []
    watched.wakes(lambda: watched.write("route", pod={"uid": "u2", "node": "node-a"}), "route")


def test_a_node_wakes_the_claims_that_are_there_when_it_changes_in_what_matters(watched):
    watched.node("node-a", **{subnet_label("subnet-aaaaaaaa"): ""})
    watched.claim("here", pod={"uid": "u", "node": "node-a"})
    watched.claim("bound", binding={"node": "node-a", "eniID": "eni-1", "podUID": "u"})
    watched.claim("left", pod={"uid": "u", "node": "node-a"})
    watched.write("left", pod={"uid": "u", "node": "node-b"})
    watched.claim("gone", pod={"uid": "u", "node": "node-a"})
    watched.client.patch(VPCIPCLAIMS, "gone", {"metadata": {"finalizers": None}}, "default")
    watched.client.delete(VPCIPCLAIMS, "gone", "default")
    eventually(lambda: watched.book.claim(("default", "gone")) is None)
    eventually(lambda: watched.woken.count(("default", "gone")) >= 2)

    def label(**labels):
        watched.client.patch(NODES, "node-a", {"metadata": {"labels": labels}})

    def mark():
        watched.client.patch(NODES, "node-a", {"metadata": {"annotations": {nodes.AGENT: "no-pod"}}})

    def go():
        watched.client.delete(NODES, "node-a")

    watched.woken.clear()
    label(color="red")
    eventually(lambda: watched.view.node("node-a").labels.get("color") == "red")
    watched.wakes(mark, "here", "bound")
    assert watched.woken.count(("default", "here")) == 1, "a label that is nobody's wakes nobody"
    watched.wakes(lambda: label(**{subnet_label("subnet-bbbbbbbb"): ""}), "here", "bound")
    watched.wakes(go, "here", "bound")
    watched.wakes(lambda: watched.node("node-a"), "here", "bound")


def test_a_line_wakes_its_claim_and_one_that_is_deleted_by_hand_is_told(watched):
    watched.claim("web-0", address=RESERVED)
    watched.wakes(lambda: watched.line("web-0"), "web-0")
    assert watched.deleted_lines == []

    watched.wakes(lambda: watched.client.delete(VPCIPS, "10.0.3.7"), "web-0")
    eventually(lambda: watched.deleted_lines == ["10.0.3.7"])

    def free():
        watched.client.patch(VPCIPS, "10.0.3.7", {"metadata": {"finalizers": None}})

    watched.wakes(free, "web-0")
    eventually(lambda: watched.book.line("10.0.3.7") is None)
    assert watched.deleted_lines == ["10.0.3.7"], "one that is gone is told of no more"


def test_a_pod_wakes_if_it_wants_a_fixed_address_or_has_a_claim(watched):
    watched.claim("claimed")
    watched.woken.clear()

    watched.pod("plain")
    watched.pod("claimed")
    watched.pod("wants", WISH)

    eventually(lambda: ("default", "wants") in watched.woken)
    assert {name for _, name in watched.woken} == {"claimed", "wants"}
