"""What a claim remembers of changes of its EIP: in annotations what was asked, in the status how far it is.

`metadata.annotations`: what of the Pod's annotation is in the spec (so an edit of it is told from an edit of
the spec), and the charge type that a person has confirmed. `status.attributes`: what the EIP was last brought
to. `status.change`: the step that was begun, and the spec that was refused for good. Pure; JSON there and
back, and what a person may have written never fails.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipamd.core.annotations.eip import EipRequest
from ipamd.core.claim import spec
from ipamd.core.claim.eip_change import ChangeKind
from ipamd.core.model import EipOrder
from ipamd.core.timing import timestamps

_GROUP = "networking.tke.cloud.tencent.com"
CARRIED = f"{_GROUP}/pod-attributes"
"""Annotation: what the Pod's `eip-attributes` said when it was last carried over into the spec."""
CONFIRM = f"{_GROUP}/confirm-charge-type"
"""Annotation: the charge type to which a person wants the EIP changed, knowing that few changes are left."""

_NOT_IN_OLDER = ("name", "addressType", "anycastZone", "egress", "antiDDoSPackageID", "tags")
"""Fields of `spec.attributes` that came after the first release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord:
    """`status.change`. Invariant: while `started` is set, the step may be carried out at any moment."""

    kind: ChangeKind | None = None
    value: str = ""
    """What the EIP shows when the step is done."""
    started: float | None = None
    """When the step was given to the cloud; None when it is known that nothing of it is under way."""
    refused_generation: int | None = None
    """The spec (metadata.generation) that was refused for good."""


def mark_of(order: EipOrder) -> str:
    """Return an order as the annotation CARRIED has it."""
    written = spec.write_order(order)
    return json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def dropped(carried: str | None, order: EipOrder) -> tuple[str, ...]:
    """Return the fields that the Pod asked for and the spec lacks, of those that older CRDs do not have.

    An API server drops what its CRD does not know without a word, and annotations it keeps.
    """
    try:
        asked = json.loads(carried or "{}")
    except ValueError:
        return ()
    there = spec.write_order(order)
    return tuple(
        field for field in _NOT_IN_OLDER if isinstance(asked, dict) and field in asked.keys() - there
    )


def attributes_of(order: EipOrder) -> dict[str, Any]:
    """Return what `status.attributes` says of an EIP that is as ordered; null removes what was there."""
    return {
        "isp": order.isp,
        "bandwidthMbps": order.bandwidth_mbps or None,
        "chargeType": order.charge_type,
        "bandwidthPackageID": order.bandwidth_package_id or None,
        "name": order.name or None,
    }


def attributes_patch(request: EipRequest | None) -> dict[str, Any]:
    """Return the part of a status patch that says what is ordered now; empty for a claim that orders none."""
    if request is None or request.order is None:
        return {}
    return {"attributes": attributes_of(request.order)}


def read_attributes(attributes: object) -> Mapping[str, Any] | None:
    """Return `status.attributes` in full, None when the claim does not say."""
    if not isinstance(attributes, Mapping) or not attributes:
        return None
    return {field: attributes.get(field) for field in attributes_of(EipOrder())}


def read(change: object) -> ChangeRecord | None:
    """Return `status.change`, None when there is none."""
    if not isinstance(change, Mapping) or not change:
        return None
    kind, refused = change.get("kind"), change.get("refusedGeneration")
    started = change.get("startedAt")
    return ChangeRecord(
        kind=ChangeKind(kind) if kind in [member.value for member in ChangeKind] else None,
        value=str(change.get("value") or ""),
        started=timestamps.from_text(started) if isinstance(started, str) else None,
        refused_generation=refused if isinstance(refused, int) and not isinstance(refused, bool) else None,
    )


def write(record: ChangeRecord) -> dict[str, Any] | None:
    """Return the record as `status.change`; null removes what was there."""
    if record == ChangeRecord():
        return None
    return {
        "kind": record.kind.value if record.kind else None,
        "value": record.value if record.kind else None,
        "startedAt": None if record.started is None else timestamps.to_text(record.started),
        "refusedGeneration": record.refused_generation,
    }
