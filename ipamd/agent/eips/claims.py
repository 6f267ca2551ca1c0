"""The EIPClaims of this node: read from a watch by label, their status written by merge patch.

Thread safety: any thread may call any method.
"""

from collections.abc import Callable
from typing import Any

from ipamd.agent.node_objects import NodeObjects
from ipamd.core.claim import eipclaim
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.kube import errors, resources
from ipamd.kube.client import KubeClient, Selection

_ATTEMPTS = 5
"""Conflicts in a row after which somebody else's writes are waited out."""

Revision = Callable[[Claim], dict[str, Any] | None]
"""Makes the merge patch of a claim's status from the claim as it is; None to leave it as it is."""


class ClaimSource(NodeObjects[Claim]):
    """The claims that carry the label of one node."""

    def __init__(self, client: KubeClient, node: str) -> None:
        """Take the node's name."""
        super().__init__(
            client,
            resources.EIPCLAIMS,
            selection=Selection(label_selector=f"{eipclaim.NODE_LABEL}={label_value(node)}"),
            view=eipclaim.read,
            keep=_trim,
        )

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
