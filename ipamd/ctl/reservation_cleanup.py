"""The part of `ipamctl eni cleanup` that gives reserved private addresses back: those kept for Pods.

They are known by their tags, and one that an ENI has is left. Without --yes nothing is changed.
"""

import sys
from collections.abc import Sequence
from typing import Any, Final

from ipamd.cloud.tencent import TencentCloud
from ipamd.core import tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError
from ipamd.core.model import Reservation, ReservationState
from ipamd.core.timing.deadline import Deadline

_RELEASE: Final = "release"
_KEEP: Final = "keep: at an ENI"


def rows(cloud: TencentCloud, cluster_id: str, deadline: Deadline, *, release: bool) -> list[dict[str, Any]]:
    """Return what there is, as JSON shows it, and what became of it. Raises: CloudError."""
    found = sorted(_listed(cloud, cluster_id, deadline), key=lambda one: one.reservation_id)
    return [_row(cloud, one, deadline, release=release) for one in found]


def left(shown: Sequence[dict[str, Any]]) -> int:
    """Return how many of these could not be given back."""
    return sum(row["result"] == "left" for row in shown)


def _listed(cloud: TencentCloud, cluster_id: str, deadline: Deadline) -> list[Reservation]:
    """Return the reservations that were made for VpcIPClaims of the cluster.

    None where there is no such API, or no right to it: then nothing can have been reserved by this role.
    """
    try:
        every = cloud.describe_reservations(tags={tags.CLUSTER_ID: cluster_id}, deadline=deadline)
    except CloudError as e:
        if e.kind not in (CloudErrorKind.NOT_OFFERED, CloudErrorKind.PERMISSION):
            raise
        print(f"ipamctl: reserved addresses were not looked for: {e}", file=sys.stderr)
        return []
    return [one for one in every if tags.VPC_IP_CLAIM_UID in one.tags]


def _row(cloud: TencentCloud, one: Reservation, deadline: Deadline, *, release: bool) -> dict[str, Any]:
    free = one.state is ReservationState.UNBIND
    why = _released(cloud, one, deadline) if free and release else None
    return {
        "reservationId": one.reservation_id,
        "ip": one.ip,
        "eniId": one.resource_id,
        "action": _RELEASE if free else _KEEP,
        "result": "" if why is None else "left" if why else "released",
        "message": why or "",
    }


def _released(cloud: TencentCloud, one: Reservation, deadline: Deadline) -> str:
    """Release it; return why it is left, empty when it is gone."""
    try:
        cloud.release_reservation(one.vpc_id, one.reservation_id, deadline)
    except IpamError as e:
        return str(e)
    return ""
