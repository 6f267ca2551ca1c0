"""In which subnet the address is that is kept for a Pod's name: from a watch of the VpcIPClaims.

A replica that does not know (yet) says so by saying nothing: the Pod is then created as without a webhook.
Thread safety: any thread may call any method; `start` and `stop` are for one.
"""

from collections.abc import Mapping
from typing import Any

from ipamd.core.kubernetes import fields
from ipamd.kube.client import KubeClient
from ipamd.kube.optional_watch import IN_CONTROLLER, OptionalWatch
from ipamd.kube.resources import VPCIPCLAIMS


class KeptAddresses:
    """Invariant: nothing is asked of the API server by `subnet_of`: a review waits for nobody."""

    def __init__(self, client: KubeClient) -> None:
        """Take whom to watch with."""
        self._watch = OptionalWatch(client, VPCIPCLAIMS, on_change=lambda: None, keep=_trim).at_pace(
            IN_CONTROLLER
        )

    def start(self) -> None:
        """Begin to watch, as soon as the cluster has the kind."""
        self._watch.start()

    def stop(self) -> None:
        """End the watch."""
        self._watch.stop()

    def subnet_of(self, namespace: str, name: str) -> str:
        """Return the subnet of the address that is kept for a Pod of this name; empty for none.

        The address of a claim that is being deleted is for no Pod that is to come.
        """
        claim = self._watch.get(namespace, name)
        if claim is not None and claim["metadata"].get("deletionTimestamp"):
            return ""
        subnet_id = _address(claim).get("subnetID") if claim is not None else None
        return subnet_id if isinstance(subnet_id, str) else ""


def _address(claim: Mapping[str, Any]) -> Mapping[str, Any]:
    address = fields.mapping(claim.get("status")).get("address")
    return fields.mapping(address)


def _trim(claim: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an object cache needs of a claim, and the subnet: there may be tens of thousands."""
    metadata = claim["metadata"]
    kept = ("namespace", "name", "uid", "resourceVersion", "deletionTimestamp")
    subnet_id = _address(claim).get("subnetID")
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        **({"status": {"address": {"subnetID": subnet_id}}} if subnet_id else {}),
    }
