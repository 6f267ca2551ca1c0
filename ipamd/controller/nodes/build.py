"""The condition TkeEniReady of Nodes whose agent is gone."""

from typing import Final

from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.events import ClaimEvents
from ipamd.controller.fence import Fence
from ipamd.controller.nodes.condition import AbandonedNodes
from ipamd.controller.tempo import ReplicaPace
from ipamd.kube.client import KubeClient
from ipamd.kube.leases import NotLeaderError
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.service import Service

_INTERVAL: Final = 30.0


def build(
    cluster: ClusterView, client: KubeClient, *, fence: Fence, teller: ClaimEvents, tempo: ReplicaPace
) -> Service:
    """Return the pass over all Nodes."""
    abandoned = AbandonedNodes(
        cluster, client, fence=fence, teller=teller, clock=tempo.clock, steady=tempo.steady
    )
    loop = Loop(
        "node-conditions",
        abandoned.look,
        policy=Survive(),
        pace=LoopPace(period=_INTERVAL, first=None),
        no_news=(NotLeaderError,),
    )
    return Service(name="node conditions", start=loop.start, stop=loop.stop)
