"""The condition TkeEniReady of a Node: whether our agent serves its Pods, and if not, why. Pure.

The agent writes it for its own Node. Where the agent is gone the controller makes it Unknown, so that nobody
believes what nobody keeps true any more. Neither the scheduler nor the node controller reads it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from ipamd.core.text.sameness import essence
from ipamd.core.text.telling import one_line
from ipamd.core.timing import timestamps

TYPE: Final = "TkeEniReady"
_MESSAGE_LIMIT: Final = 1024
_SPACING: Final = 60.0
"""Seconds between two writes at least: what comes and goes all the time costs the API server one a minute."""
_REWORDING: Final = 300.0
"""The same while only the message differs."""
_HEARTBEAT: Final = 1800.0
"""Seconds after which the same is written again, so that a reader sees that it is still kept: less than three
writes per second for 5,000 nodes. Kubelets write theirs each five minutes."""


class NodeReason(Enum):
    """Why the condition is as it is."""

    SERVING = "Serving"
    NODE_FULL = "NodeFull"
    """All addresses are taken: no Pod suffers, so the node is ready."""
    REPAIR_FAILED = "RepairFailed"
    STORE_UNWRITABLE = "StoreUnwritable"
    NO_ADDRESSES = "NoAddresses"
    SUBNET_FULL = "SubnetFull"
    SUBNET_LOW = "SubnetLow"
    """A subnet of the node's addresses is nearly full: other Pods, and other nodes, soon get none."""
    NODE_DISABLED = "NodeDisabled"
    """The node's configuration has no addresses for Pods."""
    CONFIG_REFUSED = "ConfigRefused"
    """What is configured for the node is wrong; the last good configuration holds."""
    CAM_DENIED = "CamDenied"
    CVM_LIMIT = "CvmLimit"
    ARREARS = "Arrears"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    CLOCK_WRONG = "ClockWrong"
    CLOUD_REFUSES = "CloudRefuses"
    ENI_BROKEN = "EniBroken"
    POD_CUT_OFF = "PodCutOff"
    FOREIGN_RULE = "ForeignRule"
    NOT_SYNCED = "NotSynced"
    CNI_CONFIGURATION = "CniConfiguration"
    AGENT_GONE = "AgentGone"


class Weight(Enum):
    """How bad it is for Pods."""

    HARM = 2
    """Pods suffer from it, or cannot start for a reason that somebody should mend: the node is not ready."""
    WARNING = 1
    """It will come to that unless somebody acts, or is against the installation's intent."""
    FACT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProblem:
    """One thing that an operator of the node has to know."""

    reason: str
    """A CamelCase word for programs."""
    message: str
    """What is wrong and what to do about it, on one line."""
    weight: Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeVerdict:
    """What the condition has to say."""

    status: str
    """True, False or Unknown."""
    reason: str
    message: str


def verdict(problems: Sequence[NodeProblem], *, well: str, node: str) -> NodeVerdict:
    """Return what is to be said of a node with these problems; the worst one is named.

    `well` is the message of a node without any.
    """
    said = sorted(problems, key=lambda problem: -problem.weight.value)
    if not said:
        return NodeVerdict(status="True", reason=NodeReason.SERVING.value, message=well)
    more = f" (and {len(said) - 1} more: kubectl eni check {node})" if len(said) > 1 else ""
    return NodeVerdict(
        status="False" if said[0].weight is Weight.HARM else "True",
        reason=said[0].reason,
        message=_line(said[0].message, more),
    )


def abandoned(node: str, seconds: float) -> NodeVerdict:
    """Return what is to be said of a node whose agent has not been there for so many seconds."""
    return NodeVerdict(
        status="Unknown",
        reason=NodeReason.AGENT_GONE.value,
        message="no Pod of DaemonSet kube-system/tke-eni-agent has been ready on the node for "
        f"{seconds:.0f} s; running Pods keep their traffic, none can start: see "
        "kubectl -n kube-system get pods "
        f"-l app.kubernetes.io/name=tke-eni-agent --field-selector spec.nodeName={node}",
    )


def shown(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the condition as it stands in a Node object, empty when it is not there."""
    status = node.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    found = conditions if isinstance(conditions, list) else []
    return next((c for c in found if isinstance(c, Mapping) and c.get("type") == TYPE), {})


def is_due(present: Mapping[str, Any], wanted: NodeVerdict, *, since_write: float) -> bool:
    """Whether it is time to write, so many seconds after the last write."""
    if not present:
        return True
    if (present.get("status"), present.get("reason")) != (wanted.status, wanted.reason):
        return since_write >= _SPACING
    if essence(str(present.get("message"))) != essence(wanted.message):
        return since_write >= _REWORDING
    return since_write >= _HEARTBEAT


def patch(present: Mapping[str, Any], wanted: NodeVerdict, now: float) -> dict[str, Any]:
    """Return a strategic merge patch of the Node's status: it changes this one condition.

    `now` is in seconds since the epoch.
    """
    same = present.get("status") == wanted.status
    entry = {
        "type": TYPE,
        "status": wanted.status,
        "reason": wanted.reason,
        "message": wanted.message,
        "lastHeartbeatTime": timestamps.to_text(now),
        "lastTransitionTime": (present.get("lastTransitionTime") if same else None)
        or timestamps.to_text(now),
    }
    return {"status": {"conditions": [entry]}}


def news(before: Iterable[NodeProblem], now: Iterable[NodeProblem]) -> list[NodeProblem]:
    """Return the problems that were not there before; neither RequestId nor time makes one new."""
    known = {(problem.reason, essence(problem.message)) for problem in before}
    return [problem for problem in now if (problem.reason, essence(problem.message)) not in known]


def _line(message: str, end: str) -> str:
    """Return the message on one line, cut so that it ends with `end`."""
    room = _MESSAGE_LIMIT - len(end.encode())
    return one_line(message, room) + end
