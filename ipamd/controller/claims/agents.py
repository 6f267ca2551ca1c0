"""In which Pods the agents of the nodes run: what their Nodes say, and which Pods of the DaemonSet are ready.

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
    """Invariant: `_ready` are the Pods of `_node_of` by Node, each once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: dict[str, str] = {}
        self._node_of: dict[Key, str] = {}
        self._ready: dict[str, set[Key]] = {}

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
        serving = node if not gone and pods.runs_ready_agent(obj) else ""
        with self._lock:
            before = self._node_of.get(key, "")
            if before != serving:
                self._forget(key, before)
                if serving:
                    self._node_of[key] = serving
                    self._ready.setdefault(serving, set()).add(key)
            named = self._marks.get(node) == f"{key[0]}/{key[1]}"
        return node if named or before != serving else ""

    def ready_on(self, node: str) -> bool:
        """Whether a Pod of the DaemonSet is ready on the Node."""
        with self._lock:
            return node in self._ready

    def _forget(self, key: Key, node: str) -> None:
        self._node_of.pop(key, None)
        there = self._ready.get(node)
        if there is not None:
            there.discard(key)
            if not there:
                del self._ready[node]
