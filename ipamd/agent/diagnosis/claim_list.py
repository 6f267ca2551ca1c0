"""`ipamctl claims`: the EIPClaims of this node, each in one line that tells most."""

from collections.abc import Mapping
from typing import Any, Final

from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import (
    BOUND,
    EGRESS_THROUGH_EIP,
    PROVISIONED,
    READY,
    UP_TO_DATE,
    USABLE,
    Claim,
    condition,
)
from ipamd.core.timing import timestamps
from ipamd.rpc import diagnosis_pb2 as messages

_IN_ORDER: Final = (PROVISIONED, USABLE, BOUND, EGRESS_THROUGH_EIP, UP_TO_DATE)


def entry(claim: Claim) -> messages.ClaimEntry:
    """Return a claim as it is told: of its conditions the first that is False, else Ready."""
    told = _telling(claim)
    since = timestamps.from_text(str(told.get("lastTransitionTime") or ""))
    address = claim.address
    return messages.ClaimEntry(
        namespace=claim.namespace,
        name=claim.name,
        phase=status.phase_of(claim).value,
        eip_id=address.eip_id if address else "",
        public_ip=address.public_ip if address else "",
        owned=address.owned if address else False,
        condition=f"{told['type']}={told.get('status')}" if told else "",
        reason=str(told.get("reason") or ""),
        message=claim.problem or str(told.get("message") or ""),
        since_unix=round(since or 0),
        retained=claim.retained,
    )


def _telling(claim: Claim) -> Mapping[str, Any]:
    conditions = [condition(claim.conditions, kind) for kind in _IN_ORDER]
    wrong = next((found for found in conditions if found.get("status") == "False"), {})
    return wrong or condition(claim.conditions, READY)
