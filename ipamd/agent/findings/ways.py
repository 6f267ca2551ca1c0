"""Whether what single Pods send to the internet has the source that it needs: what ip-masq-agent makes of it.

Whether ip-masq-agent runs, and what its configuration says, does not matter where nothing is broken by it. So
its work is looked at: a packet is traced as by `ipamctl trace`, with all rules of the node.
Thread safety: any thread may call.
"""

from collections.abc import Callable, Iterator
from typing import Final

from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding
from ipamd.core.ledger.states import Address, Assigned, BindStage
from ipamd.net import packet_trace
from ipamd.net.model import PodEgress
from ipamd.net.packet_trace import Ending, PacketTrace


def way_out(address: Address) -> PacketTrace:
    """Trace what a Pod sends to the internet. Raises: KernelError."""
    link = address.state.host_interface if isinstance(address.state, Assigned) else ""
    return packet_trace.traced(address.ip, link, packet_trace.INTERNET, backend="")


class WayFindings:
    """Traces one Pod without EIP, and those with one where ip-masq-agent alone decides about them."""

    def __init__(
        self,
        *,
        shared_ledger: SharedLedger,
        egress: PodEgress,
        exempts: bool,
        primary_link: Callable[[], str],
        trace: Callable[[Address], PacketTrace] = way_out,
    ) -> None:
        """Take who knows.

        egress: by whom Pods without EIP leave. exempts: whether our own rules keep others from translating
        Pods with EIP. trace: where what a Pod sends ends.
        """
        self._shared_ledger: Final = shared_ledger
        self._by_primary: Final = egress is PodEgress.NODE
        self._exempts: Final = exempts
        self._primary_link: Final = primary_link
        self._trace: Final = trace

    def look(self) -> list[Finding]:
        """Return which Pods are seen with a wrong address, or by nobody. Raises: KernelError."""
        if not self._by_primary:
            return []
        # What leaves by an ENI of the Pod's own does not pass the node.
        owned = [a for a in self._shared_ledger.current.shared.in_state(Assigned) if a.pod is not None]
        return [*self._of_plain_pods(owned), *(() if self._exempts else self._of_eip_pods(owned))]

    def _of_plain_pods(self, owned: list[Address]) -> Iterator[Finding]:
        plain = next((address for address in owned if address.eip is None), None)
        if plain is None:
            return
        way = self._trace(plain)
        if (way.ending, way.source, way.link) == (Ending.LEAVES, plain.ip, self._primary_link()):
            yield Finding(
                code=FindingCode.UNMASQUERADED,
                subject="node/ip-masq-agent",
                text="nothing masquerades what Pods without EIP send beyond the VPC, for example "
                f"{plain.pod}: it leaves by {way.link} as {plain.ip}",
            )

    def _of_eip_pods(self, owned: list[Address]) -> Iterator[Finding]:
        bound = [a for a in owned if a.eip is not None and a.eip.stage is BindStage.BOUND]
        for address, way in ((address, self._trace(address)) for address in bound):
            if way.ending is Ending.LEAVES and way.source != address.ip:
                yield Finding(
                    code=FindingCode.EIP_MASQUERADED,
                    subject=f"pod/{address.pod}",
                    text=f"what it sends to the internet leaves as {way.source}, not as {address.ip}, "
                    "which has the EIP",
                    pods=(str(address.pod),),
                    because_of=(f"eni/{address.eni_id}",),
                )
