"""What an EIPPool says to a claim that wants an EIP: whether it may have one, and who else waits. Pure."""

from ipamd.core.claim.eip_line import WaitingLine
from ipamd.core.claim.eip_selection import PoolOffer
from ipamd.core.claim.eipclaim import Claim, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.eip_pool.eippool import READY, EipPool


def offer_for(claim: Claim, name: str, pool: EipPool | None, line: WaitingLine, *, size: int) -> PoolOffer:
    """Return the offer to a claim; `pool` is None if there is none of the name, `size` what it has."""
    ahead, waiting = line.before(claim)
    return PoolOffer(
        name=name,
        uid=pool.uid if pool else "",
        refusal=_refusal(claim, name, pool),
        growth=_growth(pool, size) if pool else "",
        ahead=ahead,
        waiting=waiting,
    )


def _refusal(claim: Claim, name: str, pool: EipPool | None) -> tuple[Reason, str] | None:
    if pool is None:
        return Reason.POOL_NOT_FOUND, (
            f"there is no EIPPool {name}: have it created (kubectl get eipp shows those that there are), or "
            "correct the annotation eip-pool and create the Pod again"
        )
    if pool.deleting:
        return Reason.POOL_REFUSED, f"EIPPool {name} is being deleted: name another one"
    if pool.spec is None:
        return Reason.POOL_REFUSED, f"{pool.problem}: have it corrected"
    if pool.spec.namespaces and claim.namespace not in pool.spec.namespaces:
        return Reason.POOL_REFUSED, (
            f"EIPPool {name} is not for namespace {claim.namespace}: its spec.namespaces has "
            f"{', '.join(pool.spec.namespaces)}; have yours added, or name another pool"
        )
    return None


def _growth(pool: EipPool, size: int) -> str:
    if pool.spec is None or pool.spec.order is None or size >= pool.spec.most:
        return ""
    ready = condition(tuple(pool.status.get("conditions") or ()), READY)
    if ready.get("status") == "False":
        return f"the pool could not order another: {ready.get('reason')}, see kubectl describe eipp {pool}"
    return f"another is ordered, the pool may have {pool.spec.most}"
