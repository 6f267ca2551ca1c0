"""Fixed private addresses on a simulated cluster and region: had, kept, moved, given back."""

import itertools
import time

import pytest

from ipamd.core import tags
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import NODE_LABEL
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.model import ReservationState
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import vpcip
from ipamd.kube.resources import NODES, STATEFULSETS, VPCIPCLAIMS, VPCIPS
from tests.controller.vpc_ips.fixed_world import SUBNET, VPC


def test_a_pod_gets_an_address_that_the_vpc_keeps(fixed):
    fixed.create_pod("web-0")

    claim = fixed.wait_address("web-0")

    assert claim.node == "node-1"
    assert claim.address.subnet_id == SUBNET
    assert claim.address.zone == "ap-guangzhou-3"
    (reservation,) = fixed.reservations().values()
    assert (reservation.reservation_id, reservation.ip) == (claim.address.reservation_id, claim.address.ip)
    assert reservation.tags[tags.VPC_IP_CLAIM_UID] == claim.uid
    line = fixed.lines()[claim.address.ip]
    assert (line.claim_name, line.claim_uid) == ("web-0", claim.uid)
    assert fixed.condition("web-0", "Reserved")["status"] == "True"
    fixed.world.wait(lambda: fixed.world.events("ReservedAddress"))


def test_a_pod_without_the_wish_gets_no_claim(fixed):
    fixed.create_pod("web-0", vpc_ip_claim_delete_policy="Immediate")
    fixed.create_pod("web-1")

    fixed.wait_address("web-1")

    assert fixed.claim("web-0") is None


def test_the_next_pod_of_the_name_gets_the_address_on_another_node(fixed):
    fixed.create_pod("web-0")
    ip = fixed.assign("web-0")
    fixed.world.wait(lambda: fixed.lines()[ip].status.get("phase") == "Assigned")
    assert fixed.lines()[ip].node == "node-1"
    fixed.world.remove_pod("web-0")
    pod = fixed.create_pod("web-0", "node-2")
    fixed.world.wait(
        lambda: (c := fixed.claim("web-0")) and c.pod_uid == pod["metadata"]["uid"] and c.pod.node == "node-2"
    )
    # The label stays where the address is until the agent there has let it go.
    assert (
        fixed.world.client.get(VPCIPCLAIMS, "web-0", "default")["metadata"]["labels"][NODE_LABEL] == "node-1"
    )

    fixed.unassign("web-0")
    fixed.world.wait(lambda: fixed.claim("web-0").node == "node-2")

    assert fixed.assign("web-0", "node-2") == ip
    fixed.world.wait(lambda: fixed.lines()[ip].node == "node-2")
    (reservation,) = fixed.reservations().values()
    assert (reservation.ip, reservation.state) == (ip, ReservationState.BIND)


def test_an_address_goes_with_a_pod_that_only_nominates_it(fixed):
    fixed.create_pod("web-0", nominated_vpc_ip="10.0.1.77")
    assert fixed.assign("web-0") == "10.0.1.77"
    fixed.world.remove_pod("web-0")
    fixed.world.wait(lambda: fixed.claim("web-0").deleting)

    fixed.unassign("web-0")

    fixed.wait_gone("web-0")
    assert fixed.reservations() == {}
    assert fixed.lines() == {}


@pytest.mark.parametrize("ip", ["10.0.1.0", "10.0.1.1", "10.0.1.255"])
def test_an_address_that_the_vpc_keeps_for_itself_is_refused_before_the_cloud_is_asked(fixed, ip):
    fixed.create_pod("web-0", nominated_vpc_ip=ip)

    fixed.world.wait(lambda: fixed.condition("web-0", "Ready").get("reason") == "InvalidSpec")

    assert f"{ip}, which the VPC keeps for itself" in fixed.condition("web-0", "Ready")["message"]
    assert fixed.claim("web-0").allocation.attempt == 0
    assert fixed.lines() == {}


def test_of_two_pods_that_nominate_one_address_the_first_has_it(fixed):
    fixed.create_pod("web-0", nominated_vpc_ip="10.0.1.77")
    fixed.wait_address("web-0")
    fixed.create_pod("web-1", nominated_vpc_ip="10.0.1.77")

    fixed.world.wait(lambda: fixed.condition("web-1", "Ready").get("reason") == "AddressTaken")

    assert "nominate another address" in fixed.condition("web-1", "Ready")["message"]
    assert fixed.claim("web-1").address is None


def test_an_address_outside_of_all_subnets_is_refused(fixed):
    fixed.create_pod("web-0", nominated_vpc_ip="192.168.7.7")

    fixed.world.wait(lambda: fixed.condition("web-0", "Ready").get("reason") == "NoSubnet")

    assert "192.168.7.7 is in no subnet of the VPC" in fixed.condition("web-0", "Ready")["message"]


@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ({"vpc_ip_claim_delete_policy": "never"}, "allowed are Never and Immediate"),
        ({"nominated_vpc_ip": "10.0.1"}, "allowed is one IPv4 address"),
        ({"nominated_vpc_ip": "10.0.1.9", "networks": "tke-bridge"}, "on a network that is not ours"),
    ],
)
def test_a_wish_that_cannot_be_read_is_told_on_the_pod(fixed, annotations, said):
    fixed.create_pod("web-0", **annotations)

    (event,) = fixed.world.wait(lambda: fixed.world.events("InvalidSpec"))

    assert said in event["message"]
    assert event["involvedObject"]["name"] == "web-0"


def test_a_claim_that_a_person_writes_serves_the_pod_of_its_name(fixed):
    fixed.world.client.create(
        VPCIPCLAIMS,
        {
            "metadata": {"namespace": "default", "name": "web-0"},
            "spec": {"deletePolicy": "Never", "nominatedIP": "10.0.1.77"},
        },
    )
    fixed.world.wait(lambda: fixed.claim("web-0").held)

    fixed.create_pod("web-0")

    assert fixed.assign("web-0") == "10.0.1.77"


def test_a_pod_that_is_not_scheduled_has_no_claim_yet(fixed):
    fixed.create_pod("web-0", "")
    fixed.create_pod("web-1")
    fixed.wait_address("web-1")
    assert fixed.claim("web-0") is None

    fixed.schedule("web-0", "node-2")

    assert fixed.wait_address("web-0").node == "node-2"


def test_a_pod_on_a_node_without_agent_hears_what_is_waited_for(fixed):
    fixed.world.add_node("node-9", agent="")
    fixed.create_pod("web-0", "node-9")

    (event,) = fixed.world.wait(lambda: fixed.world.events("NodeNotServed"))

    assert "no agent of tke-eni has ever served Node node-9" in event["message"]
    assert "EIP" not in event["message"]
    assert fixed.claim("web-0") is None


def test_a_deleted_claim_keeps_the_address_of_a_running_pod(fixed):
    fixed.create_pod("web-0")
    ip = fixed.assign("web-0")

    fixed.delete_claim("web-0")
    fixed.create_pod("web-1")
    fixed.wait_address("web-1")
    fixed.world.wait(lambda: fixed.condition("web-0", "Ready").get("reason") == "Releasing")

    assert "when Pod default/web-0 is gone" in fixed.condition("web-0", "Ready")["message"]
    stored = fixed.world.client.get(VPCIPCLAIMS, "web-0", "default")
    assert stored["status"]["phase"] == "Releasing"
    told = fixed.world.wait(lambda: fixed.world.events("ReleaseWaitsForPod"))
    assert {event["involvedObject"]["kind"] for event in told} <= {"VpcIPClaim", "Pod"}
    assert fixed.claim("web-0").binding is not None
    assert ip in fixed.lines()
    assert ip in {one.ip for one in fixed.reservations().values()}

    fixed.world.remove_pod("web-0")
    fixed.unassign("web-0")
    fixed.wait_gone("web-0")
    assert ip not in fixed.lines()
    assert ip not in {one.ip for one in fixed.reservations().values()}


def test_a_line_that_a_person_deletes_stays_as_long_as_its_claim(fixed):
    fixed.create_pod("web-0")
    ip = fixed.wait_address("web-0").address.ip

    fixed.world.client.delete(VPCIPS, ip)

    (event,) = fixed.world.wait(lambda: fixed.world.events("VpcIPInUse"))
    assert "kubectl delete vipc web-0 -n default" in event["message"]
    assert fixed.lines()[ip].deleting
    assert fixed.claim("web-0").address.ip == ip
    fixed.world.remove_pod("web-0")
    fixed.delete_claim("web-0")
    fixed.wait_gone("web-0")
    assert fixed.lines() == {}


def test_a_claim_expires_with_its_reservation(bare):
    bare.world.start_controller(rules=ClusterRules(expire_after=600.0))
    bare.add_node("node-1")
    bare.create_pod("web-0")
    bare.wait_address("web-0")
    bare.world.remove_pod("web-0")
    bare.world.wait(lambda: bare.claim("web-0").pod.last_seen)

    bare.miss_since("web-0", 700.0)

    bare.wait_gone("web-0")
    assert bare.reservations() == {}
    (event,) = bare.world.wait(lambda: bare.world.events("ExpiredClaim"))
    assert "kept for 10m" in event["message"]


@pytest.mark.parametrize("where", ["vipc", "vip"])
def test_an_annotation_of_claim_or_address_says_otherwise_than_the_flag(bare, where):
    bare.world.start_controller(rules=ClusterRules(expire_after=600.0))
    bare.add_node("node-1")
    for name in ("web-0", "web-1"):
        bare.create_pod(name)
        bare.wait_address(name)
    ip = bare.claim("web-0").address.ip
    resource, of = (VPCIPCLAIMS, "web-0") if where == "vipc" else (VPCIPS, ip)
    bare.annotate(resource, of, "default" if where == "vipc" else "", **{"claim-expired-duration": "24h"})
    for name in ("web-0", "web-1"):
        bare.world.remove_pod(name)
        bare.world.wait(lambda name=name: bare.claim(name).pod.last_seen)
        bare.miss_since(name, 700.0)

    bare.wait_gone("web-1")

    assert bare.claim("web-0").address.ip == ip


def test_a_kept_claim_goes_with_its_statefulset_and_not_before_its_pod(bare):
    bare.world.start_controller(rules=ClusterRules(cascade=True))
    bare.add_node("node-1")
    owner = bare.world.create_workload(STATEFULSETS, "web")
    bare.world.create_pod("web-0", {"vpc-ip-claim-delete-policy": "Never"}, node="node-1", owner=owner)
    bare.assign("web-0")
    assert bare.claim("web-0").has_owner

    bare.world.delete_workload(STATEFULSETS, "web")
    bare.world.wait(lambda: bare.claim("web-0").deleting)
    assert bare.claim("web-0").binding is not None

    bare.world.remove_pod("web-0")
    bare.unassign("web-0")
    bare.wait_gone("web-0")
    assert bare.reservations() == {}


def test_the_address_of_a_node_that_is_gone_is_unassigned_for_it(fixed):
    fixed.create_pod("web-0")
    ip = fixed.assign("web-0")
    fixed.world.client.delete(NODES, "node-1")
    fixed.world.remove_pod("web-0")

    fixed.create_pod("web-0", "node-2")

    fixed.world.wait(lambda: fixed.claim("web-0").binding is None)
    fixed.world.wait(lambda: fixed.claim("web-0").node == "node-2")
    assert fixed.assign("web-0", "node-2") == ip


def test_an_address_that_is_somebody_elses_is_replaced_before_a_pod_has_had_it(fixed):
    fixed.create_pod("web-0")
    first = fixed.wait_address("web-0").address.ip
    fixed.lose(first)

    fixed.find_in_use("web-0")

    second = fixed.world.wait(
        lambda: (c := fixed.claim("web-0")) and c.address and c.address.ip != first and c
    )
    assert second.refused_ips == (first,)
    fixed.cloud.unassign_ips(fixed.enis["node-2"], [first], Deadline.after(20.0, time.monotonic))
    fixed.world.remove_pod("web-0")
    fixed.delete_claim("web-0")
    fixed.wait_gone("web-0")
    assert fixed.reservations() == {}
    assert fixed.lines() == {}


def test_an_address_that_a_pod_has_had_is_never_replaced(fixed):
    fixed.create_pod("web-0")
    ip = fixed.assign("web-0")
    fixed.unassign("web-0")
    fixed.lose(ip)

    fixed.find_in_use("web-0")
    fixed.create_pod("web-1")
    fixed.wait_address("web-1")

    assert fixed.claim("web-0").address.ip == ip
    assert fixed.condition("web-0", "Ready")["reason"] == "AddressInUse"


class TestWhereReservedAddressesAreNotAssigned:
    """The reservation of a claim would keep its own Pod from the address; the book goes on alone."""

    @pytest.fixture
    def fixed(self, fixed):
        fixed.world.region.set_reservation_rules(assignable=False)
        return fixed

    @pytest.mark.parametrize("wish", [{}, {"nominated_vpc_ip": "10.0.1.77"}], ids=["any", "nominated"])
    def test_the_reservation_is_given_up_and_the_address_stays(self, fixed, wish):
        fixed.create_pod("web-0", **wish)
        ip = fixed.wait_address("web-0").address.ip

        refused = fixed.try_assign("web-0")
        fixed.world.wait(lambda: fixed.claim("web-0").address.reservation_id == "")

        assert refused.kind is CloudErrorKind.ADDRESS_IN_USE
        assert fixed.assign("web-0") == ip
        reserved = fixed.condition("web-0", "Reserved")
        assert (reserved["status"], reserved["reason"]) == ("False", "ReservedNotAssignable")
        assert fixed.reservations() == {}
        fixed.world.wait(lambda: fixed.world.events("ReservationGivenUp"))

    def test_the_next_claims_are_reserved_nothing(self, fixed):
        fixed.create_pod("web-0")
        fixed.try_assign("web-0")
        fixed.world.wait(lambda: fixed.claim("web-0").address.reservation_id == "")
        fixed.create_pod("web-1")

        fixed.assign("web-1")

        assert fixed.condition("web-1", "Reserved")["reason"] == "ReservedNotAssignable"
        assert fixed.claim("web-1").allocation.attempt == 0
        assert fixed.claim("web-1").address.ip != fixed.claim("web-0").address.ip

    def test_an_address_that_a_pod_has_had_stays_too(self, fixed):
        fixed.world.region.set_reservation_rules(assignable=True)
        fixed.create_pod("web-0")
        ip = fixed.assign("web-0")
        fixed.unassign("web-0")
        fixed.world.region.set_reservation_rules(assignable=False)

        fixed.try_assign("web-0")
        fixed.world.wait(lambda: fixed.claim("web-0").address.reservation_id == "")

        assert fixed.assign("web-0") == ip

    def test_a_crash_between_release_and_claim_costs_nothing(self, fixed):
        fixed.create_pod("web-0")
        address = fixed.wait_address("web-0").address
        fixed.cloud.release_reservation(VPC, address.reservation_id)

        fixed.find_in_use("web-0")
        fixed.world.wait(lambda: fixed.claim("web-0").address.reservation_id == "")

        assert fixed.assign("web-0") == address.ip
        assert fixed.condition("web-0", "Reserved")["reason"] == "ReservationLost"


class TestWithoutReservations:
    """Where the VPC keeps no addresses for us the cluster's own book does, and says so."""

    @pytest.fixture
    def fixed(self, fixed):
        fixed.world.region.set_reservation_rules(offered=False)
        return fixed

    def test_the_book_alone_keeps_the_address(self, fixed):
        fixed.create_pod("web-0")

        claim = fixed.wait_address("web-0")

        assert claim.address.reservation_id == ""
        reserved = fixed.condition("web-0", "Reserved")
        assert (reserved["status"], reserved["reason"]) == ("False", "ReservationNotSupported")
        assert claim.address.ip in fixed.lines()
        (event,) = fixed.world.wait(
            lambda: [
                e
                for e in fixed.world.events("AddressNotReserved")
                if e["involvedObject"]["kind"] == "VpcIPClaim"
            ]
        )
        assert "is kept by this cluster only" in event["message"]

    def test_no_two_pods_get_one_address(self, fixed):
        names = [f"web-{number}" for number in range(6)]
        for name in names:
            fixed.create_pod(name)

        ips = [fixed.wait_address(name).address.ip for name in names]

        assert len(set(ips)) == len(names)
        assert set(fixed.lines()) == set(ips)

    def test_the_address_is_given_back(self, fixed):
        fixed.create_pod("web-0")
        fixed.assign("web-0")
        fixed.world.remove_pod("web-0")
        fixed.delete_claim("web-0")
        fixed.unassign("web-0")

        fixed.wait_gone("web-0")

        assert fixed.lines() == {}

    def test_an_address_is_reserved_later_when_the_vpc_has_learned_it(self, fixed):
        fixed.create_pod("web-0")
        ip = fixed.wait_address("web-0").address.ip
        fixed.world.region.set_reservation_rules(offered=True)
        hours = itertools.count(24)

        def reserved_after_a_while():
            fixed.world.elapsed += 700.0
            fixed.annotate(VPCIPCLAIMS, "web-0", "default", **{"claim-expired-duration": f"{next(hours)}h"})
            return fixed.claim("web-0").address.reservation_id

        fixed.world.wait(reserved_after_a_while)
        assert fixed.claim("web-0").address.ip == ip
        assert fixed.condition("web-0", "Reserved")["status"] == "True"


def test_lines_are_named_by_their_addresses(fixed):
    fixed.create_pod("web-0")
    ip = fixed.wait_address("web-0").address.ip

    obj = fixed.world.client.get(VPCIPS, ip)

    assert obj["spec"]["claimRef"]["name"] == "web-0"
    assert vpcip.FINALIZER in obj["metadata"]["finalizers"]
