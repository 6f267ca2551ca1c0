"""The status page of an agent: its ENIs with what each address is used for, Pods, EIPs, and what is wrong.

Imported when the page is first asked for. Reads snapshots, changes nothing, asks nobody.
Thread safety: any thread may ask.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import ipamd
from ipamd.agent.enis import NodeEni, NodeEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.errors import IpamError
from ipamd.core.kubernetes import capacity
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.slots import slots
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.page import layout
from ipamd.page.markup import Child, Element, tag
from ipamd.page.slots import drawn, legend


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePage:
    """What is shown of one node, and where it comes from."""

    node: str
    instance: Callable[[], model.Instance]
    limits: Callable[[], model.EniLimits]
    book: SharedLedger
    enis: NodeEnis
    problems: Callable[[], list[str]]
    """One sentence for each thing that somebody has to mend."""
    notices: Callable[[], list[str]]
    """One sentence for each thing to know."""
    errors: Callable[[], Mapping[str, IpamError]]
    """Why EIPs are not bound or unbound, by claim or EIP."""

    def content(self) -> tuple[str, list[Element]]:
        """Return a line about the node, and the parts of its page."""
        instance, limits, book = self.instance(), self.limits(), self.book.ledger
        subtitle = (
            f"node {self.node}, {instance.instance_id} ({instance.instance_type}) in {instance.zone}, "
            f"release {ipamd.__version__}; {len(book.available)} addresses are free, "
            f"{len(book.in_state(Assigned, Occupied))} of at most {capacity.pod_ips(limits)} are used by Pods"
        )
        return subtitle, [
            layout.section("What is wrong", *self._notes()),
            self._drawn(book, limits),
            _pods(book),
            self._eips(book),
        ]

    def _notes(self) -> Iterator[Element]:
        problems, notices = self.problems(), self.notices()
        yield from (layout.note("error", problem) for problem in problems)
        yield from (layout.note("info", notice) for notice in notices)
        if not problems:
            yield layout.note("good", "nothing that the agent knows of")

    def _drawn(self, book: Ledger, limits: model.EniLimits) -> Element:
        enis = sorted(self.enis.enis.values(), key=lambda eni: eni.eni_id)
        rows = [self._eni(eni, book, limits) for eni in enis]
        return layout.section(
            f"ENIs ({len(enis)} of at most {limits.enis - 1} for Pods)",
            layout.table(("ENI", "link", "subnet", "state", "addresses"), rows, "none yet"),
            legend(),
        )

    def _eni(self, eni: NodeEni, book: Ledger, limits: model.EniLimits) -> list[Child]:
        mine = [address for address in book.addresses.values() if address.eni_id == eni.eni_id]
        used = sum(isinstance(address.state, Assigned | Occupied) for address in mine)
        squares = drawn(
            slots(mine, limits.ips_per_eni, self.book.now()),
            f"{eni.eni_id}: {used} of {limits.ips_per_eni - 1} addresses are used by Pods",
        )
        state = eni.problem or eni.state or "UNKNOWN"
        return [tag("code", eni.eni_id), eni.link.name if eni.link else "none", eni.subnet_id, state, squares]

    def _eips(self, book: Ledger) -> Element:
        failed = dict(self.errors())
        rows: list[list[Child]] = []
        for address in sorted(book.addresses.values(), key=lambda address: address.ip):
            if address.eip is not None:
                of = address.eip.claim or str(address.pod or "")
                error = failed.pop(of, None)
                rows.append(
                    [
                        f"{address.eip.public_ip} ({address.eip.eip_id})",
                        address.ip,
                        of,
                        address.eip.stage.value,
                        _told(error),
                    ]
                )
        rows += [["none", "", subject, "not bound", _told(error)] for subject, error in failed.items()]
        return layout.section(
            "EIPs", layout.table(("EIP", "at", "claim", "state", "last error"), rows, "none")
        )


def _pods(book: Ledger) -> Element:
    owned = [address for address in book.addresses.values() if address.pod and not _is_held(address)]
    rows: list[list[Child]] = [
        [
            str(address.pod),
            address.ip,
            tag("code", address.eni_id),
            address.eip.public_ip if address.eip else "",
            "quarantined: the cloud does not list its address" if address.quarantined else "",
        ]
        for address in sorted(owned, key=lambda address: str(address.pod))
    ]
    return layout.section("Pods", layout.table(("Pod", "address", "ENI", "EIP", ""), rows, "none"))


def _is_held(address: Address) -> bool:
    return not isinstance(address.state, Assigned | Occupied)


def _told(error: IpamError | None) -> str:
    return str(error) if error else ""
