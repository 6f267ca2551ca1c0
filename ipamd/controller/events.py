"""What users are told about their Pods and claims: Events with the cloud's code, its RequestId and advice.

Thread safety: any thread may call any method; nothing here waits or fails.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

from ipamd.core.claim import eipclaim
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.model import PodRef
from ipamd.kube.events import EventRecorder
from ipamd.kube.resources import EIPPOOLS, LEASES, NODE_ENI_CONFIGS, NODES

COMPONENT = "tke-eni-ipamd"
"""The source of the Events, as users of TKE know it."""

_REMEMBERED = 4096
"""Hints; more Pods with a hint than that hear theirs again."""


Tell = Callable[[Literal["Normal", "Warning"], str, str], None]
"""Says something about the cluster as a whole: kind, reason and message of an Event."""


class ClaimEvents:
    """Records Events on claims and on the Pods that they serve."""

    def __init__(self, recorder: EventRecorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def claim(self, claim: Claim, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Tell it on the claim."""
        self._recorder.record(_claim_reference(claim), kind, reason, message)

    def pod(self, pod: PodRef, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Tell it on the Pod."""
        self._recorder.record(_pod_reference(pod), kind, reason, message)

    def pod_once(self, pod: PodRef, reason: str, message: str) -> None:
        """Warn on the Pod, unless this process has said just this on it lately."""
        said = (pod.uid, reason, message)
        with self._lock:
            if said in self._told:
                self._told.move_to_end(said)
                return
            self._told[said] = None
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
        self.pod(pod, "Warning", reason, message)

    def both(self, claim: Claim, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Tell it on the claim and on the Pod that it serves."""
        self.claim(claim, kind, reason, message)
        if claim.pod_uid:
            served = PodRef(namespace=claim.namespace, name=claim.name, uid=claim.pod_uid)
            self.pod(served, kind, reason, message)

    def object(
        self, about: dict[str, Any], kind: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Tell it on the object of this reference."""
        self._recorder.record(about, kind, reason, message)

    def eip_pool(
        self, name: str, uid: str, kind: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Tell it on an EIPPool."""
        about = {"apiVersion": EIPPOOLS.api_version, "kind": EIPPOOLS.kind, "name": name, "uid": uid}
        self._recorder.record(about, kind, reason, message)

    def node(self, name: str, uid: str, reason: str, message: str) -> None:
        """Warn on a Node."""
        about = {"apiVersion": NODES.api_version, "kind": NODES.kind, "name": name, "uid": uid}
        self._recorder.record(about, "Warning", reason, message)

    def node_eni_config(self, name: str, uid: str, reason: str, message: str) -> None:
        """Warn on a NodeENIConfig."""
        kind = NODE_ENI_CONFIGS
        about = {"apiVersion": kind.api_version, "kind": kind.kind, "name": name, "uid": uid}
        self._recorder.record(about, "Warning", reason, message)

    def config_map(self, namespace: str, name: str, *, uid: str, reason: str, message: str) -> None:
        """Warn on a ConfigMap, also on one that does not exist (`uid` is empty)."""
        about = {"apiVersion": "v1", "kind": "ConfigMap", "namespace": namespace, "name": name, "uid": uid}
        self._recorder.record(about, "Warning", reason, message)

    def lease(
        self, namespace: str, name: str, kind: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Tell what concerns the cluster as a whole, on the Lease of the controller."""
        about = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "namespace": namespace, "name": name}
        self._recorder.record(about, kind, reason, message)


def _claim_reference(claim: Claim) -> dict[str, Any]:
    return {
        "apiVersion": eipclaim.API_VERSION,
        "kind": eipclaim.KIND,
        "namespace": claim.namespace,
        "name": claim.name,
        "uid": claim.uid,
    }


def _pod_reference(pod: PodRef) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
