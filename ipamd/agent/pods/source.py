"""The Pods of this node as the API server tells: from a watch, and live when the watch does not know yet.

A Pod is known to the watch long before its ADD in nearly every case. When it is not (the kubelet was quicker,
or the UID in CNI_ARGS is another one), the API server is asked once.
Thread safety: any thread may call any method.
"""

from ipamd.agent.node_objects import NodeObjects
from ipamd.core import model
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.errors import TryAgainError
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.timing.deadline import Deadline
from ipamd.kube import errors, resources
from ipamd.kube.client import KubeClient, Selection

_LIVE_SECONDS = 10.0
"""What one live question may take."""


class PodSource(NodeObjects[PodView]):
    """The Pods of one node."""

    def __init__(self, client: KubeClient, node: str) -> None:
        """Take the node's name."""
        super().__init__(
            client,
            resources.PODS,
            selection=Selection(field_selector=f"spec.nodeName={node}"),
            view=pods.view,
            keep=pods.trim,
        )
        self._node = node

    def matching(self, ref: model.PodRef) -> PodView | None:
        """Return the Pod that a runtime names in ADD, if the watch knows it; asks nobody."""
        known = self.known(ref)
        return known if known is not None and known.is_called(ref.uid) else None

    def is_over(self, ref: model.PodRef | None) -> bool:
        """Whether the watch does not know the Pod (any more), or knows that it has finished."""
        known = self.known(ref) if ref is not None else None
        return known is None or known.ref != ref or known.finished

    def find(self, ref: model.PodRef, deadline: Deadline) -> PodView:
        """Return the Pod that a runtime names in ADD; its UID is compared if the runtime gave one.

        For a static Pod that is its mirror Pod, whose own UID the API server, claims and Events know.

        Raises: CniError (INVALID_POD) when the API server has no such Pod on this node; TryAgainError when it
        cannot be asked.
        """
        known = self.matching(ref)
        if known is not None:
            return known
        try:
            found = self.live(ref.namespace, ref.name, timeout=deadline.cap(_LIVE_SECONDS))
        except errors.KubeError as e:
            raise TryAgainError(
                f"the watch does not know the Pod and the API server cannot be asked: {e.message}",
                advice=e.advice or "the ADD succeeds once the API server answers",
            ) from e
        if found is None:
            raise CniError(
                Code.INVALID_POD,
                "the Pod does not exist in the API server",
                advice="it was deleted meanwhile, or the runtime is connected to another cluster",
            )
        if not found.is_called(ref.uid):
            raise CniError(
                Code.INVALID_POD,
                f"the Pod has UID {found.ref.uid} in the API server, the runtime asks for {ref.uid}",
                advice="the Pod was replaced; the kubelet removes the old sandbox by itself",
            )
        if found.node not in ("", self._node):
            raise CniError(
                Code.INVALID_POD,
                f"the Pod is scheduled to node {found.node}, this is {self._node}",
                advice="check --node-name of the agent",
            )
        return found
