"""What the leader writes on Nodes: TkeEniReady where the agent is gone, the taint, its configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.events import ClaimEvents
from ipamd.controller.fence import Fence
from ipamd.controller.nodes.condition import AbandonedNodes
from ipamd.controller.nodes.eni_config import NodeEniConfigs
from ipamd.controller.nodes.taint import NodeTaints
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.kubernetes.node_taint import TaintMode
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import KubeClient
from ipamd.kube.leases import NotLeaderError
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.service import Service, ended

_INTERVAL: Final = 30.0
_AFTER_ERRORS: Final = Backoff(first=1.0, longest=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeServices:
    """What runs in every replica, and what only the leader does."""

    watch: Service
    while_leading: tuple[Service, ...]


def build(
    taint: TaintMode,
    cluster: ClusterView,
    client: KubeClient,
    *,
    fence: Fence,
    teller: ClaimEvents,
    tempo: ReplicaPace,
) -> NodeServices:
    """Return the passes over all Nodes; before the cluster is watched."""
    abandoned = AbandonedNodes(
        cluster, client, fence=fence, teller=teller, clock=tempo.clock, steady=tempo.steady
    )
    conditions = Loop(
        "node-conditions",
        abandoned.look,
        policy=Survive(),
        pace=LoopPace(period=_INTERVAL, first=None),
        no_news=(NotLeaderError,),
    )
    node_taints = NodeTaints(taint, cluster, client, fence=fence, teller=teller)
    taints = _loop("node-taints", node_taints.look)
    configs = NodeEniConfigs(
        cluster,
        client,
        fence=fence,
        teller=teller,
        clock=tempo.clock,
        trigger=lambda: told.trigger(),  # noqa: PLW0108 - it is made after this
    )
    told = _loop("node-eni-configs", configs.look)

    def on_node(name: str) -> None:
        if node_taints.is_due(name):
            taints.trigger()

    if taint is not TaintMode.OFF:
        cluster.on_node(on_node)
    cluster.on_node(configs.on_node)
    return NodeServices(
        watch=Service(
            name="watch of NodeENIConfigs", start=configs.watch.start, stop=ended(configs.watch.stop)
        ),
        while_leading=(
            Service(name="node conditions", start=conditions.start, stop=conditions.stop),
            Service(name="node taints", start=taints.start, stop=taints.stop),
            Service(name="NodeENIConfigs", start=told.start, stop=told.stop),
        ),
    )


def _loop(name: str, look: Callable[[], float | None]) -> Loop:
    return Loop(
        name,
        look,
        policy=Survive(),
        pace=LoopPace(period=_INTERVAL, pause=1.0, backoff=_AFTER_ERRORS),
        no_news=(NotLeaderError,),
    )
