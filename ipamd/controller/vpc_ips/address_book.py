"""What the controller sees of fixed addresses: copies of VpcIPClaims and VpcIPs, and whom to look at.

A change wakes the key (namespace, name) that Pod and claim share, and only if it matters: a Pod that wants a
fixed address or has a claim; a claim whose wish, Pod, binding or deletion changed; a line of the book that
came, went or is to go; a Node that is ready or not, has another agent, or other subnets than before.
Thread safety: any thread may call any method; `wake` is called on the watches' threads.
"""

import threading
from collections.abc import Callable
from typing import Any

from ipamd.controller.claims.cluster import ClusterView
from ipamd.core.annotations.vpc_ip import wants_fixed_ip
from ipamd.core.claim.kept_eni import KeptEni
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.annotation_names import FIXED_IP
from ipamd.core.kubernetes.node_labels import labelled_subnets
from ipamd.core.vpc_ip import vpcip, vpcipclaim
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube.client import KubeClient
from ipamd.kube.optional_watch import IN_CONTROLLER, OptionalWatch
from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS
from ipamd.kube.watch import Key, key_of


class AddressBook:
    """Invariant: after the copies are complete, every change that matters has woken its key."""

    def __init__(
        self,
        client: KubeClient,
        cluster: ClusterView,
        *,
        wake: Callable[[Key], None],
        wake_eip: Callable[[Key], None],
        on_line_deleted: Callable[[VpcIp], None],
    ) -> None:
        """Take who looks at a key, here and for its EIP, and who is told of lines deleted by hand."""
        self._cluster = cluster
        self._wake = wake
        self._wake_eip = wake_eip
        self._on_line_deleted = on_line_deleted
        self._lock = threading.Lock()
        self._seen: dict[Key, object] = {}  # used by the claims' thread only
        self._node_marks: dict[str, object] = {}
        self._by_node: dict[str, set[Key]] = {}
        self._nodes_of: dict[Key, frozenset[str]] = {}
        self._claims = OptionalWatch(
            client, VPCIPCLAIMS, on_change=_ignore, on_object=self._claim_changed, keep=vpcipclaim.trim
        ).at_pace(IN_CONTROLLER)
        self._lines = OptionalWatch(
            client, VPCIPS, on_change=_ignore, on_object=self._line_changed, keep=vpcip.trim
        ).at_pace(IN_CONTROLLER)
        cluster.on_pod(self._pod_changed)
        cluster.on_node(self._node_changed)
        cluster.know_kept_enis(self.kept_eni)

    def start(self) -> None:
        """Begin to watch."""
        self._claims.start()
        self._lines.start()

    def stop(self) -> None:
        """End the watches."""
        self._claims.stop()
        self._lines.stop()

    @property
    def complete(self) -> bool:
        """Whether all claims and lines that were there are known."""
        return self._claims.items() is not None and self._lines.items() is not None

    def claim(self, key: Key) -> VpcIpClaim | None:
        """Return the claim as the watch last told."""
        obj = self._claims.get(*key)
        return vpcipclaim.read(obj) if obj else None

    def kept_eni(self, key: Key) -> KeptEni | None:
        """Return the ENI of its own that the Pod of this name keeps."""
        claim = self.claim(key)
        if claim is None or claim.address is None or not claim.address.eni_id:
            return None
        return KeptEni(claim.address.eni_id, ends=claim.deleting)

    def claims(self) -> list[VpcIpClaim]:
        """Return all claims."""
        return [vpcipclaim.read(obj) for obj in self._claims.items() or ()]

    def line(self, ip: str) -> VpcIp | None:
        """Return the line of an address as the watch last told."""
        obj = self._lines.get("", ip)
        return vpcip.read(obj) if obj else None

    def lines(self) -> list[VpcIp]:
        """Return all lines of the book."""
        return [vpcip.read(obj) for obj in self._lines.items() or ()]

    def foreign_ips(self, claim_uid: str) -> frozenset[str]:
        """Return the addresses that others than this claim have."""
        return frozenset(line.ip for line in self.lines() if line.claim_uid != claim_uid)

    def crowded(self) -> frozenset[str]:
        """Return the subnets in which a claim has an address that the VPC does not keep."""
        kept = (claim.address for claim in self.claims() if claim.address)
        return frozenset(address.subnet_id for address in kept if not address.is_reserved)

    def wake_all(self) -> None:
        """Have everything looked at that has to do with fixed addresses."""
        wanting = {key for key, obj in self._cluster.pods() if _asks(obj)}
        for key in wanting.union((claim.namespace, claim.name) for claim in self.claims()):
            self._wake(key)

    def _pod_changed(self, key: Key, obj: dict[str, Any]) -> None:
        if _asks(obj) or self._claims.get(*key):
            self._wake(key)

    def _claim_changed(self, kind: str, obj: dict[str, Any]) -> None:
        key, claim = key_of(obj), vpcipclaim.read(obj)
        if kind == "deleted":
            self._seen.pop(key, None)
            self._index(key, frozenset())
            self._wake(key)
            return
        matters = (
            claim.uid,
            claim.deleting,
            claim.held,
            claim.node,
            claim.request,
            claim.pod,
            claim.address,
            claim.assigned_ip,
            claim.binding,
            claim.has_owner,
            claim.expiry,
            vpcip.status_of(claim),  # also by what the agent says of the address
            _refusal_of(claim),
        )
        if self._seen.get(key) != matters:
            self._seen[key] = matters
            nodes = {claim.pod.node if claim.pod else "", claim.binding.node if claim.binding else ""}
            self._index(key, frozenset(nodes - {""}))
            self._wake(key)
            if claim.exclusive:
                self._wake_eip(key)

    def _line_changed(self, kind: str, obj: dict[str, Any]) -> None:
        line = vpcip.read(obj)
        if not line.ours:
            return
        if line.deleting and kind != "deleted":
            self._on_line_deleted(line)
        self._wake((line.claim_namespace, line.claim_name))

    def _node_changed(self, name: str) -> None:
        node = self._cluster.node(name)
        mark = (
            None if node is None else (node.ready, node.agent, labelled_subnets(node.labels)),
            self._cluster.is_served(name),
        )
        with self._lock:
            if self._node_marks.get(name) == mark:
                return
            if node is None:
                self._node_marks.pop(name, None)
            else:
                self._node_marks[name] = mark
            keys = list(self._by_node.get(name, ()))
        for key in keys:
            self._wake(key)

    def _index(self, key: Key, nodes: frozenset[str]) -> None:
        with self._lock:
            before = self._nodes_of.pop(key, frozenset())
            if nodes:
                self._nodes_of[key] = nodes
            for name in before - nodes:
                self._by_node[name].discard(key)
                if not self._by_node[name]:
                    del self._by_node[name]
            for name in nodes - before:
                self._by_node.setdefault(name, set()).add(key)


def _asks(obj: dict[str, Any]) -> bool:
    """Whether a trimmed Pod asks for a fixed address; most have no such annotation."""
    annotations = obj["metadata"].get("annotations")
    if not annotations or not any(name in annotations for name in FIXED_IP):
        return False
    return wants_fixed_ip(pods.view(obj))


def _refusal_of(claim: VpcIpClaim) -> tuple[str, ...]:
    """Return the reason for which the agent could not assign the address; only a new one wakes."""
    found = [c for c in claim.conditions if c.get("type") == vpcipclaim.ASSIGNED]
    return tuple(str(c.get("reason")) for c in found)


def _ignore() -> None:
    """Objects are told one by one."""
