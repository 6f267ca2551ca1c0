"""What our code writes into EIPClaims, stored whole by a real API server with the CRD of deploy/.

A field that the schema does not know would be dropped without a word, and one that it forbids would stop the
controller.
"""

import copy
import itertools
import time

import pytest
import yaml

from ipamd.core.annotations.eip import request_of
from ipamd.core.claim import change_record, eipclaim, status
from ipamd.core.claim.eipclaim import ClaimAddress, ClaimBinding
from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes import pods
from ipamd.kube import errors
from ipamd.kube.resources import EIPCLAIMS
from tests.apiserver.conftest import DEPLOY

MERGE = "application/merge-patch+json"
PREFIX = "tke.cloud.tencent.com/"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def client(cluster):
    client = cluster.client(cluster.token("tke-eni-ipamd"))
    yield client
    client.close()


def pod(**annotations):
    """A Pod that asks, as the controller sees it."""
    name = f"claim-{next(_numbers)}"
    named = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
    metadata = {"namespace": "default", "name": name, "uid": f"uid-{name}", "annotations": named}
    return pods.view({"metadata": metadata, "spec": {"nodeName": "node-a"}})


@pytest.mark.parametrize(
    "annotations",
    [
        {"eip_attributes": ""},
        {"eip_attributes": '{"Bandwidth":"100","ISP":"BGP"}'},
        {"eip_attributes": '{"Bandwidth":7,"ISP":"CMCC","InternetChargeType":"BANDWIDTH_POSTPAID_BY_HOUR"}'},
        {
            "eip_attributes": '{"InternetMaxBandwidthOut":2000,"InternetChargeType":"BANDWIDTH_PACKAGE",'
            '"BandwidthPackageId":"bwp-12345678"}'
        },
        {"eip_attributes": "", "eip_claim_delete_policy": "Never"},
        {"eip_attributes": "", "eip_claim_delete_policy": "Never", "claim_expired_duration": "1h30m"},
        {"eip_id_list": "eip-aaaa1111,eip-bbbb2222"},
    ],
    ids=str,
)
def test_every_claim_that_a_pod_can_ask_for_is_stored_as_it_was_written(client, annotations):
    view = pod(**annotations)
    written = eipclaim.new_object(view, request_of(view))

    stored = client.create(EIPCLAIMS, written)

    assert stored["spec"] == written["spec"]
    assert eipclaim.read(stored).request == request_of(view)
    assert eipclaim.read(stored).problem == ""


def test_every_status_that_is_written_is_stored_as_it_was_written(client):
    view = pod(eip_attributes="")
    claim = eipclaim.read(client.create(EIPCLAIMS, eipclaim.new_object(view, request_of(view))))
    binding = ClaimBinding(
        node="node-a", eni_id="eni-1", private_ip="10.0.1.4", pod_uid=view.ref.uid, sandbox="s"
    )
    address = ClaimAddress(eip_id="eip-1", public_ip="198.18.0.1", owned=True)
    now = time.time()
    writes = [
        lambda c: status.serve(c, eipclaim.ClaimPod(uid=view.ref.uid, node="node-a")),
        lambda c: status.begin_attempt(c, 1, now),
        lambda c: status.not_provisioned(c, Reason.QUOTA_EXCEEDED, "m", now, certain=True),
        lambda c: status.provisioned(c, address, Reason.ALLOCATED, now),
        lambda c: status.binding_begun(c, binding, now),
        lambda c: status.bound(c, binding, now),
        lambda c: status.unbound(c, Reason.UNBOUND, "m", now),
        lambda c: status.serve(c, eipclaim.ClaimPod(uid=view.ref.uid, node="node-a", last_seen=now)),
        lambda c: status.eip_lost(c, "it is gone", now),
    ]
    for write in writes:
        body = write(claim)
        assert body
        stored = client.patch(EIPCLAIMS, claim.name, body, claim.namespace, subresource="status")
        assert _holds(stored["status"], body["status"]), (stored["status"], body["status"])
        claim = eipclaim.read(stored)
    assert claim.pod.last_seen == int(now)


def _holds(stored, written):
    """Whether all that a merge patch says is in what was stored."""
    if not isinstance(written, dict):
        return stored == written
    return all(
        key not in stored if value is None else key in stored and _holds(stored[key], value)
        for key, value in written.items()
    )


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"attributes": {"bandwidthMbps": 0}}, "spec.attributes.bandwidthMbps"),
        ({"attributes": {"bandwidthMbps": 101}}, "spec.attributes"),
        ({"attributes": {"isp": "XYZ"}}, "spec.attributes.isp"),
        ({"attributes": {}, "addressIDs": ["eip-aaaa1111"]}, "spec"),
        ({"attributes": {}, "deletePolicy": "Maybe"}, "spec.deletePolicy"),
        ({"attributes": {}, "expireAfter": "4m"}, "spec.expireAfter"),
        ({"addressIDs": ["no id"]}, "spec.addressIDs"),
        ({"addressIDs": ["eip-aaaa1111", "eip-bbbb2222", "eip-aaaa1111"]}, "spec.addressIDs"),
    ],
    ids=str,
)
def test_what_a_person_writes_wrongly_is_refused_by_the_field(client, cluster, spec, field):
    body = {"metadata": {"namespace": "default", "name": f"wrong-{next(_numbers)}"}, "spec": spec}
    if cluster.minor >= 25:
        with pytest.raises(errors.InvalidObjectError, match=field):
            client.create(EIPCLAIMS, body)
        return
    # Such a server knows the schema and no rules: these the controller refuses.
    try:
        stored = client.create(EIPCLAIMS, body)
    except errors.InvalidObjectError:
        return
    read = eipclaim.read(stored)
    assert read.request is None
    assert read.problem.startswith(field)


def test_the_order_of_a_list_cannot_be_changed_because_it_says_who_gets_which_eip(client, cluster):
    if cluster.minor < 25:
        pytest.skip("no rules before Kubernetes 1.25; what a claim has stands in its status")
    listed = [f"eip-{number:08d}" for number in range(100)]
    name = f"ordered-{next(_numbers)}"
    body = {"metadata": {"namespace": "default", "name": name}, "spec": {"addressIDs": listed}}
    client.create(EIPCLAIMS, body)

    with pytest.raises(errors.InvalidObjectError, match="addressIDs cannot be changed"):
        client.patch(EIPCLAIMS, name, {"spec": {"addressIDs": listed[::-1]}}, "default")


def test_a_field_that_the_servers_crd_lacks_is_missed_before_anything_is_ordered(cluster, client):
    """As after an upgrade of the controller without its CRDs."""
    crd = yaml.safe_load((DEPLOY / "crd.yaml").read_text())
    older = copy.deepcopy(crd)
    (version,) = older["spec"]["versions"]
    attributes = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["attributes"]
    del attributes["properties"]["addressType"]
    attributes.pop("x-kubernetes-validations", None)
    name = older["metadata"]["name"]
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"

    def served(wanted):
        status, answer = cluster.server.call("PATCH", path, {"spec": wanted["spec"]}, content=MERGE)
        assert status == 200, answer
        return answer

    served(older)
    try:
        view = pod(eip_attributes='{"AddressType":"HighQualityEIP","ISP":"BGP"}')
        end = time.monotonic() + 30
        stored = client.create(EIPCLAIMS, eipclaim.new_object(view, request_of(view)))
        while "addressType" in stored["spec"]["attributes"] and time.monotonic() < end:
            client.delete(EIPCLAIMS, view.ref.name, "default")
            view = pod(eip_attributes='{"AddressType":"HighQualityEIP","ISP":"BGP"}')
            stored = client.create(EIPCLAIMS, eipclaim.new_object(view, request_of(view)))
    finally:
        served(crd)

    claim = eipclaim.read(stored)
    assert change_record.dropped(claim.carried, claim.request.order) == ("addressType",)
