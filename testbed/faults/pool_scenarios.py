"""EIPPools: EIPs are ordered for one, taken by a Pod, given back, and released with it."""

from collections.abc import Sequence
from typing import ClassVar

from testbed.faults.scenario import Scenario, Scene
from testbed.faults.stage import CONTROLLER
from testbed.http_json import HttpError

_POOLS = "/apis/networking.tke.cloud.tencent.com/v1/eippools"
_TYPE = {"apiVersion": "networking.tke.cloud.tencent.com/v1", "kind": "EIPPool"}
_ATTRIBUTES = {"bandwidthMbps": 1, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}


class PoolLife(Scenario):
    """A pool that creates its EIPs: ordered, used by a Pod, given back, and the pool deleted."""

    name = "EIPPool"
    victims: ClassVar[Sequence[str]] = (CONTROLLER,)
    # What it takes to bind and unbind is in other scenarios.
    only_steps = ("kube.patch.eippools", "cloud.Allocate", "cloud.Release")

    def prepare(self, scene: Scene) -> None:
        """Need nothing."""

    def act(self, scene: Scene) -> None:
        """Make the pool, run a Pod of it, delete both; nothing of either is left."""
        stage, kubelet = scene.kubelet.stage, scene.kubelet
        api, name = stage.bed.workloads.api, f"pool-{scene.name()}"
        spec = {"attributes": _ATTRIBUTES, "min": 1, "max": 1}
        api.post(_POOLS, {**_TYPE, "metadata": {"name": name}, "spec": spec})
        pod = kubelet.run(kubelet.create(scene.name(), {"eip-pool": name}), scene.retry)
        if pod is not None:
            kubelet.delete(pod.sandbox)
        api.delete(f"{_POOLS}/{name}")
        # An order of which nothing is heard may still deliver for two minutes.
        stage.until("the pool gone", lambda: not self._exists(scene, name), seconds=200)

    def _exists(self, scene: Scene, name: str) -> bool:
        try:
            scene.kubelet.stage.bed.workloads.api.get(f"{_POOLS}/{name}")
        except HttpError as error:
            if error.status != 404:
                raise
            return False
        return True
