"""What the controller sees of the cluster: watch caches of Pods, EIPClaims and Nodes, and whom to look at.

A change wakes the key (namespace, name) that Pod and claim share, and only if it matters to the controller: a
Pod that wants an EIP, has a claim, or is to be told why it gets none; a claim whose wish, binding or deletion
changed; a Node that went away or stopped or has another agent. A claim's conditions do not wake it, as the
controller writes them itself when something failed, and would so defeat its own back-off.
Thread safety: any thread may call any method; `wake` is called on the caches' threads.
"""

import heapq
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.agents import Agents
from ipamd.controller.claims.index import ClaimIndex, source_of
from ipamd.core.annotations import eip
from ipamd.core.annotations.eip import EipRequest, wants_eip
from ipamd.core.claim import eip_line, eip_selection, eipclaim, placement, warnings
from ipamd.core.claim.actions import Choose, MarkNotProvisioned
from ipamd.core.claim.eipclaim import Claim, condition
from ipamd.core.claim.facts import PodRelation, relation_of
from ipamd.core.claim.kept_eni import KeptEni
from ipamd.core.claim.placement import Obstacle
from ipamd.core.claim.reason import Reason
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import nodes, pods
from ipamd.core.kubernetes.annotation_names import EIP_ID_LIST
from ipamd.core.kubernetes.nodes import NodeView
from ipamd.core.kubernetes.pods import PodView
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS
from ipamd.kube.watch import Key, ObjectCache, WatchPace, key_of
from ipamd.runtime.work_queue import Turn

_NEXT = 3
"""Claims of a pool's line that are woken when one EIP comes free: the first may have gone meanwhile."""
_NO_QUOTA = Reason.QUOTA_EXCEEDED.value


class ClusterView:
    """Invariant: after `wait_synced`, every change that matters since the first list has woken its key."""

    def __init__(
        self,
        client: KubeClient,
        *,
        wake: Callable[[Key], None],
        outages: Absences,
        pace: WatchPace | None = None,
    ) -> None:
        """Take who is told that a key is to be looked at, and who counts how long nodes are not ready.

        Nothing is asked before `start`.
        """
        self._wake = wake
        self._outages = outages
        self._on_node: list[Callable[[str], None]] = []
        self._on_claim: list[Callable[[Claim], None]] = []
        self._on_pod: list[Callable[[Key, dict[str, Any]], None]] = []
        self._kept_enis: Callable[[Key], KeptEni | None] = _keep_none
        self._seen: dict[Key, object] = {}  # used by the claims' thread only
        self._in_line: set[Key] = set()  # likewise
        self._index = ClaimIndex()
        self._agents = Agents()
        self._read: dict[Key, tuple[dict[str, Any], Claim]] = {}
        self._pods = ObjectCache(client, PODS, on_change=self._pod_changed, keep=pods.trim, pace=pace)
        self._claims = ObjectCache(
            client, EIPCLAIMS, on_change=self._claim_changed, keep=eipclaim.trim, pace=pace
        )
        self._nodes = ObjectCache(client, NODES, on_change=self._node_changed, keep=nodes.trim, pace=pace)

    def on_node(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with the name of each Node that changes, or whose agent does.

        Before `start`; the caches' threads call it.
        """
        self._on_node.append(listener)

    def on_pod(self, listener: Callable[[Key, dict[str, Any]], None]) -> None:
        """Have `listener` called with each trimmed Pod that changes or goes, and its key.

        Before `start`; the Pods' thread calls it for each of perhaps 50,000, so it has to be quick.
        """
        self._on_pod.append(listener)

    def know_kept_enis(self, source: Callable[[Key], KeptEni | None]) -> None:
        """Take who knows which Pods keep ENIs of their own. Before `start`; any thread may call it."""
        self._kept_enis = source

    def kept_eni(self, key: Key) -> KeptEni | None:
        """Return the ENI of its own that the Pod of this name keeps, as the watch last told."""
        return self._kept_enis(key)

    def pods(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """Yield all trimmed Pods as the watch last told, with their keys."""
        return ((key_of(obj), obj) for obj in self._pods.items())

    def start(self) -> None:
        """Begin to watch."""
        for cache in self._caches:
            cache.start()

    def stop(self) -> None:
        """End the watches."""
        for cache in self._caches:
            cache.stop()

    @property
    def has_synced(self) -> bool:
        """Whether all that was there is known."""
        return all(cache.has_synced for cache in self._caches)

    def wait_synced(self, timeout: float) -> bool:
        """Wait until all that was there is known; return whether it is.

        The time is for each kind of object.
        """
        return all(cache.wait_synced(timeout) for cache in self._caches)

    def pod(self, key: Key) -> PodView | None:
        """Return the Pod as the watch last told."""
        obj = self._pods.get(*key)
        return pods.view(obj) if obj else None

    def claim(self, key: Key) -> Claim | None:
        """Return the claim as the watch last told."""
        obj = self._claims.get(*key)
        return self._claim(key, obj) if obj else None

    def claims(self) -> list[Claim]:
        """Return all claims."""
        return [self._claim(key_of(obj), obj) for obj in self._claims.items()]

    def holders(self, eip_id: str) -> list[Claim]:
        """Return the claims that record the EIP; one that is being deleted has it to the end."""
        found = (self.claim(key) for key in self._index.holding(eip_id))
        return [claim for claim in found if claim and claim.address and claim.address.eip_id == eip_id]

    def is_leaving(self, key: Key) -> bool:
        """Whether the claim gives something back: it is deleted, or its Pod is gone and it is not kept."""
        claim = self.claim(key)
        return claim is not None and (claim.deleting or (not claim.retained and self._pods.get(*key) is None))

    def turn_of(self, key: Key) -> Turn:
        """Return when the key is to be worked on: what gives back first, what waits for an EIP patiently."""
        if self.is_leaving(key):
            return Turn.FIRST
        return Turn.PATIENT if self._waits_for_eip(key) else Turn.ORDINARY

    def _waits_for_eip(self, key: Key) -> bool:
        """Whether the Pod can have no EIP of its list before another claim lets go, or a person acts."""
        obj, claim = self._pods.get(*key), self.claim(key)
        if obj is None or (claim and claim.address):
            return False
        if claim and eip_line.is_in_line(claim):
            return True
        pod = pods.view(obj)
        request = _listed(claim, pod)
        if request is None:
            return False
        choice = eip_selection.entries_for(request, pod, whole=bool(claim and claim.adopts))
        return isinstance(choice, MarkNotProvisioned) or all(
            map(partial(self._is_held, key), choice.address_ids)
        )

    def _is_held(self, key: Key, eip_id: str) -> bool:
        return any(other != key for other in self._index.holding(eip_id))

    def line(self, pool: str) -> list[Claim]:
        """Return the claims that wait for an EIP of the EIPPool and whose Pods are there, in their order."""
        waiting = []
        for key in self._index.waiting_at(Choose(pool=pool).source):
            claim, pod = self.claim(key), self.pod(key)
            if claim is None or pod is None or pod.deleting or not eip_line.is_in_line(claim):
                continue
            if relation_of(claim, pod) is PodRelation.SAME:
                waiting.append(claim)
        return eip_line.in_order(waiting)

    def on_claim(self, listener: Callable[[Claim], None]) -> None:
        """Have `listener` called with each claim that changes in what matters, or goes.

        Before `start`; the claims' thread calls it.
        """
        self._on_claim.append(listener)

    def wake_line(self, pool: str, number: int) -> None:
        """Wake the first claims that wait for an EIP of the EIPPool."""
        for claim in self.line(pool)[:number]:
            self._wake((claim.namespace, claim.name))

    def wake_who_wants_of(self, pool: str) -> None:
        """Wake all claims without an EIP that name the EIPPool: it was made, or corrected."""
        for key in self._index.waiting_at(Choose(pool=pool).source):
            self._wake(key)

    def waiting_for_quota(self, number: int) -> list[Key]:
        """Return the claims that were refused an EIP for lack of quota and wait longest for it."""
        waiting = []
        for claim in self.claims():
            refusal = condition(claim.conditions, eipclaim.PROVISIONED)
            if claim.address is None and not claim.deleting and refusal.get("reason") == _NO_QUOTA:
                waiting.append((str(refusal.get("lastTransitionTime")), (claim.namespace, claim.name)))
        return [key for _, key in heapq.nsmallest(number, waiting)]

    def node(self, name: str) -> NodeView | None:
        """Return the Node as the watch last told."""
        obj = self._nodes.get("", name)
        return nodes.view(obj) if obj else None

    def nodes(self) -> list[NodeView]:
        """Return all Nodes as the watch last told."""
        return [nodes.view(obj) for obj in self._nodes.items()]

    def is_served(self, node: str) -> bool:
        """Whether a Pod of the agents' DaemonSet is ready on the Node."""
        return self._agents.ready_on(node)

    def has_agent(self, node: str) -> bool:
        """Whether a Pod of the agents' DaemonSet is on the Node, ready or not."""
        return self._agents.placed_on(node)

    def obstacle(self, pod: PodView, *, early: bool) -> Obstacle | None:
        """Return why the Pod can have no EIP where it is, as the watches last told."""
        node = self.node(pod.node) if pod.node else None
        exists = node is not None and (self._names_agent(node) or self._agents.ready_on(node.name))
        return placement.obstacle(pod, node, agent_exists=exists, early=early)

    def _names_agent(self, node: NodeView) -> bool:
        """Whether the Node names an agent that is there."""
        agent = self.pod(node.agent_pod) if node.agent_pod else None
        # One that runs in no Pod is believed.
        return bool(node.agent) and (node.agent_pod is None or (agent is not None and not agent.finished))

    def keys(self) -> set[Key]:
        """Return all keys that the controller has to do with."""
        return {key_of(obj) for obj in self._pods.items() if _matters(obj)} | {
            (claim.namespace, claim.name) for claim in self.claims()
        }

    @property
    def _caches(self) -> tuple[ObjectCache, ...]:
        return self._pods, self._claims, self._nodes

    def _pod_changed(self, kind: str, obj: dict[str, Any]) -> None:
        key = key_of(obj)
        if self._claims.get(*key) or _matters(obj):
            self._wake(key)
        for listener in self._on_pod:
            listener(key, obj)
        if node := self._agents.pod_changed(obj, gone=kind == "deleted"):
            self._wake_node(node)
        if pods.is_agent(obj) and isinstance(obj["spec"].get("nodeName"), str):
            self._tell_of_node(obj["spec"]["nodeName"])

    def _claim(self, key: Key, obj: dict[str, Any]) -> Claim:
        """Return what the object says, read once for each of its versions."""
        known = self._read.get(key)
        if known is None or known[0] is not obj:
            known = self._read[key] = (obj, eipclaim.read(obj))
        return known[1]

    def _claim_changed(self, kind: str, obj: dict[str, Any]) -> None:
        key = key_of(obj)
        claim = self._claim(key, obj)
        if kind == "deleted":
            self._seen.pop(key, None)
            self._in_line.discard(key)
            self._read.pop(key, None)
            self._index.drop(key)
            self._wake(key)
            self._wake_who_waits_for(claim)
            self._tell_of_claim(claim)
            return
        matters = (
            claim.uid,
            claim.deleting,
            claim.held,
            claim.node,
            claim.request,
            claim.confirmed,
            claim.pod,
            claim.address,
            claim.binding,
            claim.has_owner,
        )
        if eip_line.is_in_line(claim) and key not in self._in_line:
            self._tell_of_claim(claim)  # its pool may have to grow
            self._in_line.add(key)
        elif not eip_line.is_in_line(claim):
            self._in_line.discard(key)
        if self._seen.get(key) != matters:
            self._seen[key] = matters
            self._index.put(key, claim)
            self._wake(key)
            self._tell_of_claim(claim)

    def _tell_of_claim(self, claim: Claim) -> None:
        for listener in self._on_claim:
            listener(claim)

    def _wake_who_waits_for(self, gone: Claim) -> None:
        """Wake the claims that have the EIP of a claim that is gone in their lists."""
        if gone.address is not None and not gone.address.owned:
            for key in self._index.waiting_for(gone.address.eip_id):
                self._wake(key)
            source = source_of(gone)
            if gone.request and gone.request.pool:
                self.wake_line(gone.request.pool, _NEXT)
            elif source:
                for key in self._index.waiting_at(source):
                    self._wake(key)

    def _node_changed(self, kind: str, obj: dict[str, Any]) -> None:
        view = nodes.view(obj)
        self._outages.looked(("", view.name), view.outage, absent=kind != "deleted" and bool(view.outage))
        gone = kind == "deleted"
        # One that comes may have had its agent's Pod before.
        if self._agents.node_changed(view, gone=gone) or kind != "modified" or not view.ready:
            self._wake_node(view.name)
        self._tell_of_node(view.name)

    def _tell_of_node(self, name: str) -> None:
        for listener in self._on_node:
            listener(name)

    def _wake_node(self, name: str) -> None:
        """Wake the claims whose Pod or binding is on the Node."""
        for key in self._index.on_node(name):
            self._wake(key)


def _listed(claim: Claim | None, pod: PodView) -> EipRequest | None:
    """Return the wish of the Pod's claim, made or to be made, if it is for one of a list of ids."""
    request = claim.request if claim is not None else None
    if claim is None and EIP_ID_LIST in pod.annotations:
        try:
            request = eip.request_of(pod)
        except InvalidInputError:
            return None
    return request if request and request.address_ids else None


def _keep_none(key: Key) -> KeptEni | None:
    """Know of no Pod that keeps an ENI."""
    del key
    return None


def _matters(obj: dict[str, Any]) -> bool:
    """Whether a trimmed Pod wants an EIP, or is to be told why it gets none."""
    if not pods.may_ask(obj):
        return False
    pod = pods.view(obj)
    return wants_eip(pod) or warnings.may_misunderstand(pod)
