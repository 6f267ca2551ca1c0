"""Whether a Pod is where it can have an EIP: on a Node that an agent of ours serves.

An EIP costs quota and money from its order on, and only an agent binds it. A Pod that is not scheduled may
never be; a super node has no agent, nor has a Node that the DaemonSet leaves out. Pure.
"""

from typing import NamedTuple

from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes.nodes import AGENT, SUPER_NODE, NodeView
from ipamd.core.kubernetes.pods import AGENT_DAEMON_SET, PodView


class Obstacle(NamedTuple):
    """Why a Pod can have no EIP where it is, and what would change that."""

    reason: Reason
    message: str


def obstacle(
    pod: PodView, node: NodeView | None, *, agent_exists: bool, early: bool = False
) -> Obstacle | None:
    """Return what keeps the Pod from having an EIP now; None when nothing does.

    `node` is the Pod's, None when there is no such Node; `agent_exists` whether an agent of ours is there: it
    runs where the Node's annotation says, or in a ready Pod of the DaemonSet. `early` lets a Pod without a
    Node have one.
    """
    if not pod.node:
        return None if early else _NOT_SCHEDULED
    if node is None:
        return Obstacle(
            Reason.NODE_NOT_SERVED, f"Node {pod.node} does not exist: its EIP is ordered when it does"
        )
    if agent_exists:
        return None
    if not node.agent:
        return Obstacle(Reason.NODE_NOT_SERVED, _unserved(node))
    return Obstacle(
        Reason.AGENT_GONE,
        f"the agent of Node {node.name} has gone (Pod {node.agent}): the EIP is ordered when another one "
        f"is ready there; see the Pods of DaemonSet {AGENT_DAEMON_SET}",
    )


_NOT_SCHEDULED = Obstacle(
    Reason.NOT_SCHEDULED,
    "the Pod is not scheduled to a Node: its EIP is ordered when it is (kubectl describe pod says what it "
    "waits for)",
)


def _unserved(node: NodeView) -> str:
    if node.instance_type == SUPER_NODE:
        return (
            f"Node {node.name} is a super node ({SUPER_NODE}), where no agent of tke-eni runs: no EIP is "
            "ordered; let the Pod run on a CVM, or take its EIP annotations and resource away"
        )
    return (
        f"no agent of tke-eni has ever served Node {node.name} (it has no annotation {AGENT}): the EIP is "
        f"ordered when one is ready there; see the Pods of DaemonSet {AGENT_DAEMON_SET} and its tolerations"
    )
