"""What the operator has decided for all claims of the cluster, by flags of the controller. Pure."""

from dataclasses import dataclass

from ipamd.core.annotations.networks import ROUTE_ENI


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRules:
    """The defaults are TKE's."""

    expire_after: float | None = None
    """Seconds for which a retained claim outlives its Pod, if it says nothing itself; None: for ever."""
    least_absence: float = 300.0
    """Seconds for which the leader itself must have missed the Pod before a claim expires.

    The dates in the claim were written by the clocks of perhaps several leaders.
    """
    cascade: bool = False
    """Whether retained claims are deleted with the workload of their Pods."""
    early_orders: bool = False
    """Whether the EIP of a Pod is ordered before the Pod is scheduled."""
    default_network: str = ROUTE_ENI
    """The network of Pods that name none."""
    tagged_only: bool = False
    """Whether an EIP of an `eip-id-list` must name the Pod's namespace in its tag."""
