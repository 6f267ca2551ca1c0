"""What the next round of the repair would mend in the kernel, and what of others is in the way.

The dry run of the repair: the same comparisons, from one listing of each kind, and nothing is touched. An
ADD, a DEL or a repair may be in the middle of its work, so only what two looks show is told. Nobody who
changes the kernel is waited for. Thread safety: any thread may call.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.enis import NodeEnis
from ipamd.agent.node.exclusive_repair import ExclusiveRepair
from ipamd.agent.node.intrusions import Intrusions
from ipamd.agent.node.repair import Repair
from ipamd.agent.pods.wiring import wiring
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.errors import IpamError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding
from ipamd.core.kernel.difference import Difference
from ipamd.core.ledger.states import Address, Assigned
from ipamd.core.model import PodRef
from ipamd.net.dataplane import DataPlane
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.model import PodWiring

_SETTLE: Final = 0.3
"""Seconds between two looks, longer than an ADD or DEL has anything half done."""

Kept = dict[tuple[FindingCode, str, str], Difference]


class KernelFindings:
    """Compares the kernel with what it has to be."""

    def __init__(  # noqa: PLR0913 - whose comparisons these are
        self,
        *,
        shared_ledger: SharedLedger,
        enis: NodeEnis,
        dataplane: DataPlane,
        repair: Repair,
        exclusive: ExclusiveRepair,
        intrusions: Intrusions,
        pending: PendingAdds,
        is_settled: Callable[[], bool],
        is_over: Callable[[PodRef], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take whose comparisons these are.

        `is_settled` says whether the ledger can be true, `is_over` whether a Pod is gone or has finished.
        """
        self._shared_ledger = shared_ledger
        self._enis = enis
        self._dataplane = dataplane
        self._repair = repair
        self._exclusive = exclusive
        self._intrusions = intrusions
        self._pending = pending
        self._is_settled = is_settled
        self._is_over = is_over
        self._sleep = sleep

    def look(self) -> list[Finding]:
        """Return what differs now."""
        try:
            found = self._differences()
            if found:
                self._sleep(_SETTLE)
                again = self._differences()
                found = {key: again[key] for key in found if key in again}
        except IpamError as e:
            return [
                Finding(
                    code=FindingCode.NOT_LOOKED_AT,
                    subject="node/kernel",
                    text=f"the kernel could not be looked at: {e.message}",
                    next_step=e.advice,
                )
            ]
        owned = [
            address for address in self._shared_ledger.current.in_state(Assigned) if address.pod is not None
        ]
        # By MAC, as an ENI that is detached has no link any more and is set up here still.
        ids = {eni.mac: eni.eni_id for eni in self._enis.enis.values()}
        marks = {link.mark: ids[link.mac] for link in self._dataplane.enis if link.mac in ids}
        # A Pod that is gone without a DEL, with its link (its node was rebooted): nobody misses anything, and
        # the next round frees the address.
        cut_off = {d.ip for d in found.values() if d.code is FindingCode.POD_CUT_OFF}
        gone = {a.ip for a in owned if a.ip in cut_off and a.pod is not None and self._is_over(a.pod)}
        return [_finding(d, owned, marks) for d in found.values() if d.ip not in gone]

    def _differences(self) -> Kept:
        seen = self._dataplane.listing()
        found = [*self._dataplane.differences(seen), *self._intrusions.differences(seen)]
        if self._is_settled():
            found += self._repair.differences(seen)
            found += self._exclusive.differences(seen)
        found += self._of_node(seen)
        wirings = list(self._wirings())
        found += self._dataplane.pods_inside(wirings)
        found += self._of_others(wirings)
        return {(d.code, d.subject, d.text): d for d in found}

    def _of_node(self, seen: KernelListing) -> Iterator[Difference]:
        """Yield that the node's own network is gone, in one sentence: without the link there is no route."""
        primary = next((eni.name for eni in self._dataplane.enis), "")
        link = seen.by_name.get(primary)
        ours = {eni.table for eni in self._dataplane.enis if eni.name != primary}
        if link is not None and not link.up:
            text = f"link {primary} of the primary ENI is down"
        elif not any(route.prefix_length == 0 and route.table not in ours for route in seen.routes):
            text = "the node has no default route"
        else:
            return
        yield Difference(code=FindingCode.NODE_NETWORK, subject="node/network", text=text)

    def _of_others(self, pods: list[PodWiring]) -> list[Difference]:
        """Return what others do to packets of Pods, by the example of one Pod of each ENI."""
        links = {eni.mark: eni for eni in self._dataplane.enis}
        examples = {pod.eni_mark: pod for pod in pods if pod.eni_mark in links}
        return [
            difference
            for mark, pod in examples.items()
            for difference in self._dataplane.foreign_chains(pod.ip, pod.host_veth, links[mark])
        ]

    def _wirings(self) -> Iterable[PodWiring]:
        for address in self._shared_ledger.current.in_state(Assigned):
            link, state = self._enis.link(address.eni_id), address.state
            if link is None or not isinstance(state, Assigned) or not state.netns:
                continue
            if not self._pending.are_under_way(state.key):
                yield wiring(address, link)


def _finding(difference: Difference, owned: list[Address], marks: dict[int, str]) -> Finding:
    """Return the finding: with the Pods that it concerns, by name."""
    eni_id = marks.get(difference.mark, "")
    because_of = difference.because_of
    if difference.ip:
        concerned = [address for address in owned if address.ip == difference.ip]
        because_of += tuple(f"eni/{address.eni_id}" for address in concerned)
    elif eni_id:
        concerned = [address for address in owned if address.eni_id == eni_id]
        because_of += (f"eni/{eni_id}",)
    elif difference.code in _OF_NO_POD:
        concerned = []
    else:
        concerned = owned
    names = tuple(str(address.pod) for address in concerned)
    subject = difference.subject
    if subject == f"pod/{difference.ip}" and names:
        subject = f"pod/{names[0]}"
    without_link = difference.code.facts.mended and not difference.mended
    return Finding(
        code=difference.code,
        subject=subject,
        text=difference.text,
        pods=names,
        next_step=FindingCode.ENI_MISSING.facts.next_step if without_link else "",
        mended=False if without_link else None,
        because_of=because_of,
    )


_OF_NO_POD: Final = (FindingCode.LEFTOVER, FindingCode.SUBNET_ROUTE)
