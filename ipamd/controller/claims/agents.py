"""In which Pods the agents of the nodes run: what their Nodes say, and which Pods of the DaemonSet are there.

The annotation of the Node comes first (ADR 15). Agents of a release before it write none, and one that was
put back to such a release leaves that of another Pod behind: there a ready Pod of the DaemonSet is the agent.
Thread safety: any thread may call any method.
"""

import threading
from typing import Any

from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.nodes import NodeView
from ipamd.kube.watch import Key, key_of


class Agents:
    """What is known of all Nodes' agents."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: dict[str, str] = {}
        self._placed = _PodsByNode()
        self._ready = _PodsByNode()

    def node_changed(self, node: NodeView, *, gone: bool) -> bool:
        """Take in what a Node says; return whether it says something else than before."""
        mark = "" if gone else node.agent
        with self._lock:
            before = self._marks.pop(node.name, "")
            if mark:
                self._marks[node.name] = mark
        return before != mark

    def pod_changed(self, obj: dict[str, Any], *, gone: bool) -> str:
        """Take in how a trimmed Pod is; return the Node whose agent may have come or gone with it, or ""."""
        key, node = key_of(obj), obj["spec"].get("nodeName")
        if not isinstance(node, str):
            return ""
        with self._lock:
            self._placed.put(key, node if not gone and pods.is_agent(obj) else "")
            ready = self._ready.put(key, node if not gone and pods.runs_ready_agent(obj) else "")
            named = self._marks.get(node) == f"{key[0]}/{key[1]}"
        return node if named or ready else ""

    def ready_on(self, node: str) -> bool:
        """Whether a Pod of the DaemonSet is ready on the Node."""
        with self._lock:
            return node in self._ready

    def placed_on(self, node: str) -> bool:
        """Whether a Pod of the DaemonSet is on the Node, ready or not."""
        with self._lock:
            return node in self._placed


class _PodsByNode:
    """Invariant: `_by_node` are the Pods of `_node_of` by Node, each once; no Node without Pods is in it."""

    def __init__(self) -> None:
        self._node_of: dict[Key, str] = {}
        self._by_node: dict[str, set[Key]] = {}

    def __contains__(self, node: str) -> bool:
        return node in self._by_node

    def put(self, key: Key, node: str) -> bool:
        """Note on which Node the Pod is, "" for none; return whether that is news."""
        before = self._node_of.pop(key, "")
        if before:
            there = self._by_node[before]
            there.discard(key)
            if not there:
                del self._by_node[before]
        if node:
            self._node_of[key] = node
            self._by_node.setdefault(node, set()).add(key)
        return before != node
