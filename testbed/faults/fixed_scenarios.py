"""Fixed private addresses: reserved, assigned, held for the next Pod of the name, and given back."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from testbed.faults.scenario import Scenario, Scene
from testbed.faults.stage import DAEMONS
from testbed.http_json import HttpError

FIXED: Final[Mapping[str, str]] = {"vpc-ip-claim-delete-policy": "Never"}
_CLAIMS: Final = "/apis/networking.tke.cloud.tencent.com/v1/namespaces/default/vpcipclaims"
_LINES: Final = "/apis/networking.tke.cloud.tencent.com/v1/vpcips"


class FixedLife(Scenario):
    """A Pod with a fixed address runs, goes, and its claim is deleted by hand: nothing is left of either."""

    name = "fixed address"
    victims: ClassVar[Sequence[str]] = DAEMONS
    # What it takes to wire a Pod is in other scenarios.
    only_steps = (
        "kube.create.vpc",
        "kube.patch.vpc",
        "kube.delete.vpc",
        "cloud.CreateReserve",
        "cloud.DeleteReserve",
        "cloud.AssignPrivate",
        "cloud.UnassignPrivate",
        "store.commit.held",
        "store.commit.unassigning",
        "store.commit.forgotten",
    )

    def prepare(self, scene: Scene) -> None:
        """Need nothing."""

    def act(self, scene: Scene) -> None:
        """Run the Pod, delete it, delete the claim."""
        stage, kubelet, name = scene.kubelet.stage, scene.kubelet, scene.name()
        pod = kubelet.run(kubelet.create(name, FIXED), scene.retry)
        if pod is not None:
            stage.until("it is told", lambda: self._is_told(scene, pod.ip), seconds=30)
            kubelet.delete(pod.sandbox)
        try:
            stage.bed.workloads.api.delete(f"{_CLAIMS}/{name}")
        except HttpError as error:
            if error.status != 404:
                raise
        stage.until("the claim gone", lambda: not self._exists(scene), seconds=60)

    def lacks(self, scene: Scene) -> list[str]:
        """Look for what is left of the address: in the book, and in the VPC."""
        bed = scene.kubelet.stage.bed
        if self._exists(scene):
            return []
        lines = [line["metadata"]["name"] for line in bed.workloads.api.get(_LINES)["items"]]
        kept = bed.admin.get("/state")["cloud"]["reservations"].values()
        return [
            *(f"VpcIP {line} is there without a claim" for line in lines),
            *(f"reservation {one['reservation_id']} of {one['ip']} is there without a claim" for one in kept),
        ]

    def _is_told(self, scene: Scene, ip: str) -> bool:
        claim = self._claim(scene)
        return bool(claim) and claim.get("status", {}).get("assignedIP") == ip

    def _exists(self, scene: Scene) -> bool:
        return bool(self._claim(scene))

    def _claim(self, scene: Scene) -> Mapping[str, Mapping[str, object]]:
        try:
            claim: Mapping[str, Mapping[str, object]] = scene.kubelet.stage.bed.workloads.api.get(
                f"{_CLAIMS}/{scene.name()}"
            )
        except HttpError as error:
            if error.status != 404:
                raise
            return {}
        return claim
