"""EIPClaim objects: read whatever stands in them, and written so that phase and conditions stay true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.annotations.eip import DeletePolicy, request_of
from ipamd.core.claim import eipclaim
from ipamd.core.claim import status as claim_status
from ipamd.core.claim.eipclaim import ClaimAddress, ClaimBinding, ClaimPod, Phase
from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.annotation_names import DELETE_POLICY

POD = {
    "metadata": {
        "namespace": "default",
        "name": "web-0",
        "uid": "pod-1",
        "annotations": {DELETE_POLICY: "Never", "tke.cloud.tencent.com/eip-attributes": ""},
    },
    "spec": {"nodeName": "node-a"},
}
ADDRESS = ClaimAddress(eip_id="eip-1", public_ip="198.18.0.1", owned=True)
BINDING = ClaimBinding(node="node-a", eni_id="eni-1", private_ip="10.0.1.5", pod_uid="pod-1", sandbox="abc")


def stored(obj=None, **metadata):
    """The object as the API server would store it."""
    view = pods.view(POD)
    obj = obj or eipclaim.new_object(view, request_of(view))
    return {**obj, "metadata": {**obj["metadata"], "uid": "claim-1", "resourceVersion": "7", **metadata}}


def patched(obj, patch):
    """Apply a merge patch of the status (RFC 7386), as the API server does."""

    def merge(old, new):
        if not isinstance(new, dict):
            return new
        merged = dict(old) if isinstance(old, dict) else {}
        for key, value in new.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = merge(merged.get(key), value)
        return merged

    assert patch["metadata"] == {"resourceVersion": obj["metadata"]["resourceVersion"]}
    assert set(patch) == {"metadata", "status"}
    return {**obj, "status": merge(obj.get("status", {}), patch["status"])}


def write(obj, function, *arguments, **keywords):
    return patched(obj, function(eipclaim.read(obj), *arguments, **keywords))


def test_a_new_claim_is_the_pod_s_wish_and_held_from_the_start():
    claim = eipclaim.read(stored())

    assert (claim.namespace, claim.name, claim.node, claim.made_for) == (
        "default",
        "web-0",
        "node-a",
        "pod-1",
    )
    assert claim.held
    assert claim.retained
    assert claim.request == request_of(pods.view(POD))
    assert (claim.pod, claim.address, claim.binding, claim.allocation) == (None, None, None, None)
    assert claim_status.phase_of(claim) is Phase.PENDING


def test_what_is_written_is_what_is_read():
    obj = stored()
    obj = write(obj, claim_status.serve, ClaimPod(uid="pod-2", node="node-b"))
    obj = write(obj, claim_status.begin_attempt, 3, 1_700_000_000.0)
    obj = write(obj, claim_status.provisioned, ADDRESS, Reason.ALLOCATED, 1_700_000_001.0)
    obj = write(obj, claim_status.bound, BINDING, 1_700_000_002.0)
    claim = eipclaim.read(obj)

    assert claim.pod == ClaimPod(uid="pod-2", node="node-b")
    assert claim.pod_uid == "pod-2"
    assert claim.allocation == eipclaim.Allocation(attempt=3, started=1_700_000_000.0)
    assert claim.address == ADDRESS
    assert claim.binding == BINDING


def test_an_attempt_is_written_together_with_the_pod_that_it_is_for():
    served = ClaimPod(uid="pod-2", node="node-b")
    claim = eipclaim.read(write(stored(), claim_status.begin_attempt, 1, 1_700_000_000.0, served))

    assert claim.pod == served
    assert claim.allocation == eipclaim.Allocation(attempt=1, started=1_700_000_000.0)


def test_the_phase_follows_the_claim_through_its_life():
    phases = []
    obj = stored()
    for function, arguments in (
        (claim_status.serve, (ClaimPod(uid="pod-1", node="node-a"),)),
        (claim_status.begin_attempt, (1, 0.0)),
        (claim_status.provisioned, (ADDRESS, Reason.ALLOCATED, 1.0)),
        (claim_status.bound, (BINDING, 2.0)),
        (claim_status.unbound, (Reason.UNBOUND, "Pod is gone", 3.0)),
    ):
        obj = write(obj, function, *arguments)
        phases.append(obj["status"]["phase"])
    deleted = stored(obj, deletionTimestamp="2026-01-01T00:00:00Z")
    phases.append(write(deleted, claim_status.serve, ClaimPod(uid="pod-1"))["status"]["phase"])

    assert phases == ["Pending", "Pending", "Provisioned", "Bound", "Provisioned", "Releasing"]


@pytest.mark.parametrize(
    ("reason", "phase"),
    [(Reason.QUOTA_EXCEEDED, "Failed"), (Reason.AMBIGUOUS_EIP, "Failed"), (Reason.CLOUD_ERROR, "Pending")],
)
def test_a_claim_that_only_a_person_can_mend_is_failed(reason, phase):
    obj = write(stored(), claim_status.not_provisioned, reason, "no", 1.0, certain=True)

    assert obj["status"]["phase"] == phase


def test_a_condition_keeps_its_time_while_its_status_stays():
    obj = write(stored(), claim_status.not_provisioned, Reason.CLOUD_ERROR, "first", 100.0, certain=False)
    obj = write(obj, claim_status.not_provisioned, Reason.QUOTA_EXCEEDED, "second", 200.0, certain=False)
    condition, _ready = obj["status"]["conditions"]
    assert (condition["reason"], condition["message"]) == ("QuotaExceeded", "second")
    assert condition["lastTransitionTime"] == "1970-01-01T00:01:40Z"

    obj = write(obj, claim_status.provisioned, ADDRESS, Reason.ADOPTED, 300.0)

    condition, _ready = obj["status"]["conditions"]
    assert (condition["status"], condition["lastTransitionTime"]) == ("True", "1970-01-01T00:05:00Z")


def test_controller_and_agent_leave_each_other_s_conditions_alone():
    obj = write(stored(), claim_status.provisioned, ADDRESS, Reason.ALLOCATED, 1.0)
    obj = write(obj, claim_status.bound, BINDING, 2.0)
    obj = write(obj, claim_status.provisioned, ADDRESS, Reason.ADOPTED, 3.0)

    assert {c["type"]: c["status"] for c in obj["status"]["conditions"]} == {
        "Bound": "True",
        "Provisioned": "True",
        "Ready": "True",
    }


def test_a_certain_refusal_forgets_that_an_order_was_given_but_not_its_number():
    obj = write(stored(), claim_status.begin_attempt, 2, 50.0)
    doubtful = write(obj, claim_status.not_provisioned, Reason.CLOUD_ERROR, "?", 60.0, certain=False)
    certain = write(obj, claim_status.not_provisioned, Reason.QUOTA_EXCEEDED, "no", 60.0, certain=True)

    assert eipclaim.read(doubtful).allocation == eipclaim.Allocation(attempt=2, started=50.0)
    assert eipclaim.read(certain).allocation == eipclaim.Allocation(attempt=2, started=None)


def test_the_time_a_pod_was_last_seen_is_kept_and_removed():
    gone = write(
        stored(), claim_status.serve, ClaimPod(uid="pod-1", node="node-a", last_seen=1_700_000_000.0)
    )
    back = write(gone, claim_status.serve, ClaimPod(uid="pod-2", node="node-a"))

    assert eipclaim.read(gone).pod == ClaimPod(uid="pod-1", node="node-a", last_seen=1_700_000_000.0)
    assert eipclaim.read(back).pod == ClaimPod(uid="pod-2", node="node-a", last_seen=None)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({}, "bandwidthMbps"),
        ({"attributes": {"bandwidthMbps": "100", "isp": "BGP", "chargeType": "X"}}, "bandwidthMbps"),
        ({"attributes": {"bandwidthMbps": 1, "chargeType": "X"}}, "isp"),
        ({"attributes": {"bandwidthMbps": 1, "isp": "BGP", "chargeType": ["X"]}}, "chargeType"),
        (
            {"attributes": {"bandwidthMbps": 1, "isp": "BGP", "chargeType": "X"}, "deletePolicy": "Retain"},
            "deletePolicy",
        ),
    ],
)
def test_a_spec_that_cannot_be_used_is_told_and_the_claim_is_kept_on_doubt(spec, named):
    claim = eipclaim.read({**stored(), "spec": spec})

    assert claim.request is None
    assert named in claim.problem
    assert claim.retained


def test_an_eip_is_ours_only_when_the_claim_says_so_clearly():
    for owned in ("true", 1, None, "yes"):
        status = {"address": {"id": "eip-1", "ip": "198.18.0.1", "owned": owned}}
        address = eipclaim.read({**stored(), "status": status}).address
        assert address == ClaimAddress(eip_id="eip-1", public_ip="198.18.0.1", owned=False)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "pod",
                    "address",
                    "binding",
                    "allocation",
                    "conditions",
                    "uid",
                    "id",
                    "node",
                    "attempt",
                    "startedAt",
                    "lastSeen",
                    "attributes",
                    "deletePolicy",
                    "bandwidthMbps",
                    "isp",
                    "type",
                    "status",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    spec=junk,
    status=junk,
    labels=junk,
    annotations=junk,
    finalizers=st.lists(st.text(max_size=5)) | st.none(),
)
def test_whatever_stands_in_a_claim_it_can_be_read_and_its_status_written(
    spec, status, labels, annotations, finalizers
):
    obj = stored(labels=labels, annotations=annotations, finalizers=finalizers)
    claim = eipclaim.read({**obj, "spec": spec, "status": status})

    patch = claim_status.not_provisioned(claim, Reason.CLOUD_ERROR, "x", 1.0, certain=True)
    patch = patch or claim_status.begin_attempt(claim, 1, 1.0)

    assert patch["status"]["phase"] in {phase.value for phase in Phase}
    assert claim.request is None or isinstance(claim.request.delete_policy, DeletePolicy)


def test_a_claim_whose_bound_eip_is_lost_is_not_called_bound():
    obj = write(stored(), claim_status.provisioned, ADDRESS, Reason.ALLOCATED, 1.0)
    obj = write(obj, claim_status.bound, BINDING, 2.0)

    obj = write(obj, claim_status.eip_lost, "eip-1 does not exist any more", 3.0)

    assert eipclaim.read(obj).address is None
    assert eipclaim.read(obj).binding == BINDING
    assert obj["status"]["phase"] == "Pending"


def ready(obj):
    said = eipclaim.condition(eipclaim.read(obj).conditions, "Ready")
    return said.get("status"), said.get("reason")


def test_ready_says_what_the_claim_hangs_on():
    obj = write(stored(), claim_status.serve, ClaimPod(uid="pod-1", node="node-a"))
    assert ready(obj) == (None, None)
    obj = write(obj, claim_status.not_provisioned, Reason.QUOTA_EXCEEDED, "20 of 20", 1.0, certain=True)
    assert ready(obj) == ("False", "QuotaExceeded")
    obj = write(obj, claim_status.provisioned, ADDRESS, Reason.ALLOCATED, 2.0)
    assert ready(obj) == ("False", "Waiting")
    obj = write(obj, claim_status.binding_begun, BINDING, 3.0)
    assert ready(obj) == ("False", "Binding")
    obj = write(obj, claim_status.bind_failed, Reason.PERMISSION_DENIED, "no", 4.0)
    assert ready(obj) == ("False", "PermissionDenied")
    assert claim_status.phase_of(eipclaim.read(obj)) is Phase.FAILED
    obj = write(obj, claim_status.bound, BINDING, 5.0)
    assert ready(obj) == ("True", "Bound")
    obj = write(obj, claim_status.unbound, Reason.UNBOUND, "the Pod is gone", 6.0)
    assert ready(obj) == ("False", "Unbound")


def test_of_a_claim_that_goes_ready_says_that_it_goes():
    obj = write(stored(), claim_status.bound, BINDING, 1.0)
    obj = write(
        stored(obj, deletionTimestamp="2026-11-29T20:00:00Z"), claim_status.unbound, Reason.UNBOUND, "", 2.0
    )
    assert ready(obj) == ("False", "Releasing")
