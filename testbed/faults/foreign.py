"""Objects of others that the controller keeps right, or may be told to, and whether they are."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from testbed.http_json import HttpError, JsonEndpoint

_WEBHOOK: Final = "tke-eni-admission"
_SECRETS: Final = "/api/v1/namespaces/kube-system/secrets"
_CONFIG_MAPS: Final = "/api/v1/namespaces/kube-system/configmaps"
_CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_TAINT: Final = {"key": "tke.cloud.tencent.com/eni-ip-unavailable", "value": "true", "effect": "NoSchedule"}
_MASQUERADE: Final = "ip-masq-agent-config"


class Objects:
    """ip-masq-agent's ConfigMap, Secret and configuration of the admission webhook, and the Node's taint."""

    def __init__(self, api: JsonEndpoint, node: str) -> None:
        """Take the API server and the name of the Node."""
        self._api = api
        self._node = f"/api/v1/nodes/{node}"

    def reset(self) -> None:
        """Make them what they are before a controller has seen them."""
        config = json.dumps({"NonMasqueradeCIDRs": ["10.0.0.0/16"]})
        webhook = {
            "name": "pods.networking.tke.cloud.tencent.com",
            "clientConfig": {"service": {"namespace": "kube-system", "name": _WEBHOOK, "path": "/pods"}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        self._make(_CONFIG_MAPS, _MASQUERADE, {"data": {"config": config}})
        self._make(_SECRETS, _WEBHOOK, {"type": "Opaque"})
        self._make(_CONFIGURATIONS, _WEBHOOK, {"webhooks": [webhook]})
        self._api.merge_patch(self._node, {"spec": {"taints": [_TAINT]}})

    def lacks(self, ips: Sequence[str]) -> list[str]:
        """Return what is not right, with Pods with EIP at these addresses."""
        found = []
        config = json.loads(self._api.get(f"{_CONFIG_MAPS}/{_MASQUERADE}")["data"]["config"])
        named = sorted(config.get("NonMasqueradeSrcCIDRs", []))
        if named != sorted(f"{ip}/32" for ip in ips):
            found.append(f"ip-masq-agent's configuration names {named}, the Pods with EIP have {list(ips)}")
        if not self._api.get(f"{_SECRETS}/{_WEBHOOK}").get("data"):
            found.append("the webhook's Secret is empty")
        [webhook] = self._api.get(f"{_CONFIGURATIONS}/{_WEBHOOK}")["webhooks"]
        if not webhook["clientConfig"].get("caBundle"):
            found.append("the webhook's configuration trusts nobody")
        if _TAINT in self._api.get(self._node)["spec"].get("taints", []):
            found.append("the Node has the taint that keeps Pods off")
        return found

    def _make(self, collection: str, name: str, body: Mapping[str, Any]) -> None:
        try:
            self._api.delete(f"{collection}/{name}")
        except HttpError as error:
            if error.status != 404:
                raise
        self._api.post(collection, {"metadata": {"name": name}, **body})
