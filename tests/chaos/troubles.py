"""What can go wrong between the product and its surroundings, as faults of the simulator.

Cloud troubles are of the kinds that issue of a cloud API's clients: refused, late, lost, old, half done. A
trouble is put in force for a time; the weather lasts for as long as the test likes.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

ENI_MOVES = ("CreateNetworkInterface", "AttachNetworkInterface", "DetachNetworkInterface")
EIP_WRITES = ("AllocateAddresses", "AssociateAddress", "DisassociateAddress", "ReleaseAddresses")


def often(kind, probability, action="*", **fields):
    """A fault of the cloud that hits a part of the calls until it is taken back."""
    return {"kind": kind, "action": action, "count": None, "probability": probability, **fields}


WEATHER = (
    often("throttle", 0.2),
    often("busy", 0.05),
    often("timeout_before", 0.02),
    often("timeout_after", 0.04),
    often("http_500", 0.02),
    often("broken_json", 0.02),
    often("stale_read", 0.1, "DescribeAddresses", seconds=0.7),
    often("stale_read", 0.1, "DescribeNetworkInterfaces", seconds=0.7),
    often("partial", 0.2, "AssignPrivateIpAddresses", count_given=1),
    *(often("task_failure", 0.03, action) for action in (*EIP_WRITES, *ENI_MOVES)),
    often("task_failure", 0.03, "AssignPrivateIpAddresses"),
)
"""20 % throttled, and a little of everything else."""


@dataclass(frozen=True)
class Trouble:
    """Faults of cloud and API server that come and go together."""

    cloud: tuple[dict[str, Any], ...] = ()
    kube: tuple[dict[str, Any], ...] = ()
    clock_error: float = 0.0
    """Seconds by which the clocks of our processes differ from the cloud's."""
    expires_keys: bool = False
    """Whether the temporary keys of the CVMs stop to be valid."""
    cuts_watches: str = ""
    """`cut` or `expire` (410)."""


def _kube(kind, **fields):
    return ({"kind": kind, "userAgent": "tke-eni", **fields},)


class Troubles(Enum):
    """Troubles that come for some seconds."""

    THROTTLED = Trouble(cloud=(often("throttle", 0.6),))
    LOST_ANSWERS = Trouble(
        cloud=tuple(often("timeout_after", 0.5, action) for action in (*EIP_WRITES, *ENI_MOVES))
    )
    STALE_READS = Trouble(
        cloud=(
            often("stale_read", 1.0, "DescribeAddresses", seconds=2.0),
            often("stale_read", 1.0, "DescribeNetworkInterfaces", seconds=2.0),
        )
    )
    FAILED_TASKS = Trouble(
        cloud=tuple(often("task_failure", 0.7, action) for action in (*EIP_WRITES, *ENI_MOVES))
    )
    BUSY = Trouble(cloud=(often("busy", 0.7),))
    PARTIAL_ASSIGNMENTS = Trouble(cloud=(often("partial", 1.0, "AssignPrivateIpAddresses", count_given=1),))
    SLOW = Trouble(cloud=(often("latency", 0.5, seconds=0.7),))
    ENDPOINT_GONE = Trouble(cloud=(often("timeout_before", 1.0),))
    SERVER_ERRORS = Trouble(cloud=(often("http_500", 1.0),))
    EXPIRED_KEYS = Trouble(expires_keys=True)
    WRONG_CLOCK = Trouble(clock_error=900.0)
    API_SERVER_DOWN = Trouble(kube=_kube("close"))
    API_SERVER_REFUSES = Trouble(kube=_kube("status", code=503))
    API_SERVER_THROTTLES = Trouble(kube=_kube("status", code=429, retryAfterSeconds=1))
    CONFLICTS = Trouble(kube=_kube("conflict", every=2))
    LOST_WRITES = Trouble(
        kube=tuple(f for verb in ("create", "patch", "delete") for f in _kube("lost-answer", verb=verb))
    )
    FROZEN_WATCHES = Trouble(kube=_kube("freeze", verb="watch"))
    CUT_WATCHES = Trouble(cuts_watches="cut")
    EXPIRED_WATCHES = Trouble(cuts_watches="expire")
