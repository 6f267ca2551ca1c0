"""The EIPClaims of this node: read from a watch by label, their status written by merge patch.

Thread safety: any thread may call any method.
"""

from collections.abc import Callable
from typing import Any

from ipamd.core import model
from ipamd.core.claim import eipclaim
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.kube import errors, resources
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.watch import ObjectCache

_ATTEMPTS = 5
"""Conflicts in a row after which somebody else's writes are waited out."""

Revision = Callable[[Claim], dict[str, Any] | None]
"""Makes the merge patch of a claim's status from the claim as it is; None to leave it as it is."""


class ClaimSource:
    """The claims that carry the label of one node."""

    def __init__(self, client: KubeClient, node: str, *, on_change: Callable[[], None]) -> None:
        """Take the node's name and who is told that something changed."""
        self._client = client
        self._cache = ObjectCache(
            client,
            resources.EIPCLAIMS,
            selection=Selection(label_selector=f"{eipclaim.NODE_LABEL}={label_value(node)}"),
            on_change=lambda _kind, _obj: on_change(),
            keep=_trim,
        )

    def start(self) -> None:
        """Start to watch."""
        self._cache.start()

    def stop(self) -> None:
        """End the watch."""
        self._cache.stop()

    @property
    def has_synced(self) -> bool:
        """Whether the first list is complete."""
        return self._cache.has_synced

    def wait_synced(self, timeout: float) -> bool:
        """Wait for the first list; return whether it is complete."""
        return self._cache.wait_synced(timeout)

    def known(self, pod: model.PodRef) -> Claim | None:
        """Return the Pod's claim as the watch has it; asks nobody."""
        obj = self._cache.get(pod.namespace, pod.name)
        return eipclaim.read(obj) if obj is not None else None

    def all(self) -> dict[str, Claim]:
        """Return all claims of the node by namespace/name."""
        return {str(claim): claim for claim in map(eipclaim.read, self._cache.items())}

    def live(self, namespace: str, name: str) -> Claim | None:
        """Ask the API server; None when there is no such claim. Raises: KubeError."""
        try:
            return eipclaim.read(self._client.get(resources.EIPCLAIMS, name, namespace))
        except errors.NotFoundError:
            return None

    def revise(self, claim: Claim, revision: Revision) -> Claim | None:
        """Write what `revision` makes of the claim; on a conflict read it again and ask `revision` again.

        Returns the claim as it is afterwards, None when it does not exist. Raises: KubeError, also
        ConflictError when others write all the time.
        """
        current: Claim | None = claim
        for attempt in range(_ATTEMPTS):
            if current is None:
                return None
            body = revision(current)
            if body is None:
                return current
            try:
                return eipclaim.read(
                    self._client.patch(
                        resources.EIPCLAIMS, current.name, body, current.namespace, subresource="status"
                    )
                )
            except errors.NotFoundError:
                return None
            except errors.ConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
                current = self.live(claim.namespace, claim.name)
        return current


def _trim(obj: dict[str, Any]) -> dict[str, Any]:
    """Drop what nobody reads: managedFields is the larger half of an object."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}
