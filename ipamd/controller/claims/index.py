"""Which claims have to do with a node or with an EIP, found without going through all of them.

Thread safety: any thread may call any method.
"""

import threading
from typing import NamedTuple

from ipamd.core.claim.actions import Choose
from ipamd.core.claim.eipclaim import Claim
from ipamd.kube.watch import Key


class Mark(NamedTuple):
    """One thing by which a claim is found."""

    kind: str
    value: str


class ClaimIndex:
    """Invariant: `_keys` is `_marks` the other way round."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._marks: dict[Key, frozenset[Mark]] = {}
        self._keys: dict[Mark, dict[Key, None]] = {}

    def put(self, key: Key, claim: Claim) -> None:
        """Take in how a claim is now."""
        self._set(key, frozenset(_marks_of(claim)))

    def drop(self, key: Key) -> None:
        """Forget a claim that is gone."""
        self._set(key, frozenset())

    def on_node(self, node: str) -> list[Key]:
        """Return the claims whose Pod or binding is there."""
        return self._find(Mark("node", node))

    def holding(self, eip_id: str) -> list[Key]:
        """Return the claims that record the EIP."""
        return self._find(Mark("holds", eip_id))

    def waiting_for(self, eip_id: str) -> list[Key]:
        """Return the claims without an EIP that have this one in their lists, oldest first."""
        return self._find(Mark("waits", eip_id))

    def waiting_at(self, source: str) -> list[Key]:
        """Return the claims without an EIP that want one from there (`source_of`), oldest first."""
        return self._find(Mark("source", source))

    def _find(self, mark: Mark) -> list[Key]:
        with self._lock:
            return list(self._keys.get(mark, ()))

    def _set(self, key: Key, marks: frozenset[Mark]) -> None:
        with self._lock:
            before = self._marks.pop(key, frozenset())
            if marks:
                self._marks[key] = marks
            for mark in before - marks:
                keys = self._keys[mark]
                del keys[key]
                if not keys:
                    del self._keys[mark]
            for mark in marks - before:
                self._keys.setdefault(mark, {})[key] = None


def _marks_of(claim: Claim) -> list[Mark]:
    nodes = {claim.pod.node if claim.pod else "", claim.binding.node if claim.binding else ""}
    marks = [Mark("node", node) for node in nodes if node]
    if claim.address:
        marks.append(Mark("holds", claim.address.eip_id))
    elif claim.request:
        marks += [Mark("waits", eip_id) for eip_id in claim.request.address_ids]
        if source := source_of(claim):
            marks.append(Mark("source", source))
    return marks


def source_of(claim: Claim) -> str:
    """Return the pool or selector from which the claim has or wants its EIP; empty for none."""
    request = claim.request
    if request is None or not (request.pool or request.selector):
        return ""
    return Choose(selector=request.selector, pool=request.pool).source
