"""What is done next about a VpcIPClaim, at the bounds that the lives of Pods do not always come by."""

import itertools
from dataclasses import replace

import pytest

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.actions import (
    ClearBinding,
    DeleteClaim,
    DropFinalizer,
    Idle,
    LookAtNode,
    LookAtOwners,
    LookAtPod,
    Postpone,
    RecordPod,
    SetNodeLabel,
    Wait,
)
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.claim.facts import ClaimStage, LivePod, NodeState, PodRelation
from ipamd.core.claim.placement import Obstacle
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.release import SETTLE
from ipamd.core.kubernetes.annotation_names import VPC_IP_DELETE_POLICY
from ipamd.core.model import Reservation, ReservationState
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import own_reservation, state_machine, status, vpcip
from ipamd.core.vpc_ip.facts import AddressHolder, AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.state_machine import decide
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding, AddressOrder, FixedAddress
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, BINDING, KEPT, fixed_claim

NOW = 1_800_000_000.0
POD = pod_view({VPC_IP_DELETE_POLICY: "Never"}, nodeName="node-a")
SERVED = ClaimPod(uid="u1", node="node-a")
GONE = ClaimPod(uid="u1", node="node-a", last_seen=NOW - 1000.0)
BY_BOOK = FixedAddress(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa", zone="ap-test-1")


def told(claim):
    """The deleted claim when it says what it waits for."""
    patch = status.releasing(claim, NOW)
    return replace(claim, conditions=tuple(patch["status"]["conditions"])) if patch else claim


def decided(claim=None, pod=None, **known):
    return decide(VpcIpFacts(now=NOW, claim=claim, pod=pod, **known))


def line(claim=None):
    claim = claim or fixed_claim(address=ADDRESS)
    obj = vpcip.new_object(claim, ADDRESS)
    obj["metadata"] |= {"uid": "line-1", "resourceVersion": "1"}
    if claim.binding:
        obj["metadata"]["labels"] |= {vpcip.NODE_NAME: claim.binding.node}
    obj["status"] = {name: value for name, value in vpcip.status_of(claim).items() if value is not None}
    return vpcip.read(obj)


def reservation(number=1, ip="10.0.3.7", state=ReservationState.UNBIND):
    return Reservation(
        reservation_id=f"rsvip-{number}", ip=ip, subnet_id="subnet-aaaaaaaa", vpc_id="vpc-1", state=state
    )


def test_every_pair_of_stage_and_relation_that_can_be_has_a_rule():
    pairs = set(itertools.product(ClaimStage, PodRelation)) - {(ClaimStage.ABSENT, PodRelation.SAME)}

    assert set(state_machine._TABLE) == pairs


@pytest.mark.parametrize(("seconds", "action"), [(2.9, Wait), (3.0, do.RefusePod)])
def test_an_obstacle_that_passes_at_once_is_not_told(seconds, action):
    obstacle = Obstacle(Reason.NODE_NOT_SERVED, "nobody: the EIP is ordered when somebody comes")

    what = decided(None, POD, obstacle=obstacle, obstructed_for=seconds)

    assert isinstance(what, action)
    if isinstance(what, do.RefusePod):
        assert what.passes
        assert what.message == "nobody: the address is chosen when somebody comes"


def test_an_obstacle_does_not_stop_what_was_begun():
    obstacle = Obstacle(Reason.AGENT_GONE, "gone")
    begun = AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", started=NOW)

    assert isinstance(decided(fixed_claim(pod=SERVED), POD, obstacle=obstacle), Postpone)
    assert isinstance(
        decided(fixed_claim(pod=SERVED, allocation=begun), POD, obstacle=obstacle), do.LookAtBook
    )


def test_a_pod_whose_workload_is_leaving_gets_no_claim():
    owned = pod_view(
        {VPC_IP_DELETE_POLICY: "Never"},
        nodeName="node-a",
        metadata={
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "StatefulSet",
                    "name": "web",
                    "uid": "s",
                    "controller": True,
                }
            ]
        },
    )
    rules = ClusterRules(cascade=True)

    assert isinstance(decided(None, owned, rules=rules), LookAtOwners)
    assert isinstance(decided(None, owned), do.CreateVpcIpClaim)


def test_a_kept_claim_is_handed_to_the_next_pod_and_one_that_is_not_goes_first():
    kept = fixed_claim(address=ADDRESS, pod=ClaimPod(uid="u0", node="node-b"))
    passing = fixed_claim(
        VpcIpRequest(delete_policy=VpcIpPolicy.IMMEDIATE),
        address=ADDRESS,
        pod=ClaimPod(uid="u0", node="node-b"),
    )

    assert decided(kept, POD) == RecordPod(pod=SERVED)
    assert decided(passing, POD) == LookAtPod()
    assert isinstance(decided(passing, POD, live_pod=LivePod(POD)), DeleteClaim)
    assert isinstance(decided(passing, None, live_pod=LivePod(None)), DeleteClaim)


@pytest.mark.parametrize(
    ("missed", "absent", "ends"),
    [(600.0, 300.0, True), (599.9, 300.0, False), (600.0, 299.9, False)],
)
def test_a_claim_expires_by_its_date_and_by_what_this_process_has_seen(missed, absent, ends):
    claim = fixed_claim(address=ADDRESS, pod=ClaimPod(uid="u1", node="node-a", last_seen=NOW - missed))

    what = decided(
        claim,
        None,
        rules=ClusterRules(expire_after=600.0),
        absent_for=absent,
        line=line(),
        live_pod=LivePod(None),
    )

    assert isinstance(what, DeleteClaim) is ends
    if not ends:
        assert isinstance(what, Wait)
        assert what.seconds == pytest.approx(0.1)


def test_an_expiry_that_cannot_be_read_keeps_the_claim():
    claim = fixed_claim(address=ADDRESS, pod=GONE, expiry="soon")

    assert decided(claim, None, rules=ClusterRules(expire_after=600.0), line=line()) == Idle()


def test_the_label_follows_the_binding_before_the_pod():
    elsewhere = AddressBinding(node="node-b", eni_id="eni-2", pod_uid="u1")
    claim = fixed_claim(address=ADDRESS, binding=elsewhere, pod=SERVED)

    assert decided(claim, POD) == SetNodeLabel(node="node-b")
    there = fixed_claim(address=ADDRESS, binding=elsewhere, pod=SERVED, node="node-b")
    assert decided(there, POD) == LookAtNode(node="node-b")
    assert isinstance(decided(there, POD, node_fate=NodeState.ALIVE), Wait)


class TestWaitingToBeReleased:
    """A deleted claim that waits says so before it does, and for what."""

    CLAIM = fixed_claim(address=ADDRESS, binding=BINDING, pod=SERVED, deleting=True)

    def test_for_its_pod_which_is_told_once(self):
        what = decided(self.CLAIM, POD, node_fate=NodeState.ALIVE)

        assert what == do.MarkReleasing(pod_runs=True)
        assert isinstance(decided(told(self.CLAIM), POD, node_fate=NodeState.ALIVE), Wait)

    def test_for_the_agent_when_the_pod_is_gone(self):
        assert decided(self.CLAIM, None, node_fate=NodeState.ALIVE) == do.MarkReleasing(pod_runs=False)

    def test_for_the_cloud(self):
        claim = fixed_claim(address=ADDRESS, deleting=True)
        busy = (reservation(state=ReservationState.BIND),)

        assert decided(claim, None, book=(), reservations=busy) == do.MarkReleasing(pod_runs=False)

    def test_its_words_name_address_pod_and_node(self):
        patch = status.releasing(self.CLAIM, NOW)

        assert patch
        (ready,) = patch["status"]["conditions"]
        assert patch["status"]["phase"] == "Releasing"
        assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "Releasing")
        assert "10.0.3.7 is given back when Pod default/web-0 is gone" in ready["message"]
        assert "node node-a" in ready["message"]
        assert status.releasing(told(self.CLAIM), NOW + 9) is None


class TestUnassign:
    """For a node that is gone the controller takes the address off its ENI."""

    CLAIM = fixed_claim(address=ADDRESS, binding=BINDING, deleting=True)

    def decided(self, claim=CLAIM, **known):
        return decided(told(claim), None, **{"node_fate": NodeState.GONE, **known})

    def test_only_after_a_look_at_the_eni(self):
        assert self.decided() == do.LookAtUse(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa", eni_id="eni-1")

    def test_if_it_is_there_for_this_claim_or_for_nobody_said(self):
        for uid in ("", "claim-1"):
            use = AddressHolder(place="ENI eni-1", eni_id="eni-1", claim_uid=uid)
            assert self.decided(use=use) == do.UnassignAddress(eni_id="eni-1", ip="10.0.3.7")

    @pytest.mark.parametrize(
        "use", [AddressHolder(place=""), AddressHolder(place="x", eni_id="eni-1", claim_uid="claim-9")]
    )
    def test_what_is_not_there_or_anothers_is_let_be(self, use):
        assert isinstance(self.decided(use=use), ClearBinding)

    def test_its_eip_goes_first(self):
        use = AddressHolder(place="x", eni_id="eni-1", claim_uid="claim-1", eip_id="eip-1")

        what = self.decided(use=use)

        assert isinstance(what, Wait)
        assert "eip-1 is still bound" in what.reason

    def test_a_lost_node_is_believed_only_when_its_pod_is_gone(self):
        assert self.decided(node_fate=NodeState.LOST) == LookAtPod()
        assert isinstance(self.decided(node_fate=NodeState.LOST, live_pod=LivePod(POD)), Wait)
        gone = self.decided(node_fate=NodeState.LOST, live_pod=LivePod(None))
        assert isinstance(gone, do.LookAtUse)

    def test_a_binding_of_nobody_is_cleared(self):
        nowhere = AddressBinding(node="", eni_id="")
        assert isinstance(self.decided(fixed_claim(deleting=True, binding=nowhere)), ClearBinding)


class TestRelease:
    """A deleted claim gives back in order: reservation, line, finalizer; and nothing that is in use."""

    def decided(self, claim=None, **known):
        claim = told(claim or fixed_claim(address=ADDRESS, deleting=True))
        return decided(claim, None, **{"book": (), "reservations": (), **known})

    def test_it_looks_at_book_and_reservations_first(self):
        assert self.decided(book=None) == do.LookAtBook()
        assert self.decided(reservations=None) == do.LookAtReservations()

    def test_in_this_order(self):
        assert self.decided(reservations=(reservation(),), book=(line(),)) == do.ReleaseReservation(
            reservation_id="rsvip-1", vpc_id="vpc-1"
        )
        released = frozenset({"rsvip-1"})
        assert self.decided(released=released, book=(line(),)) == do.DropLine(line=line())
        assert self.decided(released=released) == DropFinalizer()

    def test_one_that_an_eni_has_is_waited_for_and_told(self):
        what = self.decided(reservations=(reservation(state=ReservationState.BIND),))

        assert isinstance(what, Wait)
        assert what.warning == "AddressStillAssigned"

    def test_a_recorded_one_that_is_not_shown_is_released_by_its_id(self):
        assert isinstance(self.decided(), do.LookAtUse)
        free = AddressHolder(place="")
        assert self.decided(use=free) == do.ReleaseReservation(reservation_id="rsvip-1")
        ours = AddressHolder(place="ENI eni-1", eni_id="eni-1", claim_uid="claim-1")
        assert isinstance(self.decided(use=ours), Wait)

    def test_of_the_book_alone_it_goes_when_no_eni_has_it_for_the_claim(self):
        claim = fixed_claim(address=BY_BOOK, deleting=True)
        somebody = AddressHolder(place="ENI eni-9", eni_id="eni-9")

        assert isinstance(self.decided(claim), do.LookAtUse)
        assert self.decided(claim, use=somebody) == DropFinalizer()

    @pytest.mark.parametrize(("age", "settled"), [(SETTLE - 0.5, False), (SETTLE, True)])
    def test_what_was_asked_for_may_still_turn_up_for_a_while(self, age, settled):
        begun = AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", started=NOW - age)
        what = self.decided(fixed_claim(allocation=begun, deleting=True))

        assert (what == DropFinalizer()) is settled
        if not settled:
            assert isinstance(what, Wait)
            assert what.seconds == pytest.approx(0.5)

    def test_blind_it_stays_only_if_something_may_be_reserved(self):
        denied = AddressRefusal(VpcIpReason.PERMISSION_DENIED, "no")
        what = self.decided(reservations=None, refusal=denied)

        assert isinstance(what, Wait)
        assert what.warning == "ReservationNotReleased"
        nothing = fixed_claim(deleting=True, allocation=AddressOrder(attempt=3))
        assert self.decided(nothing, reservations=None, refusal=denied) == DropFinalizer()


class TestReserveAgain:
    """An address that only the book keeps is asked for again, now and then."""

    CLAIM = fixed_claim(address=BY_BOOK, pod=SERVED)

    def decided(self, claim=CLAIM, **known):
        return decided(claim, POD, **{"line": line(self.CLAIM), "reserve_again": True, **known})

    def test_not_all_the_time_and_not_while_an_eni_has_it(self):
        assert self.decided(reserve_again=False) == Idle()
        bound = fixed_claim(address=BY_BOOK, pod=SERVED, binding=BINDING)
        assert self.decided(bound, line=line(bound)) == Idle()

    def test_by_its_very_address_with_the_next_attempt(self):
        assert self.decided() == do.LookAtReservations()
        claim = fixed_claim(address=BY_BOOK, pod=SERVED, allocation=AddressOrder(attempt=4))
        what = self.decided(claim, reservations=())
        assert what == do.Reserve(
            order=AddressOrder(attempt=5, subnet_id="subnet-aaaaaaaa", ip="10.0.3.7", started=NOW),
            begun=False,
        )

    def test_what_is_found_is_recorded_and_what_is_spare_released(self):
        kept = self.decided(reservations=(reservation(),))
        assert isinstance(kept, do.KeepAddress)
        assert kept.address == ADDRESS
        spare = self.decided(reservations=(reservation(2, "10.0.3.8"),))
        assert spare == do.ReleaseReservation(reservation_id="rsvip-2", vpc_id="vpc-1")

    def test_a_refusal_is_said(self):
        refusal = AddressRefusal(VpcIpReason.QUOTA_EXCEEDED, "no more")
        assert self.decided(refusal=refusal) == do.MarkUnreserved(
            reason=VpcIpReason.QUOTA_EXCEEDED, message="no more"
        )
        taken = self.decided(reservations=(), foreign_ips=frozenset({"10.0.3.7"}), taken_by="eni-9")
        assert isinstance(taken, do.MarkUnreserved)
        assert "eni-9" in taken.message


class TestOwnReservationHinders:
    """The cloud does not assign the address, and nobody but our own reservation has it."""

    IN_USE = tuple(status.address_in_use(fixed_claim(address=ADDRESS), "taken", NOW)["status"]["conditions"])
    NOBODY = AddressHolder(place="")

    def decided(self, *, reservations=(), use=NOBODY, address=ADDRESS, **known):
        claim = fixed_claim(address=address, pod=SERVED, conditions=self.IN_USE)
        return decided(claim, POD, line=line(claim), reservations=reservations, use=use, **known)

    def test_it_is_looked_at_before_anything_is_given_up(self):
        assert self.decided(reservations=None) == do.LookAtReservations()
        look = do.LookAtUse(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa")
        assert self.decided(reservations=(reservation(),), use=None) == look

    @pytest.mark.parametrize("place", ["", "RESERVED rsvip-1"])
    def test_then_it_is_given_up_and_said(self, place):
        what = self.decided(reservations=(reservation(),), use=AddressHolder(place=place))
        assert what == do.ReleaseReservation(reservation_id="rsvip-1", vpc_id="vpc-1")
        after = self.decided(released=frozenset({"rsvip-1"}))
        assert isinstance(after, do.MarkGivenUp)
        assert after.reason is VpcIpReason.NOT_ASSIGNABLE

    def test_one_that_somebody_has_is_theirs(self):
        theirs = AddressHolder(place="ENI eni-9", eni_id="eni-9")
        assert isinstance(self.decided(reservations=(reservation(),), use=theirs), do.RefuseAddress)
        bound = reservation(state=ReservationState.BIND)
        assert isinstance(self.decided(reservations=(bound,), use=None), do.RefuseAddress)

    def test_of_one_that_is_not_shown_nothing_is_learned(self):
        gone = self.decided()
        assert isinstance(gone, do.MarkGivenUp)
        assert gone.reason is VpcIpReason.RESERVATION_LOST
        assert isinstance(self.decided(use=AddressHolder(place="CVM ins-9")), do.RefuseAddress)

    def test_an_address_of_the_book_alone_and_blind_looks_change_nothing(self):
        assert isinstance(self.decided(address=BY_BOOK), do.RefuseAddress)
        denied = AddressRefusal(VpcIpReason.PERMISSION_DENIED, "no")
        assert isinstance(self.decided(reservations=None, refusal=denied), do.RefuseAddress)

    def test_what_the_claim_says_afterwards_lets_the_agent_try_again_and_others_remember(self):
        claim = fixed_claim(address=ADDRESS, pod=SERVED, conditions=self.IN_USE)
        patch = status.given_up(claim, VpcIpReason.NOT_ASSIGNABLE, "it assigns none", NOW)["status"]
        kinds = {one["type"]: one["reason"] for one in patch["conditions"]}
        assert kinds == {"Reserved": "ReservedNotAssignable", "Ready": "Waiting"}
        assert patch["phase"] == "Provisioned"

        after = replace(claim, address=BY_BOOK, conditions=tuple(patch["conditions"]))
        assert own_reservation.met_by([fixed_claim(address=ADDRESS)]) is None
        refusal = own_reservation.met_by([fixed_claim(), after])
        assert refusal
        assert refusal.reason is VpcIpReason.NOT_ASSIGNABLE
        assert own_reservation.met_by([replace(after, address=ADDRESS)]) is None


def test_an_address_of_somebody_else_is_replaced_only_before_a_pod_has_had_it():
    in_use = tuple(status.address_in_use(fixed_claim(address=ADDRESS), "taken", NOW)["status"]["conditions"])

    def what(request=KEPT, **changes):
        claim = fixed_claim(request, address=ADDRESS, pod=SERVED, conditions=in_use, **changes)
        theirs = reservation(state=ReservationState.BIND)
        return decided(claim, POD, line=line(claim), reservations=(theirs,))

    assert isinstance(what(), do.RefuseAddress)
    assert what(assigned_ip="10.0.3.7") == Idle()
    assert isinstance(what(assigned_ip="10.0.3.6"), do.RefuseAddress)
    assert what(VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, nominated_ip="10.0.3.7")) == Idle()


def test_a_line_that_was_taken_out_by_force_is_written_again():
    claim = fixed_claim(address=ADDRESS, pod=SERVED)

    assert decided(claim, POD) == do.LookAtBook()
    assert decided(claim, POD, book=()) == do.WriteLine(address=ADDRESS)
    assert decided(claim, POD, book=(line(claim),)) == Idle()


def test_a_line_of_another_claim_is_not_written():
    claim = fixed_claim(address=ADDRESS, pod=SERVED, binding=BINDING)
    theirs = line(fixed_claim(address=ADDRESS, uid="claim-9"))

    assert decided(claim, POD, line=theirs) == Idle()


def test_a_line_follows_what_the_claim_says():
    bound = fixed_claim(address=ADDRESS, pod=SERVED, binding=BINDING)

    assert decided(bound, POD, line=line()) == do.SyncLine(line=line())
