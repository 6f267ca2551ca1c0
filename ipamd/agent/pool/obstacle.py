"""Why no address will come to a Pod that waits for one: what is full, disabled, frozen, broken or refused."""

from collections.abc import Callable, Sequence

from ipamd.agent.enis import NodeEni
from ipamd.core import model, pool
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.kubernetes import capacity
from ipamd.core.ledger.states import Held
from ipamd.core.timing.boottime import Boottime


class NodeFullError(TryAgainError):
    """Pods have all addresses that the node can have: a fact, and nothing to be mended."""


class NodeDisabledError(TryAgainError):
    """The node's configuration has no addresses for Pods: a wish, and nothing to be mended."""


MEANT = (NodeFullError, NodeDisabledError)
"""What is as it should be, though no Pod gets an address."""


def obstacle(
    facts: pool.PoolFacts,
    now: Boottime,
    *,
    frozen: Callable[[], IpamError | None],
    broken: Sequence[NodeEni],
    disabled_by: str,
    refusals: Sequence[IpamError],
) -> IpamError | None:
    """Return why no address will come, while nothing is under way that may bring one; None when it may.

    `refusals` are what the cloud refuses now, the one that tells most first.
    """
    ledger = facts.ledger
    if ledger.available or pool.coming_free(ledger, now) or ledger.in_state(Held):
        return None
    room = pool.room(facts)
    if room > 0 and (error := frozen()):
        return error
    if pool.open_room(facts) > 0:
        return None
    if broken and (len(broken) >= pool.MOST_BROKEN or room <= 0):
        return TryAgainError(
            f"{len(broken)} ENIs of the node cannot carry Pods: {broken[0].problem}",
            advice="mend the node's network; `ipamctl status` names each ENI with its problem",
        )
    if disabled_by:
        return NodeDisabledError(
            f"the node has no addresses for Pods: it is disabled by {disabled_by}",
            advice="schedule the Pod elsewhere, or enable the node there",
        )
    if room <= 0:
        return _node_is_full(facts.limits, len(pool.stuck(ledger, now)))
    is_lasting = all(not isinstance(e, CloudError) or e.kind.policy.retry_after for e in refusals)
    return refusals[0] if refusals and is_lasting else None


def _node_is_full(limits: model.EniLimits, stuck: int) -> IpamError:
    full = (
        f"the node is full: all {capacity.pod_ips(limits)} addresses for Pods are taken "
        f"({limits.enis} ENIs with {limits.ips_per_eni} addresses each, less the node's own)"
    )
    if stuck:
        return TryAgainError(
            f"{full}; {stuck} of them wait for longer than {pool.UNBIND_SECONDS:.0f} s until their EIPs are "
            "unbound",
            advice="`ipamctl eips` names them, and the agent's log why the cloud does not unbind their EIPs",
        )
    return NodeFullError(
        full, advice=f"let Pods request {capacity.ENI_IP_RESOURCE}, so that the scheduler counts them"
    )
