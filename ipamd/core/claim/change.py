"""Changes of a claim's EIP while it stays where it is: when one is due, what comes next, what is refused.

The spec of the claim says what the EIP is to be. The controller carries an edit of the Pod's annotation over
into it; a person may edit it, too; the last edit counts (ADR 0041). Nothing is asked of the cloud unless the
spec differs from what the EIP was last brought to, and each step is decided on a look at the EIP. Rules in
the manner of `state_machine`, which has the table. Pure.
"""

from ipamd.core import tags
from ipamd.core.annotations.eip import request_of
from ipamd.core.annotations.eip_attributes import BY_CVM
from ipamd.core.claim import change_record, eip_change
from ipamd.core.claim.actions import (
    Action,
    CarryAttributes,
    ChangeEip,
    FinishChange,
    LookAtCloud,
    RefuseChange,
    Wait,
)
from ipamd.core.claim.change_record import CONFIRM, ChangeRecord, attributes_of
from ipamd.core.claim.eip_change import CHARGE_CHANGES, ChangeKind, value_of
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.facts import ClaimFacts
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import Eip, EipOrder, EipStatus

SETTLE = 60.0
"""Seconds in which a step that was given to the cloud may still show; then it is given again."""
CHARGE_SETTLE = 300.0
"""The same for a charge type, which is never given again: a person has to look and to confirm anew."""
_POLL = 1.0
_SETTLED = (EipStatus.BIND, EipStatus.BIND_ENI, EipStatus.UNBIND)


def carry(claim: Claim, pod: PodView, default_network: str) -> Action | None:
    """Return how an edit of the Pod's annotation gets into the claim's spec; None when there is none.

    What an EIP cannot become is not carried over, and `warnings` says so. A claim that knows of no annotation
    (an earlier release or a person made it) counts as it is, and follows the next edit.
    """
    held = claim.request.order if claim.request else None
    wish = _wish(pod, default_network)
    if held is None or wish is None:
        return None
    mark = change_record.mark_of(wish)
    if claim.carried == mark:
        return None
    if claim.carried is None:
        return CarryAttributes(order=None, mark=mark)
    if eip_change.unchangeable_wish(wish, held):
        return None
    return CarryAttributes(order=wish if wish != held else None, mark=mark)


def is_due(claim: Claim) -> bool:
    """Whether the claim's EIP may have to be changed."""
    order = claim.request.order if claim.request else None
    if order is None or claim.address is None:
        return False
    record = claim.change
    if claim.confirmed == order.charge_type:  # one of another type waits for an edit that names it
        return True
    if record is not None and record.refused_generation == claim.generation:
        return False
    if record is not None:
        return True
    if claim.attributes is None:
        return claim.generation > 1  # of an earlier release, and edited since it was made
    return dict(claim.attributes) != attributes_of(order)


def change(facts: ClaimFacts, claim: Claim) -> Action | None:
    """Return the next step towards the EIP that the spec describes; None when none is due."""
    if claim.request is None and claim.address is not None and claim.generation > 1:
        return _unreadable(claim)
    order = claim.request.order if claim.request else None
    if order is None or claim.address is None or not is_due(claim):
        return None
    if not claim.address.owned:
        return RefuseChange(
            message=f"{claim.address.eip_id} is an EIP of yours: it is changed in the console, not by a claim"
        )
    if facts.eips is None:
        return LookAtCloud()
    eip = next((eip for eip in facts.eips if eip.eip_id == claim.address.eip_id), None)
    if eip is None:
        return None  # the sweep finds out whether it is gone
    if eip.status not in _SETTLED:
        return Wait(reason=f"{eip.eip_id} is {eip.status.value}", seconds=_POLL)
    return _under_way(facts, claim, eip) or _next(claim, order, eip)


def _unreadable(claim: Claim) -> Action | None:
    """Say once of a spec that cannot be used (an old API server let it pass) that its EIP stays as it is."""
    if claim.change is not None and claim.change.refused_generation == claim.generation:
        return None
    return RefuseChange(message=f"{claim.problem}; its EIP stays as it is until the claim is corrected")


def _wish(pod: PodView, default_network: str) -> EipOrder | None:
    try:
        return request_of(pod, default_network).order
    except InvalidInputError:
        return None


def _under_way(facts: ClaimFacts, claim: Claim, eip: Eip) -> Action | None:
    """Wait for what was given to the cloud, by this process or by one that was killed since."""
    record = claim.change
    if record is None or record.started is None or record.kind is None:
        return None
    if value_of(record.kind, eip) == record.value or facts.change_failed:
        return None
    scarce = record.kind is ChangeKind.CHARGE_TYPE
    age = facts.now - record.started
    if 0 <= age < (CHARGE_SETTLE if scarce else SETTLE):
        return Wait(reason=f"{eip.eip_id} does not show {record.value or 'the change'} yet", seconds=_POLL)
    return _not_shown(claim, eip, record) if scarce else None


def _not_shown(claim: Claim, eip: Eip, record: ChangeRecord) -> RefuseChange:
    return RefuseChange(
        message=f"{eip.eip_id} was to become {record.value}, and still shows {eip.charge_type} "
        f"after {CHARGE_SETTLE:.0f} s: it is not asked again, because it may have counted; look at the EIP "
        f"in the console, then {_how_to_confirm(claim, record.value)}"
    )


def _next(claim: Claim, order: EipOrder, eip: Eip) -> Action:
    impossible = eip_change.unchangeable(order, eip)
    if impossible:
        return RefuseChange(
            message=f"{impossible}; write spec.attributes as it was, or delete the claim for another EIP"
        )
    unconfirmed = _unconfirmed(claim, order, eip)
    if unconfirmed:
        return RefuseChange(message=unconfirmed)
    name, nameless = _name(claim, order, eip)
    step = eip_change.next_step(order, eip, name)
    if step:
        return ChangeEip(eip_id=eip.eip_id, step=step)
    refusal = nameless or _of_the_cvm(claim, order, eip)
    return RefuseChange(message=refusal) if refusal else FinishChange(message=_shown(order, eip))


def _unconfirmed(claim: Claim, order: EipOrder, eip: Eip) -> str:
    """Return why the charge type is not changed: it is scarce, and a person has to name the very one."""
    if claim.confirmed == order.charge_type or not eip_change.spends_charge_change(order, eip):
        return ""
    return (
        f"{eip.eip_id} is billed {eip.charge_type}, and {order.charge_type} is wanted: the charge type of an "
        f"EIP can change {CHARGE_CHANGES} times in its life, so it has to be confirmed: "
        f"{_how_to_confirm(claim, order.charge_type)}; or write chargeType as it was"
    )


def _how_to_confirm(claim: Claim, charge_type: str) -> str:
    return f"kubectl annotate eipc {claim.name} -n {claim.namespace} {CONFIRM}={charge_type}"


def _name(claim: Claim, order: EipOrder, eip: Eip) -> tuple[str, str]:
    """Return the name that the EIP is to have, and why it cannot have that of the spec."""
    ours = tags.name_of(claim.namespace, claim.name, claim.uid)
    if not order.name or tags.CLAIM_UID in eip.tags:
        return order.name or ours, ""
    if claim.attributes is not None and claim.attributes.get("name") == order.name:
        return ours, ""
    return ours, (
        f"{eip.eip_id} has no tag {tags.CLAIM_UID} and is known by its name: it keeps it; remove "
        "spec.attributes.name"
    )


def _of_the_cvm(claim: Claim, order: EipOrder, eip: Eip) -> str:
    """Return why the account does not have what the spec says, if that is not what it said before."""
    if eip.charge_type or order.charge_type == BY_CVM or claim.attributes is None:
        return ""
    billing = ("bandwidthMbps", "chargeType", "bandwidthPackageID")
    wanted = attributes_of(order)
    differing = [field for field in billing if claim.attributes.get(field) != wanted[field]]
    if not differing:
        return ""
    return (
        f"the account bills EIPs by CVM (LEGACY): {' and '.join(differing)} of {eip.eip_id} cannot be "
        "changed, because they are the CVM's; write spec.attributes as it was"
    )


def _shown(order: EipOrder, eip: Eip) -> str:
    parts = [
        "" if eip.bandwidth_mbps is None else f"{eip.bandwidth_mbps} Mbps",
        eip.charge_type,
        eip.bandwidth_package_id,
        f"name {eip.name}" if order.name else "",
    ]
    return f"{eip.eip_id} has {', '.join(part for part in parts if part) or 'what its CVM has'}"
