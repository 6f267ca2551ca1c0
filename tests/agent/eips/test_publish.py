"""What the agent writes into claims: never over what it has not seen."""

import time
from dataclasses import replace

import pytest

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.eips.pod_annotations import PodAnnotations
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.pods.source import PodSource
from ipamd.core import model
from ipamd.core.claim import eipclaim, status
from ipamd.core.claim.eipclaim import ClaimAddress, ClaimBinding, ClaimPod
from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.timing import timestamps
from ipamd.kube.events import EventRecorder
from ipamd.kube.resources import EIPCLAIMS, PODS
from tests.testkit.eventually import eventually

POD = model.PodRef(namespace="default", name="web-0", uid="pod-1")
HERE = ClaimBinding(node="node-a", eni_id="eni-1", private_ip="10.0.1.5", pod_uid="pod-1", sandbox="s1")


@pytest.fixture
def announcer(client):
    """The announcer of node-a, whose watches have not told it anything since the claim was bound."""
    source = ClaimSource(client, "node-a")
    pods = PodSource(client, "node-a")
    events = EventRecorder(client, "test")
    return ClaimPublisher(
        "node-a",
        claims=source,
        pods=pods,
        annotations=PodAnnotations(client, pods),
        events=events,
        clock=time.time,
    )


@pytest.fixture
def bound(client):
    """A claim as the agent of node-a has last seen it: bound here."""
    provision(client, "pod-1")
    return write(client, status.bound, HERE, 2.0)


def provision(client, uid):
    """Create the claim of a Pod, with its EIP."""
    spec = {"attributes": {"bandwidthMbps": 1, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}}
    client.create(
        EIPCLAIMS,
        {
            "metadata": {
                "namespace": "default",
                "name": "web-0",
                "labels": {eipclaim.NODE_LABEL: "node-a"},
                "finalizers": [eipclaim.FINALIZER],
            },
            "spec": {**spec, "deletePolicy": "Never"},
        },
    )
    address = ClaimAddress(eip_id="eip-1", public_ip="198.18.0.1", owned=True)
    write(client, status.serve, ClaimPod(uid=uid, node="node-a"))
    write(client, status.provisioned, address, Reason.ALLOCATED, 1.0)


def read(client):
    return eipclaim.read(client.get(EIPCLAIMS, "web-0", "default"))


def write(client, function, *arguments):
    patch = function(read(client), *arguments)
    return eipclaim.read(client.patch(EIPCLAIMS, "web-0", patch, "default", subresource="status"))


def test_a_binding_that_still_stands_may_be_made_again(client, announcer, bound):
    assert announcer.begin(bound, POD, HERE).binding == HERE
    assert read(client).resource_version == bound.resource_version


def test_an_agent_that_was_cut_off_does_not_take_back_what_was_unbound_meanwhile(client, announcer, bound):
    """Its cache shows the binding; the controller has removed it, for the Pod's next node."""
    write(client, status.unbound, Reason.NODE_GONE, "node-a is lost", 3.0)
    write(client, status.serve, ClaimPod(uid="pod-2", node="node-b"))

    with pytest.raises(TryAgainError, match="serves Pod UID pod-2"):
        announcer.begin(bound, POD, HERE)

    assert read(client).binding is None


def test_nor_does_it_bind_what_another_node_has_bound(client, announcer, bound):
    there = ClaimBinding(node="node-b", eni_id="eni-2", private_ip="10.0.1.9", pod_uid="pod-1")
    write(client, status.bound, there, 3.0)

    with pytest.raises(TryAgainError, match="agent of node node-b"):
        announcer.begin(bound, POD, HERE)


def test_nor_for_a_claim_that_is_gone(client, announcer, bound):
    client.patch(EIPCLAIMS, "web-0", {"metadata": {"finalizers": None}}, "default")
    client.delete(EIPCLAIMS, "web-0", "default")

    with pytest.raises(TryAgainError, match="does not exist any more"):
        announcer.begin(bound, POD, HERE)


def refused(request_id):
    return cloud_error(
        "AssociateAddress", "LimitExceeded.InstanceAddressQuota", "no room at ins-1", request_id=request_id
    )


def test_a_failed_bind_is_in_the_claim_and_its_repeats_are_no_writes(client, announcer, bound):
    announcer.bind_failed(bound, POD, refused("r-1"))

    told = read(client)
    said = eipclaim.condition(told.conditions, eipclaim.BOUND)
    assert (said["status"], said["reason"]) == ("False", "QuotaExceeded")
    for part in ("LimitExceeded.InstanceAddressQuota", "r-1", "no room at ins-1"):
        assert part in said["message"]
    assert client.get(EIPCLAIMS, "web-0", "default")["status"]["phase"] == "Failed"
    announcer.bind_failed(told, POD, refused("r-2"))
    assert read(client).resource_version == told.resource_version


def test_a_failed_bind_is_not_written_over_what_the_next_node_has_written(client, announcer, bound):
    there = ClaimBinding(node="node-b", eni_id="eni-2", private_ip="10.0.1.9", pod_uid="pod-2")
    write(client, status.serve, ClaimPod(uid="pod-2", node="node-b"))
    newer = write(client, status.bound, there, 3.0)

    announcer.bind_failed(bound, POD, refused("r-1"))

    assert read(client).resource_version == newer.resource_version


def test_a_pod_s_wait_for_its_eip_is_counted_once(client):
    """By the API server's date of the Pod, which has no EIP yet as far as the watch tells."""
    created = client.create(
        PODS,
        {
            "metadata": {
                "namespace": "default",
                "name": "web-0",
                "annotations": {"tke.cloud.tencent.com/eip-attributes": ""},
            },
            "spec": {"nodeName": "node-a", "containers": [{"name": "m", "image": "x"}]},
        },
    )
    pod = model.PodRef(namespace="default", name="web-0", uid=created["metadata"]["uid"])
    provision(client, pod.uid)
    source, pods = ClaimSource(client, "node-a"), PodSource(client, "node-a")
    pods.start()
    assert pods.wait_synced(10)
    born = timestamps.from_text(created["metadata"]["creationTimestamp"])
    assert born
    announcer = ClaimPublisher(
        "node-a",
        claims=source,
        pods=pods,
        annotations=PodAnnotations(client, pods),
        events=EventRecorder(client, "test"),
        clock=lambda: born + 4,
    )
    binding = ClaimBinding(node="node-a", eni_id="eni-1", private_ip="10.0.1.5", pod_uid=pod.uid)

    def waits():
        (metric,) = announcer.metrics()
        return [count for _, count in metric.distribution.counts], metric.distribution.total

    announcer.bound(read(client), pod, binding)
    assert waits() == ([0, 0, 0, *[1] * 10], 4)
    eventually(lambda: (seen := pods.known(pod)) and "tke.cloud.tencent.com/eip-id" in seen.annotations)
    announcer.bound(read(client), pod, replace(binding, private_ip="10.0.1.6"))

    assert waits() == ([0, 0, 0, *[1] * 10], 4)
    pods.stop()


def test_a_binding_that_is_confirmed_at_last_is_written_though_it_was_begun_before(client, announcer):
    provision(client, "pod-1")
    begun = write(client, status.binding_begun, HERE, 2.0)

    announcer.bound(begun, POD, HERE)

    assert eipclaim.condition(read(client).conditions, eipclaim.BOUND)["status"] == "True"


def test_a_binding_elsewhere_is_written_though_the_claim_says_bound(client, announcer, bound):
    moved = replace(HERE, private_ip="10.0.1.6", sandbox="s2")

    announcer.bound(bound, POD, moved)

    assert read(client).binding == moved


def test_a_binding_that_is_told_already_is_not_written_again(client, announcer, bound):
    announcer.bound(bound, POD, HERE)

    assert read(client).resource_version == bound.resource_version
