"""Passes over the whole cluster, for what the work on single claims cannot see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipamd.cloud.tencent import TencentCloud
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.claims.ports import Ports
from ipamd.controller.options import ControllerSettings
from ipamd.controller.sweep.losses import ClaimLosses
from ipamd.controller.sweep.sweep import Sweep
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.claim import eipclaim
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import KubeClient
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.resources import EIPCLAIMS
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.service import Service

_BACKOFF: Final = Backoff(first=2.0, longest=300.0)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Claims from the cache, and from the API server; pools from theirs."""

    cluster: ClusterView
    client: KubeClient
    pools: Callable[[], list[EipPool]]

    def claims(self) -> list[Claim]:
        return self.cluster.claims()

    def live(self) -> list[Claim]:
        return [eipclaim.read(obj) for obj in self.client.list(EIPCLAIMS).items]


def build(
    settings: ControllerSettings,
    cluster: ClusterView,
    ports: Ports,
    *,
    client: KubeClient,
    cloud: TencentCloud,
    pools: Callable[[], list[EipPool]],
) -> Sweep:
    """Return what makes the passes; `run` makes the service of it."""
    return Sweep(
        settings.sweep,
        settings.cluster_id,
        cloud=cloud,
        claims=_Reader(cluster, client, pools),
        ports=ports,
        losses=ClaimLosses(cloud, ports, ports.tell),
    )


def run(sweep: Sweep, settings: ControllerSettings, tempo: ReplicaPace) -> Service:
    """Return the service that makes the passes."""
    loop = Loop(
        "sweep",
        sweep.make_pass,
        policy=Survive(),
        pace=LoopPace(period=settings.sweep.interval, backoff=tempo.after_failures(_BACKOFF)),
        no_news=(NotLeaderError,),
    )
    return Service(name="sweep", start=loop.start, stop=loop.stop, metrics=sweep.metrics)
