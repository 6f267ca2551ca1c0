"""Scenarios of a node whose configuration changes while both daemons work."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from testbed.faults.scenario import Scenario, Scene
from testbed.http_json import HttpError

_CONFIGS = "/apis/networking.tke.cloud.tencent.com/v1/nodeeniconfigs"
_GROUPS = ("sg-first001", "sg-second01")


class Configured(Scenario):
    """A NodeENIConfig gives the node's ENIs another security group: two steps in the cloud, and a status."""

    name = "node is configured"
    only_steps: ClassVar[Sequence[str]] = (
        "cloud.AssociateNetworkInterface",
        "cloud.DisassociateNetworkInterface",
        "kube.patch.nodes",
        "kube.patch.nodeeniconfigs",
        "store.put_fact",
    )

    def prepare(self, scene: Scene) -> None:
        """Have the object there, with the first group."""
        self._group = _GROUPS[0]
        self._write(scene)
        self._wait(scene)

    def act(self, scene: Scene) -> None:
        """Name the other group."""
        self._group = _GROUPS[1]
        self._write(scene)
        self._wait(scene)

    def lacks(self, scene: Scene) -> list[str]:
        """Compare ENIs and object with what was asked for."""
        found = [
            f"ENI {eni['eni_id']} has the security groups {eni['security_groups']}, not {self._group}"
            for eni in self._enis(scene)
            if eni["security_groups"] != [self._group]
        ]
        status = self._object(scene).get("status", {})
        accepted = [c["status"] for c in status.get("conditions", ()) if c["type"] == "Accepted"]
        if accepted != ["True"] or status.get("nodes") != 1:
            found.append(f"the NodeENIConfig says {status}")
        return found

    def _wait(self, scene: Scene) -> None:
        scene.kubelet.stage.until(f"the ENIs with {self._group}", lambda: not self.lacks(scene), seconds=40)

    def _write(self, scene: Scene) -> None:
        bed = scene.kubelet.stage.bed
        spec = {"securityGroups": [self._group]}
        try:
            bed.workloads.api.merge_patch(f"{_CONFIGS}/{bed.node.name}", {"spec": spec})
        except HttpError as error:
            if error.status != 404:
                raise
            body = {
                "apiVersion": "networking.tke.cloud.tencent.com/v1",
                "kind": "NodeENIConfig",
                "metadata": {"name": bed.node.name},
                "spec": spec,
            }
            bed.workloads.api.post(_CONFIGS, body)

    def _object(self, scene: Scene) -> Mapping[str, Any]:
        bed = scene.kubelet.stage.bed
        found: Mapping[str, Any] = bed.workloads.api.get(f"{_CONFIGS}/{bed.node.name}")
        return found

    def _enis(self, scene: Scene) -> list[Mapping[str, Any]]:
        bed = scene.kubelet.stage.bed
        listed = bed.admin.get("/state")["cloud"]["enis"].values()
        return [e for e in listed if e["instance_id"] == bed.node.instance_id and not e["primary"]]
