"""Claims, Pods, EIPs and facts as the tests of the rules need them, each with the parts that matter named."""

from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.claim.change_record import mark_of
from ipamd.core.claim.eipclaim import Claim, ClaimAddress, ClaimBinding, ClaimPod
from ipamd.core.claim.facts import ClaimFacts
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import EipOrder, EipStatus, PodRef
from tests.testkit.eips import listed_eip

CLUSTER = "cls-1"
NOW = 1_700_000_000.0
OWN = ClaimAddress(eip_id="eip-1", public_ip="198.18.0.1", owned=True)
GIVEN = ClaimAddress(eip_id="eip-9", public_ip="198.18.0.9", owned=False)
ON_A = ClaimBinding(node="node-a", eni_id="eni-a", private_ip="10.0.1.5", pod_uid="pod-1")


def pod(uid="pod-1", *, name="web-0", node="node-a", wants=True, phase="Running", deleting=False):
    return PodView(
        ref=PodRef(namespace="default", name=name, uid=uid),
        node=node,
        phase=phase,
        deleting=deleting,
        annotations={EIP_ATTRIBUTES: ""} if wants else {},
    )


def claim(*, never=False, **changes) -> Claim:
    policy = DeletePolicy.NEVER if never else DeletePolicy.DELETE
    fields = {
        "namespace": "default",
        "name": "web-0",
        "uid": "claim-1",
        "resource_version": "7",
        "deleting": False,
        "held": True,
        "node": "node-a",
        "made_for": "pod-1",
        "request": EipRequest(order=EipOrder(), delete_policy=policy),
        "problem": "",
        "pod": ClaimPod(uid="pod-1", node="node-a"),
        "address": None,
        "binding": None,
        "allocation": None,
        "conditions": (),
        "carried": mark_of(EipOrder()),
    }
    return Claim(**{**fields, **changes})


def eip(eip_id="eip-1", status=EipStatus.UNBIND, *, tagged=True, eni="", ip="", public_ip="198.18.0.1"):
    """Return an EIP of `claim()`."""
    uid = "claim-1" if tagged else ""
    place = {"eni_id": eni, "private_ip": ip}
    return listed_eip(eip_id, status, claim=uid, cluster=CLUSTER, public_ip=public_ip, **place)


def facts(claim=None, pod=None, **known) -> ClaimFacts:
    return ClaimFacts(cluster_id=CLUSTER, now=NOW, claim=claim, pod=pod, **known)


def listing(*eip_ids, never=False, **changes) -> Claim:
    """A claim of an `eip-id-list`."""
    policy = DeletePolicy.NEVER if never else DeletePolicy.DELETE
    return claim(request=EipRequest(address_ids=eip_ids, delete_policy=policy), **changes)
