"""What users are told about fixed addresses: Events on VpcIPClaims, on the Pods that they serve, on VpcIPs.

Thread safety: any thread may call any method; nothing here waits or fails.
"""

from typing import Any, Literal

from ipamd.controller.events import ClaimEvents
from ipamd.core.model import PodRef
from ipamd.core.vpc_ip import vpcip, vpcipclaim
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

_Kind = Literal["Normal", "Warning"]


class VpcIpTeller:
    """Records Events by what records those of EIPClaims."""

    def __init__(self, teller: ClaimEvents) -> None:
        self._teller = teller

    def claim(self, claim: VpcIpClaim, kind: _Kind, reason: str, message: str) -> None:
        """Tell it on the claim."""
        about = _reference(vpcipclaim.KIND, claim.name, claim.uid) | {"namespace": claim.namespace}
        self._teller.object(about, kind, reason, message)

    def line(self, line: VpcIp, reason: str, message: str) -> None:
        """Warn on a VpcIP."""
        self._teller.object(_reference(vpcip.KIND, line.ip, line.uid), "Warning", reason, message)

    def both(self, claim: VpcIpClaim, kind: _Kind, reason: str, message: str) -> None:
        """Tell it on the claim and on the Pod that it serves."""
        self.claim(claim, kind, reason, message)
        if claim.pod_uid:
            self._teller.pod(_served(claim), kind, reason, message)

    def pod_once(self, pod: PodRef, reason: str, message: str) -> None:
        """Warn on the Pod, unless this process has said just this on it lately."""
        self._teller.pod_once(pod, reason, message)

    def served_once(self, claim: VpcIpClaim, reason: str, message: str) -> None:
        """Warn once on the Pod that the claim serves."""
        self._teller.pod_once(_served(claim), reason, message)


def _served(claim: VpcIpClaim) -> PodRef:
    return PodRef(namespace=claim.namespace, name=claim.name, uid=claim.pod_uid)


def _reference(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {"apiVersion": vpcipclaim.API_VERSION, "kind": kind, "name": name, "uid": uid}
