"""VpcIPClaim and VpcIP as objects: read whatever a person wrote, and written so that it is read again."""

import pytest

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import NODE_LABEL, ClaimPod, Phase, condition
from ipamd.core.kubernetes.annotation_names import EXPIRED_DURATION
from ipamd.core.vpc_ip import status, vpcip, vpcipclaim
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.status import MOST_REFUSED, phase_of
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder, FixedAddress
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, BINDING, EXCLUSIVE, OWN_ENI, fixed_claim

NOW = 1_800_000_000.0
FULL = VpcIpRequest(
    delete_policy=VpcIpPolicy.NEVER,
    expire_after=5400.0,
    nominated_ip="10.0.3.7",
    subnet_ids=("subnet-aaaaaaaa",),
)


def applied(obj, patch):
    """Return the object after a merge patch (RFC 7386) of its status."""

    def merged(old, new):
        if not isinstance(new, dict):
            return new
        kept = dict(old) if isinstance(old, dict) else {}
        for key, value in new.items():
            if value is None:
                kept.pop(key, None)
            else:
                kept[key] = merged(kept.get(key), value)
        return kept

    return merged(obj, patch)


def stored(request=FULL):
    obj = vpcipclaim.new_object(pod_view(nodeName="node-a"), request)
    obj["metadata"] |= {"uid": "claim-1", "resourceVersion": "7", "creationTimestamp": "2026-11-30T10:00:00Z"}
    return obj


@pytest.mark.parametrize("request_", [FULL, EXCLUSIVE, VpcIpRequest(delete_policy=VpcIpPolicy.IMMEDIATE)])
def test_what_is_made_for_a_pod_is_read_again(request_):
    claim = vpcipclaim.read(stored(request_))

    assert claim.request == request_
    assert (claim.made_for, claim.pod_uid, claim.node) == ("u1", "u1", "node-a")
    assert claim.held
    assert not claim.deleting
    assert vpcipclaim.read(vpcipclaim.trim(stored(request_))) == claim


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"type": "ENI"}, 'spec.type: is "ENI"'),
        ({"deletePolicy": "Delete"}, 'spec.deletePolicy: it is "Delete"'),
        ({"deletePolicy": None}, "spec.deletePolicy: it is null"),
        ({"expireAfter": "1m"}, "spec.expireAfter: it is"),
        ({"expireAfter": 90}, "spec.expireAfter:"),
        ({"nominatedIP": "10.0.0.300"}, "spec.nominatedIP: it is"),
        ({"subnetIDs": []}, "spec.subnetIDs: it is []"),
        ({"subnetIDs": "subnet-a"}, "spec.subnetIDs:"),
        ({"network": "flannel"}, 'spec.network: it is "flannel"'),
        ({"network": None}, "spec.network: it is null"),
    ],
)
def test_a_server_without_rules_lets_pass_what_is_refused_here(spec, problem):
    obj = {"metadata": {"namespace": "default", "name": "web-0"}, "spec": spec}

    claim = vpcipclaim.read(obj)

    assert claim.request is None
    assert claim.problem.startswith("VpcIPClaim default/web-0: ")
    assert problem.replace("spec.type: is", "spec.type is") in claim.problem
    assert claim.retained  # nothing is given back on doubt


def test_only_who_says_never_is_retained():
    assert vpcipclaim.read(stored(FULL)).retained
    assert not vpcipclaim.read(stored(VpcIpRequest(delete_policy=VpcIpPolicy.IMMEDIATE))).retained


@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, {"attempt": True}, {"attempt": 0}])
def test_junk_in_a_status_counts_as_nothing(junk):
    fields = ("address", "binding", "allocation", "pod", "assignedIP", "refusedIPs", "conditions")
    obj = {"metadata": {"name": "a", "labels": junk}, "spec": junk, "status": dict.fromkeys(fields, junk)}

    claim = vpcipclaim.read(obj)

    assert (claim.address, claim.pod, claim.allocation) == (None, None, AddressOrder(attempt=0))
    assert claim.conditions == ()
    assert vpcipclaim.read(obj | {"status": junk}).binding is None


def test_the_annotation_of_the_claim_is_kept():
    obj = stored()
    obj["metadata"]["annotations"][EXPIRED_DURATION] = " 10m "

    assert vpcipclaim.read(vpcipclaim.trim(obj)).expiry == "10m"


def test_a_claim_goes_through_its_phases():
    obj = stored()
    seen = [phase_of(vpcipclaim.read(obj))]

    def write(patch):
        nonlocal obj
        assert patch["metadata"]["resourceVersion"] == "7"
        obj = applied(obj, patch)
        claim = vpcipclaim.read(obj)
        assert obj["status"]["phase"] == phase_of(claim).value
        seen.append(phase_of(claim))
        return claim

    order = AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", ip="10.0.3.7", started=NOW)
    claim = write(status.begin_order(vpcipclaim.read(obj), order))
    assert claim.allocation == order
    claim = write(status.provisioned(claim, ADDRESS, VpcIpReason.RESERVED, "rsvip-1", NOW))
    assert (claim.address, claim.allocation.started) == (ADDRESS, None)
    claim = write(status.serve(claim, ClaimPod(uid="u1", node="node-a")))
    assert claim.pod == ClaimPod(uid="u1", node="node-a")
    claim = write(status.assigning(claim, BINDING, NOW))
    assert (claim.binding, claim.assigned_ip) == (BINDING, "")
    claim = write(status.assigned(claim, BINDING, NOW))
    assert (claim.binding, claim.assigned_ip) == (BINDING, "10.0.3.7")
    assert condition(claim.conditions, vpcipclaim.READY)["status"] == "True"
    claim = write(status.unassigned(claim, VpcIpReason.UNASSIGNED, "the Pod is gone", NOW))
    assert (claim.binding, claim.assigned_ip) == (None, "10.0.3.7")
    assert condition(claim.conditions, vpcipclaim.READY)["status"] == "False"

    assert seen == [
        Phase.PENDING,
        Phase.PENDING,
        Phase.PROVISIONED,
        Phase.PROVISIONED,
        Phase.PROVISIONED,
        Phase.BOUND,
        Phase.PROVISIONED,
    ]
    assert phase_of(fixed_claim(deleting=True)) is Phase.RELEASING


def test_what_a_person_has_to_mend_is_failed():
    waits = status.not_provisioned(fixed_claim(), VpcIpReason.NOT_SCHEDULED, "no node", NOW)
    fails = status.not_provisioned(fixed_claim(), VpcIpReason.SUBNET_FULL, "full", NOW)

    assert waits is not None
    assert fails is not None
    assert waits["status"]["phase"] == Phase.PENDING.value
    assert fails["status"]["phase"] == Phase.FAILED.value
    ready = condition(tuple(fails["status"]["conditions"]), vpcipclaim.READY)
    assert (ready["reason"], ready["message"]) == ("SubnetFull", "full")


def test_the_same_refusal_is_written_once():
    patch = status.not_provisioned(fixed_claim(), VpcIpReason.SUBNET_FULL, "full, RequestId a-1", NOW)
    assert patch is not None
    after = fixed_claim(conditions=tuple(patch["status"]["conditions"]))

    assert status.not_provisioned(after, VpcIpReason.SUBNET_FULL, "full, RequestId b-2", NOW) is None
    assert status.not_provisioned(after, VpcIpReason.CLOUD_ERROR, "full, RequestId a-1", NOW) is not None
    failed = status.assign_failed(fixed_claim(address=ADDRESS), VpcIpReason.ASSIGN_FAILED, "no", NOW)
    assert failed is not None
    again = fixed_claim(address=ADDRESS, conditions=tuple(failed["status"]["conditions"]))
    assert status.assign_failed(again, VpcIpReason.ASSIGN_FAILED, "no", NOW) is None


def test_an_address_in_use_is_taken_from_the_claim_and_remembered():
    used = applied(stored(), status.provisioned(fixed_claim(), ADDRESS, VpcIpReason.RESERVED, "r", NOW))
    used = applied(used, status.address_in_use(vpcipclaim.read(used), "somebody has it", NOW))
    claim = vpcipclaim.read(used)
    assert phase_of(claim) is Phase.FAILED

    after = vpcipclaim.read(applied(used, status.refuse_address(claim, "somebody has it", NOW)))

    assert (after.address, after.refused_ips) == (None, ("10.0.3.7",))
    assert condition(after.conditions, vpcipclaim.ASSIGNED) == {}
    many = tuple(f"10.0.4.{number}" for number in range(MOST_REFUSED))
    patch = status.refuse_address(fixed_claim(address=ADDRESS, refused_ips=many), "again", NOW)
    assert patch["status"]["refusedIPs"] == [*many[1:], "10.0.3.7"]


def test_a_lost_reservation_is_forgotten_and_said():
    had = applied(stored(), status.provisioned(fixed_claim(), ADDRESS, VpcIpReason.RESERVED, "r", NOW))
    patch = status.not_reserved(vpcipclaim.read(had), VpcIpReason.NOT_SUPPORTED, "not here", NOW)
    assert patch is not None

    claim = vpcipclaim.read(applied(had, patch))

    assert claim.address == FixedAddress(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa", zone="ap-test-1")
    assert condition(claim.conditions, vpcipclaim.RESERVED)["reason"] == "ReservationNotSupported"
    assert status.not_reserved(claim, VpcIpReason.NOT_SUPPORTED, "not here", NOW) is None


def book_line(**changes):
    obj = vpcip.new_object(fixed_claim(), ADDRESS)
    obj["metadata"] |= {"uid": "v1", "resourceVersion": "3", **changes.pop("metadata", {})}
    return vpcip.read({**obj, **changes})


def test_a_line_of_the_book_says_whose_address_it_is():
    line = book_line()

    assert (line.ip, line.subnet_id, line.claim_uid) == ("10.0.3.7", "subnet-aaaaaaaa", "claim-1")
    assert (line.claim_namespace, line.claim_name) == ("default", "web-0")
    assert line.held
    assert line.ours
    obj = vpcip.new_object(fixed_claim(), ADDRESS)
    assert vpcip.read(vpcip.trim(obj)) == vpcip.read(obj)


def test_a_line_of_another_component_is_not_ours():
    line = vpcip.read(
        {"metadata": {"name": "10.0.3.9"}, "spec": {"type": "Pod"}, "status": {"phase": "Assigned"}}
    )

    assert not line.ours
    assert not line.held


def test_a_line_follows_its_claim():
    claim = fixed_claim(address=ADDRESS)
    free = book_line()
    patch = vpcip.status_patch(free, claim)
    assert patch == {
        "metadata": {"resourceVersion": "3"},
        "status": {"phase": "Available", "node": None, "eniID": None, "reservationID": "rsvip-1"},
    }
    assert (
        vpcip.status_patch(book_line(status={"phase": "Available", "reservationID": "rsvip-1"}), claim)
        is None
    )
    assert vpcip.label_patch(free, claim) is None

    moving = fixed_claim(address=ADDRESS, binding=BINDING)
    assert vpcip.status_of(moving)["phase"] == "Attaching"
    label = vpcip.label_patch(free, moving)
    assert label is not None
    assert label["metadata"]["labels"] == {vpcip.CLAIM_UID: "claim-1", vpcip.NODE_NAME: "node-a"}
    conditions = tuple(status.assigned(moving, BINDING, NOW)["status"]["conditions"])
    assert vpcip.status_of(fixed_claim(address=ADDRESS, binding=BINDING, conditions=conditions)) == {
        "phase": "Assigned",
        "node": "node-a",
        "eniID": "eni-1",
        "reservationID": "rsvip-1",
    }
    assert NODE_LABEL not in label["metadata"]["labels"]


@pytest.mark.parametrize(
    ("spec", "exclusive"),
    [({}, False), ({"network": "tke-route-eni"}, False), ({"network": "tke-direct-eni"}, True)],
    ids=str,
)
def test_a_claim_is_of_one_network_the_shared_one_if_it_names_none(spec, exclusive):
    claim = vpcipclaim.read({"metadata": {"namespace": "default", "name": "web-0"}, "spec": spec})

    assert claim.exclusive is exclusive
    assert claim.request is not None
    assert claim.request.exclusive is exclusive


def test_a_claim_whose_network_was_dropped_is_no_claim_of_the_other_one():
    obj = stored(EXCLUSIVE)
    del obj["spec"]["network"]  # by an API server whose CRD is of an earlier release

    claim = vpcipclaim.read(obj)

    assert claim.exclusive
    assert claim.request is None
    assert "spec.network is not tke-direct-eni" in claim.problem
    assert "apply deploy/crd-vpcipclaim.yaml" in claim.problem
    assert "then run kubectl delete vipc web-0 -n default" in claim.problem
    assert claim.retained


def test_a_claim_that_has_an_eni_is_of_its_own_network_whatever_its_spec_says():
    obj = stored()
    obj["status"] = {"address": {"ip": "10.0.3.7", "eniID": "eni-own"}}

    claim = vpcipclaim.read(obj)

    assert claim.exclusive
    assert claim.request is None


def test_an_eni_of_its_own_keeps_the_address_of_a_claim():
    obj = stored(EXCLUSIVE)
    claim = vpcipclaim.read(obj)

    claim = vpcipclaim.read(
        applied(obj, status.provisioned(claim, OWN_ENI, VpcIpReason.RESERVED, "eni-own", NOW))
    )

    assert claim.address == OWN_ENI
    assert condition(claim.conditions, "Reserved")["status"] == "True"
    assert phase_of(claim) is Phase.PROVISIONED
