"""The VpcIPClaims of this node: read from a watch by label, their status written by merge patch.

A cluster whose objects are of a release before does not have the kind: then no Pod has a fixed address, and
nothing else is any different. It is looked for now and then, and when a Pod waits for its claim.
Thread safety: any thread may call any method.
"""

from collections.abc import Callable
from typing import Any, Final

from ipamd.core import model
from ipamd.core.claim.eipclaim import NODE_LABEL
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.vpc_ip import vpcipclaim
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube import errors, resources
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.optional_watch import OptionalWatch

_ATTEMPTS: Final = 5
"""Conflicts in a row after which somebody else's writes are waited out."""

Revision = Callable[[VpcIpClaim], dict[str, Any] | None]
"""Makes the merge patch of a claim's status from the claim as it is; None to leave it as it is."""


class VpcIpClaimSource:
    """The claims that carry the label of one node."""

    def __init__(self, client: KubeClient, node: str) -> None:
        """Take the node's name."""
        self._client = client
        self._listeners: list[Callable[[], None]] = []
        self._watch = OptionalWatch(
            client,
            resources.VPCIPCLAIMS,
            selection=Selection(label_selector=f"{NODE_LABEL}={label_value(node)}"),
            on_change=self._changed,
            keep=vpcipclaim.trim,
        )

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each change; before `start`."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Start to watch."""
        self._watch.start()

    def stop(self) -> None:
        """End the watch."""
        self._watch.stop()

    @property
    def has_synced(self) -> bool:
        """Whether the claims of the node are known."""
        return self._watch.items() is not None

    @property
    def problem(self) -> str:
        """Why they are not known, as far as the API server has said."""
        return self._watch.problem

    def ask_soon(self) -> None:
        """Have the API server asked for the kind, if it did not have it: a Pod waits for its claim."""
        self._watch.ask_soon()

    @property
    def is_empty(self) -> bool:
        """Whether the watch knows of none."""
        return not self._watch.items()

    def all(self) -> list[VpcIpClaim]:
        """Return all that the watch knows."""
        return [vpcipclaim.read(obj) for obj in self._watch.items() or ()]

    def known(self, pod: model.PodRef) -> VpcIpClaim | None:
        """Return what the watch has under the Pod's name, whatever its UID; asks nobody."""
        for obj in self._watch.items() or ():
            metadata = obj["metadata"]
            if metadata["name"] == pod.name and metadata.get("namespace") == pod.namespace:
                return vpcipclaim.read(obj)
        return None

    def live(self, namespace: str, name: str) -> VpcIpClaim | None:
        """Ask the API server; None when there is no such claim. Raises: KubeError."""
        try:
            return vpcipclaim.read(self._client.get(resources.VPCIPCLAIMS, name, namespace))
        except errors.NotFoundError:
            return None

    def revise(self, claim: VpcIpClaim, revision: Revision) -> VpcIpClaim | None:
        """Write what `revision` makes of the claim; on a conflict read it again and ask `revision` again.

        Returns the claim as it is afterwards, None when it does not exist, or another one has its name.
        Raises: KubeError, also ConflictError when others write all the time.
        """
        current: VpcIpClaim | None = claim
        for attempt in range(_ATTEMPTS):
            if current is None or current.uid != claim.uid:
                return None
            body = revision(current)
            if body is None:
                return current
            try:
                return vpcipclaim.read(
                    self._client.patch(
                        resources.VPCIPCLAIMS, current.name, body, current.namespace, subresource="status"
                    )
                )
            except errors.NotFoundError:
                return None
            except errors.ConflictError:
                if attempt == _ATTEMPTS - 1:
                    raise
                current = self.live(claim.namespace, claim.name)
        return current

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
