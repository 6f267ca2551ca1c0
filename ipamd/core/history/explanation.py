"""What is wrong with a Pod's network, the first cause first, and what happens next. Pure.

The order is that of an ADD: what comes earlier keeps what comes later from happening.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ipamd.core.claim.eipclaim import EGRESS_THROUGH_EIP, USABLE, Claim, condition
from ipamd.core.eip import binding_plan
from ipamd.core.history.events import PodEvent
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger.states import Address, Assigned, BindStage


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSight:
    """Everything that is known of one Pod now."""

    name: str
    node: str
    pod: PodView | None
    """As the API server tells; None when it has no such Pod on this node."""
    wants_eip: bool
    wish_problem: str = ""
    """Why its annotations cannot be understood, or not be served here."""
    wish_next: str = ""
    """What a person does about that, where the annotations themselves are well."""
    claim: Claim | None = None
    address: Address | None = None
    events: Sequence[PodEvent] = ()
    kernel: Sequence[str] = ()
    """What differs in the kernel, one sentence each."""
    kernel_next: str = ""
    """What a person does about that; empty where the agent mends it."""
    eni_problem: str = ""
    """Why the ENI of its address carries no packets; all that hangs on the ENI is wrong by that."""
    eni_next: str = ""
    """What an operator does about it."""
    cloud: Sequence[str] = ()
    """What differs in the cloud, one sentence each."""
    bind_error: str = ""
    """Why the last attempt to bind failed, and when it is tried again."""
    way_problem: str = ""
    """Why the internet does not see what it should; empty if it does."""
    pool: str = ""
    """What a Pod without address waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is wrong, the first cause first; and what comes next."""

    wrong: tuple[str, ...]
    next: str


def explained(sight: PodSight) -> Explanation:
    """Return what is wrong with a Pod and what comes next."""
    wrong = tuple(dict.fromkeys(_wrong(sight)))
    return Explanation(wrong=wrong, next=_next(sight, bool(wrong)))


def is_known(sight: PodSight) -> bool:
    """Whether anything at all is known of the Pod."""
    return bool(sight.pod or sight.claim or sight.address or sight.events)


def _wrong(sight: PodSight) -> Iterator[str]:
    if sight.wish_problem:
        yield sight.wish_problem
    owned = sight.address is not None and isinstance(sight.address.state, Assigned)
    failed = _last_add_failure(sight.events)
    told = bool(sight.wish_problem) and sight.wish_problem in failed
    if failed and not told and not owned and not _has_left(sight):
        yield failed
    if owned and sight.eni_problem:
        yield sight.eni_problem
        return
    if sight.wants_eip and not _has_left(sight):
        yield from _of_claim(sight)
    if owned:
        yield from sight.kernel
        yield from sight.cloud
        yield from filter(None, (sight.way_problem,))


def _of_claim(sight: PodSight) -> Iterator[str]:
    refused = binding_plan.refusal(sight.claim)
    if refused:
        yield f"the EIPClaim gets no EIP: {refused}"
    if sight.claim is not None and sight.claim.problem:
        yield f"the EIPClaim cannot be used: {sight.claim.problem}"
    if sight.bind_error:
        yield f"the EIP is not bound: {sight.bind_error}"
    for kind in (USABLE, EGRESS_THROUGH_EIP):
        told = condition(sight.claim.conditions, kind) if sight.claim else {}
        if told.get("status") == "False":
            yield f"{kind} is False, {told.get('reason')}: {told.get('message')}"


def _last_add_failure(events: Sequence[PodEvent]) -> str:
    """Return why the last ADD failed; empty if a later one has succeeded."""
    for event in reversed(events):
        if event.step == "ADD":
            return event.text if event.failed else ""
    return ""


def _has_left(sight: PodSight) -> bool:
    return sight.pod is None or not sight.pod.wants_sandbox


def _next(sight: PodSight, wrong: bool) -> str:  # noqa: FBT001
    if sight.pod is None:
        if sight.claim is not None and sight.claim.address is not None:
            return f"the controller keeps or releases {sight.claim.address.eip_id} as the claim's policy says"
        return "nothing: the API server has no such Pod on this node"
    if not sight.pod.wants_sandbox:
        return "the runtime sends DEL, then the address cools down; the Pod gets no network any more"
    if sight.pod.host_network:
        return "nothing: the Pod has the node's own network (hostNetwork)"
    return _next_of_running(sight, sight.pod, wrong)


def _next_of_running(sight: PodSight, pod: PodView, wrong: bool) -> str:  # noqa: FBT001
    if sight.address is None or not isinstance(sight.address.state, Assigned):
        if sight.wish_problem:
            corrected = "the Pod has to be created again, with the annotations corrected"
            return f"nothing by itself: {sight.wish_next or corrected}"
        waits = f"; it will wait for: {sight.pool}" if sight.pool else ""
        return f"the kubelet makes a sandbox and the runtime sends ADD, again and again{waits}"
    if sight.eni_problem:
        return f"nothing by itself: {sight.eni_next}"
    if sight.kernel_next:
        return f"nothing by itself: {sight.kernel_next}"
    if sight.wants_eip:
        waits = binding_plan.waited_for(sight.claim, pod.ref, sight.node)
        if waits:
            return f"its EIP waits for {waits}"
        if sight.address.eip is None or sight.address.eip.stage is not BindStage.BOUND:
            return "the agent binds the EIP to its address"
    if wrong:
        return "the agent mends what is its own in its next round; for the rest see `ipamctl check`"
    return "nothing: all is done"
