"""Tells each node what all NodeENIConfigs say of it, on its Node, and each object what has become of it.

Only the leader reads the objects: 5,000 agents that watched them would each be sent every change. A change of
a group reaches its nodes a hundred at a time, so that neither API server nor cloud is flooded by it.
A write that the API server refuses for good (a rule of somebody's admission webhook) keeps no other from
being made.
Thread safety: `look` is for one thread at a time; the rest is for any.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.events import ClaimEvents
from ipamd.controller.fence import Fence
from ipamd.core.kubernetes.nodes import SUPER_NODE, NodeView
from ipamd.core.node_config import state, status
from ipamd.core.node_config.note import CONFIG
from ipamd.core.node_config.survey import ConfigRefusal, Survey, is_due, survey, verdict
from ipamd.kube import errors
from ipamd.kube.calls import JsonObject
from ipamd.kube.client import KubeClient
from ipamd.kube.optional_watch import IN_CONTROLLER, OptionalWatch
from ipamd.kube.resources import NODE_ENI_CONFIGS, NODES

log = logging.getLogger(__name__)

_WRITES: Final = 100
"""Per pass."""
_SOON: Final = 2.0
"""Seconds until the next pass, after one that has left something."""
_REFUSED: Final = "NodeENIConfigRefused"
_OF_ONE_OBJECT: Final = (errors.InvalidObjectError, errors.ForbiddenError, errors.ConflictError)
"""Refusals that say nothing of the next object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The objects as the watch told them, and what was read of them."""

    objects: Mapping[str, JsonObject]
    seen: Survey


class NodeEniConfigs:
    """Invariant: `_known` is replaced as a whole; it is None until a look was made at what the watch told."""

    def __init__(
        self,
        cluster: ClusterView,
        client: KubeClient,
        *,
        fence: Fence,
        teller: ClaimEvents,
        clock: Callable[[], float],
        trigger: Callable[[], None],
    ) -> None:
        """Take a clock of Unix time for what is written, and who has a look made when objects change."""
        self._cluster = cluster
        self._client = client
        self._fence = fence
        self._teller = teller
        self._clock = clock
        self._trigger = trigger
        self._known: _Read | None = None
        self._stale = threading.Event()  # set when the watch has told of something that was not read yet
        self._refusal: errors.KubeError | None = None
        self.watch = OptionalWatch(client, NODE_ENI_CONFIGS, on_change=self._changed).at_pace(IN_CONTROLLER)

    def on_node(self, name: str) -> None:
        """Have a look made if something is to be written on this Node, or about it."""
        node, known = self._cluster.node(name), self._known
        if node is None or known is None or node.instance_type == SUPER_NODE:
            return
        own = known.objects[name] if name in known.seen.of_nodes else None
        if is_due(known.seen, node) is not None or (own is not None and _reports_other(own, node)):
            self._trigger()

    def look(self) -> float | None:
        """Write what is due; return after how many seconds to look again, None for the usual time.

        Raises: KubeError, one that concerns a single object after all others are written; NotLeaderError.
        """
        known = self._take_in()
        if known is None:
            return None
        self._refusal = None
        left, concerned, refused = _WRITES, Counter[str](), dict(known.seen.unreadable)
        nodes = {node.name: node for node in self._cluster.nodes() if node.instance_type != SUPER_NODE}
        for node in nodes.values():
            concerned.update(config.name for config in known.seen.of(node))
            found = verdict(known.seen, node)
            refused.update((name, r) for name, r in found.refused.items() if name not in refused)
            if left and found.note is not None and found.note != node.eni_config:
                self._tell(node, found.note)
                left -= 1
        for name, obj in known.objects.items():
            own = nodes[name].eni_state if name in nodes and name in known.seen.of_nodes else ""
            patch = status.wanted(
                obj,
                refusal=refused.get(name),
                nodes=concerned[name],
                own=state.as_status(own),
                now=self._clock(),
            )
            if left and patch is not None:
                self._report(obj, refused.get(name), patch)
                left -= 1
        if self._refusal is not None:
            raise self._refusal
        return None if left else _SOON

    def _take_in(self) -> _Read | None:
        """Return what there is. Objects are read once for all that changed between two looks.

        While 5,000 nodes tell how they are, their objects change all the time.
        """
        if self._stale.is_set():
            self._stale.clear()
            objects = self.watch.items() or ()
            self._known = _Read(
                objects={obj["metadata"]["name"]: obj for obj in objects}, seen=survey(objects)
            )
        return self._known

    def _tell(self, node: NodeView, text: str) -> None:
        self._fence.deadline()
        try:
            self._client.patch(NODES, node.name, {"metadata": {"annotations": {CONFIG: text}}})
        except errors.NotFoundError:
            return
        except _OF_ONE_OBJECT as e:
            self._refusal = e
            return
        log.info("Node %s: %s is %s", node.name, CONFIG, text)

    def _report(self, obj: JsonObject, refusal: ConfigRefusal | None, patch: JsonObject) -> None:
        name = obj["metadata"]["name"]
        if refusal is not None and "conditions" in patch["status"]:
            log.warning("%s", refusal.message)
            self._teller.node_eni_config(name, obj["metadata"].get("uid", ""), _REFUSED, refusal.message)
        self._fence.deadline()
        try:
            self._client.patch(NODE_ENI_CONFIGS, name, patch, subresource="status")
        except errors.NotFoundError:
            return  # it was deleted meanwhile
        except _OF_ONE_OBJECT as e:
            self._refusal = e

    def _changed(self) -> None:
        self._stale.set()
        self._trigger()


def _reports_other(obj: JsonObject, node: NodeView) -> bool:
    """Whether the object's status has something else of its node than the Node says."""
    return ((obj.get("status") or {}).get("node") or {}) != state.as_status(node.eni_state)
