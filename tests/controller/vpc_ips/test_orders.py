"""What claims order and give back: what the cloud is asked, and what the facts and the claim say then."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.enis import ClaimEnis
from ipamd.controller.vpc_ips.orders import AddressOrders
from ipamd.controller.vpc_ips.reservations import Reservations
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core import model, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import status, vpcipclaim
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder
from ipamd.kube.resources import VPCIPCLAIMS
from ipamd.runtime.reconcile import Result
from tests.testkit.own_enis import own_eni
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, EXCLUSIVE

NOW = 1_800_000_000.0
UNTIL = object()
"""Until when a write may last."""
ORDER = AddressOrder(attempt=3, subnet_id="subnet-aaaaaaaa", ip="10.0.3.7", started=NOW)
SUBNET = model.Subnet(
    subnet_id="subnet-aaaaaaaa",
    vpc_id="vpc-1",
    zone="ap-test-1",
    cidr="10.0.3.0/24",
    available_ips=9,
    route_table_id="",
)
OTHER_SUBNET = replace(SUBNET, subnet_id="subnet-bbbbbbbb", vpc_id="vpc-2")
MINE = model.Reservation(
    reservation_id="rsvip-1",
    ip="10.0.3.7",
    subnet_id="subnet-aaaaaaaa",
    vpc_id="vpc-1",
    state=model.ReservationState.UNBIND,
)
OTHER = replace(MINE, reservation_id="rsvip-2", ip="10.0.3.8")
LONG = "a-name-of-more-than-sixty-characters-which-no-reservation-and-no-eni-can-have"


def refusal(kind):
    return CloudError(kind, "somebody", action="Order", code="Code", request_id="r-1")


class Cloud:
    """Does what it is asked, or raises what a test has put here."""

    def __init__(self):
        self.asked: list[tuple[Any, ...]] = []
        self.refuses: CloudError | None = None
        self.shows: model.Eni | None = own_eni()

    def describe_subnets(self, subnet_ids, deadline=None):
        self.asked.append(("subnets", *subnet_ids))
        return [one for one in (SUBNET, OTHER_SUBNET) if one.subnet_id in subnet_ids]

    def reserve_ip(self, order, client_token, deadline):
        self._take("reserve", order, client_token, deadline)
        return MINE

    def release_reservation(self, vpc_id, reservation_id, deadline):
        self._take("release", vpc_id, reservation_id, deadline)

    def create_eni(self, order, client_token, deadline):
        self._take("create", order, client_token, deadline)
        return own_eni()

    def describe_eni(self, eni_id):
        return self.shows

    def detach_eni(self, eni_id, instance_id, deadline):
        self._take("detach", eni_id, instance_id, deadline)

    def delete_eni(self, eni_id, deadline):
        self._take("delete", eni_id, deadline)

    def _take(self, *asked):
        self.asked.append(asked)
        if self.refuses:
            raise self.refuses


class Scene:
    def __init__(self, client):
        self.client, self.cloud, self.writer = client, Cloud(), VpcIpWriter(client)
        self.told: list[tuple[str, ...]] = []
        self.stopped = ""
        self.ports = Ports(
            fence=SimpleNamespace(deadline=lambda: UNTIL),
            cloud=None,
            writer=None,
            teller=None,
            in_flight=None,
            on_freed=None,
            release_stopped=lambda: self.stopped,
            clock=lambda: NOW,
        )
        told = {"claim": self._tell, "both": self._tell}
        parts = {"teller": SimpleNamespace(**told), "ports": self.ports}
        self.reservations = Reservations("cls-1", self.cloud, self.writer, **parts)
        self.enis = ClaimEnis("cls-1", self.cloud, self.writer, **parts)
        self.orders = AddressOrders(self.cloud, self.writer, **parts)

    def _tell(self, claim, *words):
        self.told.append(words)

    def claim(self, name="web-0", *, begun=False):
        obj = vpcipclaim.new_object(pod_view(name=name, nodeName="node-a"), EXCLUSIVE)
        self.client.create(VPCIPCLAIMS, obj)
        claim = self.read(name)
        return self.writer.write_status(claim, status.begin_order(claim, ORDER)) if begun else claim

    def read(self, name="web-0"):
        return vpcipclaim.read(self.client.get(VPCIPCLAIMS, name, "default"))

    def facts(self, claim, **known):
        return VpcIpFacts(now=NOW, claim=claim, pod=None, **{"subnets": (OTHER_SUBNET, SUBNET), **known})

    def reserve(self, claim, *, begun=False, **known):
        return self.reservations.reserve(
            do.Reserve(order=ORDER, begun=begun), claim, self.facts(claim, **known)
        )

    def make(self, claim, *, begun=False, **known):
        return self.enis.create(do.MakeOwnEni(order=ORDER, begun=begun), claim, self.facts(claim, **known))


@pytest.fixture
def scene(client):
    return Scene(client)


def test_a_reservation_is_ordered_with_claim_and_cluster_and_stands_in_the_claim_before(scene):
    facts = scene.reserve(scene.claim(), reservations=(OTHER,))

    [(_, order, token, until)] = scene.cloud.asked
    claim = scene.read()
    assert order == model.ReservationOrder(
        vpc_id="vpc-1",
        subnet_id="subnet-aaaaaaaa",
        ip="10.0.3.7",
        name="default-web-0",
        tags=tags.of_vpc_ip_claim("cls-1", claim.uid),
    )
    assert (token, until) == (tags.reservation_token(claim.uid, 3), UNTIL)
    assert claim.allocation == ORDER
    assert facts.claim == claim
    assert facts.reservations == (OTHER, MINE)


def test_an_eni_is_ordered_with_claim_and_cluster_and_stands_in_the_claim_before(scene):
    facts = scene.make(scene.claim(), enis=(own_eni("eni-other"),))

    [(_, order, token, until)] = scene.cloud.asked
    claim = scene.read()
    assert order == model.EniOrder(
        vpc_id="vpc-1",
        subnet_id="subnet-aaaaaaaa",
        ip="10.0.3.7",
        name="tke-eni default/web-0",
        tags=tags.of_vpc_ip_claim("cls-1", claim.uid),
    )
    assert (token, until) == (tags.fixed_eni_token(claim.uid, 3), UNTIL)
    assert claim.allocation == ORDER
    assert facts.claim == claim
    assert [eni.eni_id for eni in facts.enis] == ["eni-other", "eni-own"]


@pytest.mark.parametrize("step", ["reserve", "make"])
def test_what_was_made_before_is_known_once_and_an_order_that_was_begun_is_not_written_again(scene, step):
    claim = scene.claim(begun=True)
    before = {"reserve": {"reservations": (MINE,)}, "make": {"enis": (own_eni(),)}}[step]

    facts = getattr(scene, step)(claim, begun=True, **before)

    assert scene.read().resource_version == claim.resource_version
    assert len(facts.reservations or facts.enis) == 1


@pytest.mark.parametrize("step", ["reserve", "make"])
def test_a_name_is_cut_to_what_the_cloud_takes(scene, step):
    getattr(scene, step)(scene.claim(LONG))

    [(_, order, _, _)] = scene.cloud.asked
    assert len(order.name) == 60


def test_a_subnet_that_is_not_known_yet_is_asked_for_and_one_that_is_not_there_is_said(scene):
    facts = scene.facts(scene.claim())
    assert scene.orders.subnet("subnet-bbbbbbbb", facts) == OTHER_SUBNET
    assert scene.cloud.asked == []

    unknown = replace(facts, subnets=None)
    assert scene.orders.subnet("subnet-bbbbbbbb", unknown) == OTHER_SUBNET
    assert scene.cloud.asked == [("subnets", "subnet-bbbbbbbb")]
    with pytest.raises(CloudError, match="there is no subnet subnet-c"):
        scene.orders.subnet("subnet-c", unknown)


@pytest.mark.parametrize("step", ["reserve", "make"])
@pytest.mark.parametrize(
    ("kind", "foreign", "taken_by", "full"),
    [
        (CloudErrorKind.ADDRESS_IN_USE, {"10.0.3.1", "10.0.3.7"}, "somebody", {"subnet-x"}),
        (CloudErrorKind.SUBNET_FULL, {"10.0.3.1"}, "before", {"subnet-x", "subnet-aaaaaaaa"}),
        (CloudErrorKind.NEW_TOKEN, {"10.0.3.1"}, "before", {"subnet-x"}),
    ],
)
def test_a_refusal_for_certain_ends_the_order_and_is_known_in_this_round(
    scene, step, kind, foreign, taken_by, full
):
    scene.cloud.refuses = refusal(kind)

    facts = getattr(scene, step)(
        scene.claim(),
        foreign_ips=frozenset({"10.0.3.1"}),
        taken_by="before",
        full=frozenset({"subnet-x"}),
        candidate="10.0.3.7",
    )

    assert scene.read().allocation.started is None
    assert (facts.foreign_ips, facts.taken_by, facts.full) == (foreign, taken_by, full)
    assert facts.candidate == ""
    assert facts.refusal is None
    assert facts.eni_refusal is None


@pytest.mark.parametrize("step", ["reserve", "make"])
def test_a_refusal_that_a_person_has_to_mend_ends_the_order_and_says_why(scene, step):
    scene.cloud.refuses = refusal(CloudErrorKind.PERMISSION)

    facts = getattr(scene, step)(scene.claim())

    assert (facts.refusal or facts.eni_refusal).reason is VpcIpReason.PERMISSION_DENIED
    assert scene.read().allocation.started is None


@pytest.mark.parametrize("step", ["reserve", "make"])
def test_an_order_of_which_something_may_come_stays_in_the_claim(scene, step):
    scene.cloud.refuses = refusal(CloudErrorKind.UNKNOWN_OUTCOME)

    with pytest.raises(CloudError):
        getattr(scene, step)(scene.claim())

    assert scene.read().allocation == ORDER


def test_an_eni_that_the_cloud_failed_to_make_is_ordered_anew_after_a_pause(scene):
    scene.cloud.refuses = refusal(CloudErrorKind.TASK_FAILED)

    with pytest.raises(CloudError):
        scene.make(scene.claim())

    assert scene.read().allocation.started is None


@pytest.mark.parametrize(("named", "vpc"), [("", "vpc-1"), ("vpc-9", "vpc-9")])
def test_a_reservation_is_released_in_its_vpc_and_told(scene, named, vpc):
    claim = replace(scene.claim(begun=True), address=ADDRESS)
    action = do.ReleaseReservation(reservation_id="rsvip-1", vpc_id=named)

    facts = scene.reservations.release(action, claim, scene.facts(claim, reservations=(MINE, OTHER)))

    assert scene.cloud.asked == [("release", vpc, "rsvip-1", UNTIL)]
    assert scene.told == [("Normal", "ReleasedAddress", "rsvip-1")]
    assert (facts.reservations, facts.released) == ((OTHER,), {"rsvip-1"})
    assert scene.read().allocation.started is None, "what it was to make was this one"


def test_one_without_an_address_of_its_claim_is_released_without_a_look_at_subnets(scene):
    claim = scene.claim()

    facts = scene.reservations.release(
        do.ReleaseReservation(reservation_id="rsvip-1"), claim, scene.facts(claim, subnets=None)
    )

    assert scene.cloud.asked == [("release", "", "rsvip-1", UNTIL)]
    assert facts.reservations == ()
    assert scene.read().resource_version == claim.resource_version, "there was no order to end"


def test_an_eni_is_deleted_and_told(scene):
    claim = scene.claim(begun=True)
    known = scene.facts(claim, enis=(own_eni(), own_eni("eni-other")), released=frozenset({"eni-x"}))

    facts = scene.enis.delete(do.DeleteOwnEni(eni_id="eni-own"), claim, known)

    assert scene.cloud.asked == [("delete", "eni-own", UNTIL)]
    assert scene.told == [("Normal", "DeletedENI", "eni-own")]
    assert [eni.eni_id for eni in facts.enis] == ["eni-other"]
    assert facts.released == {"eni-own", "eni-x"}
    assert scene.read().allocation.started is None


def test_an_eni_that_is_in_use_by_now_stays_and_is_looked_at_soon(scene):
    claim = scene.claim()
    scene.cloud.shows = own_eni(instance_id="ins-1")

    assert scene.enis.delete(do.DeleteOwnEni(eni_id="eni-own"), claim, scene.facts(claim)) == Result(
        requeue_after=0.5
    )
    assert scene.enis.give_up("eni-own") == "it is in use again"

    assert scene.cloud.asked == []
    assert scene.told == []


def test_an_eni_that_the_cloud_does_not_show_is_deleted_all_the_same(scene):
    scene.cloud.shows = None

    assert scene.enis.give_up("eni-own") == ""

    assert scene.cloud.asked == [("delete", "eni-own", UNTIL)]


def test_nothing_is_given_back_while_releases_are_stopped(scene):
    claim = scene.claim(begun=True)
    scene.stopped = "RELEASES is off"
    pause = Result(requeue_after=10.0)

    assert scene.enis.delete(do.DeleteOwnEni(eni_id="eni-own"), claim, scene.facts(claim)) == pause
    release = do.ReleaseReservation(reservation_id="rsvip-1", vpc_id="vpc-1")
    assert scene.reservations.release(release, claim, scene.facts(claim)) == pause
    assert scene.enis.give_up("eni-own") == "RELEASES is off"
    assert scene.reservations.give_up("vpc-1", "rsvip-1") == "RELEASES is off"

    assert scene.cloud.asked == []
    assert scene.told == [
        ("Warning", "ReleasesStopped", "eni-own: RELEASES is off"),
        ("Warning", "ReleasesStopped", "rsvip-1: RELEASES is off"),
    ]
    assert scene.read().allocation == ORDER


def test_a_reservation_that_no_claim_answers_for_is_released(scene):
    assert scene.reservations.give_up("vpc-1", "rsvip-1") == ""

    assert scene.cloud.asked == [("release", "vpc-1", "rsvip-1", UNTIL)]


def test_an_eni_is_taken_off_a_gone_node_with_a_word_and_looked_at_soon(scene):
    claim = scene.claim()
    action = do.DetachOwnEni(eni_id="eni-own", instance_id="ins-1")

    assert scene.enis.detach(action, claim, scene.facts(claim)) == Result(requeue_after=0.5)

    assert scene.cloud.asked == [("detach", "eni-own", "ins-1", UNTIL)]
    assert scene.told == [("Normal", VpcIpReason.NODE_GONE.value, "detaching eni-own from ins-1")]


def test_an_eni_that_is_gone_is_said_once_and_another_one_is_wanted(scene):
    claim = scene.claim()

    facts = scene.enis.forget(do.ForgetEni(message="eni-own is gone"), claim, scene.facts(claim))
    again = scene.enis.forget(do.ForgetEni(message="eni-own is gone"), facts.claim, facts)

    assert scene.told == [("Warning", VpcIpReason.ENI_LOST.value, "eni-own is gone")]
    assert facts.claim == again.claim == scene.read()
    assert facts.reserve_again
    assert again.reserve_again
