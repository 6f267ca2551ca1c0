"""What people are told who delete a line of the book, which a claim goes on to have."""

from dataclasses import dataclass

from ipamd.controller.fence import Fence
from ipamd.controller.vpc_ips.teller import VpcIpTeller
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.kube.leases import NotLeaderError


@dataclass(frozen=True, slots=True)
class LineNotice:
    """Tells people who delete a VpcIP by hand what to do instead, if this replica leads."""

    teller: VpcIpTeller
    fence: Fence

    def tell(self, line: VpcIp) -> None:
        """Warn on the VpcIP; another replica leaves it to the leader."""
        try:
            self.fence.deadline()
        except NotLeaderError:
            return
        self.teller.line(
            line,
            "VpcIPInUse",
            f"{line.ip} belongs to VpcIPClaim {line.claim_namespace}/{line.claim_name} and stays as long as "
            f"that does: to give it back, run kubectl delete vipc {line.claim_name} -n "
            f"{line.claim_namespace}",
        )
