"""The EIP of a running Pod is changed in all that can change, and stays where it is."""

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from testbed.faults.scenario import Scenario, Scene
from testbed.faults.stage import CONTROLLER

_ATTRIBUTES: Final = "tke.cloud.tencent.com/eip-attributes"
_CONFIRM: Final = "networking.tke.cloud.tencent.com/confirm-charge-type"
_HOURLY: Final = "BANDWIDTH_POSTPAID_BY_HOUR"
_CHANGES: Final = (
    "AddBandwidthPackageResources",
    "MigrateBandwidthPackageResources",
    "ModifyAddressAttribute",
    "ModifyAddressInternetChargeType",
    "ModifyAddressesBandwidth",
    "RemoveBandwidthPackageResources",
)


class EipChanged(Scenario):
    """Name, bandwidth and bandwidth package, by edits of the Pod's annotation."""

    name = "EIP changed"
    victims: ClassVar[Sequence[str]] = (CONTROLLER,)
    only_steps: ClassVar[Sequence[str]] = ("cloud.Modify", "cloud.AddB", "cloud.MigrateB", "cloud.RemoveB")
    wishes: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"Bandwidth": 50, "AddressName": "shop"},
        {"InternetChargeType": "BANDWIDTH_PACKAGE", "BandwidthPackageId": "bwp-demo0001", "Bandwidth": 50},
        {"InternetChargeType": "BANDWIDTH_PACKAGE", "BandwidthPackageId": "bwp-demo0002", "Bandwidth": 50},
        {"Bandwidth": 50},
    )
    writes: ClassVar[int] = 6
    """How often the cloud is asked in all."""

    def prepare(self, scene: Scene) -> None:
        """Have the Pod run."""
        scene.run(annotations={"eip-attributes": '{"Bandwidth":5}'})
        self.address = self._claim(scene)["status"]["address"]

    def act(self, scene: Scene) -> None:
        """Ask for one thing after the other, and wait until the claim says that it is so."""
        for wish in self.wishes:
            self._annotate(scene, "pods", {_ATTRIBUTES: json.dumps(wish)}, version="/api/v1")
            # A step that was begun and not given to the cloud is waited for, and then given.
            done = functools.partial(self._is_as_wanted, scene, wish)
            scene.kubelet.stage.until("the EIP changed", done, seconds=400)

    def lacks(self, scene: Scene) -> list[str]:
        """Look for the EIP, and for changes that were made twice."""
        if scene.name() not in scene.kubelet.running or not hasattr(self, "address"):
            return []
        claim = self._claim(scene)
        found = [] if claim["status"]["address"] == self.address else ["the claim has another EIP"]
        accepted = [
            write["action"]
            for write in scene.kubelet.stage.bed.admin.get("/audit")["writes"]
            if write["action"] in _CHANGES
            and not write["code"]
            and self.address["id"] in str(write["params"])
        ]
        if len(accepted) > self.writes:
            found.append(f"the cloud has changed {self.address['id']} more than once: {accepted}")
        return found

    def _is_as_wanted(self, scene: Scene, wish: Mapping[str, Any]) -> bool:
        claim = self._claim(scene)
        conditions = {c["type"]: c for c in claim["status"].get("conditions", ())}
        attributes = claim["spec"]["attributes"]
        carried = attributes["bandwidthMbps"] == wish["Bandwidth"] and (
            attributes.get("bandwidthPackageID") == wish.get("BandwidthPackageId")
            and attributes.get("name") == wish.get("AddressName")
            and attributes["chargeType"] == wish.get("InternetChargeType", "TRAFFIC_POSTPAID_BY_HOUR")
        )
        told = conditions.get("UpToDate", {})
        if told.get("reason") == "ChangeRefused" and "confirm" in told["message"]:
            self._annotate(scene, "eipclaims", {_CONFIRM: attributes["chargeType"]})
        applied = claim["status"].get("attributes", {})
        same = all(applied.get(field) == value for field, value in attributes.items())
        return carried and same and told.get("status") == "True"

    def _annotate(
        self,
        scene: Scene,
        plural: str,
        annotations: Mapping[str, str],
        version: str = "/apis/networking.tke.cloud.tencent.com/v1",
    ) -> None:
        path = f"{version}/namespaces/default/{plural}/{scene.name()}"
        scene.kubelet.stage.bed.workloads.api.merge_patch(
            path, {"metadata": {"annotations": dict(annotations)}}
        )

    def _claim(self, scene: Scene) -> dict[str, Any]:
        claims = scene.kubelet.stage.bed.workloads.claims()
        return next(claim for claim in claims if claim["metadata"]["name"] == scene.name())


class ChargeTypeChanged(EipChanged):
    """The charge type, which a person confirms: once, whatever dies, and never twice."""

    name = "EIP billed otherwise"
    only_steps = ("cloud.ModifyAddressInternetChargeType", "kube.patch.eipclaims")
    wishes: ClassVar[Sequence[Mapping[str, Any]]] = ({"Bandwidth": 5, "InternetChargeType": _HOURLY},)
    writes = 1
