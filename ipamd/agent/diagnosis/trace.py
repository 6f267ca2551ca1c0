"""`ipamctl trace`: which way a packet of a Pod goes, asked of the kernel, and whom the outside sees.

Thread safety: any number of traces run at once; nothing is changed.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, replace

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.enis import NodeEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.claim.eipclaim import EGRESS_THROUGH_EIP, condition
from ipamd.core.eip import way_out
from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.ledger.states import Address, Assigned, BindStage
from ipamd.net import packet_trace
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import SECOND_LINK
from ipamd.net.packet_trace import Ending, PacketTrace


class NoSuchPodError(IpamError):
    """No Pod of this node that has an address is called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceResult:
    """A trace and whom it is about."""

    address: Address
    destination: str
    """As it was asked for: IP or IP:PORT."""
    trace: PacketTrace
    way: way_out.WayOut


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTrace:
    """Traces packets of the Pods of one node."""

    shared_ledger: SharedLedger
    enis: NodeEnis
    dataplane: DataPlane
    claims: ClaimSource
    vpc: Callable[[], tuple[str, ...]]
    """The ranges of the VPC."""
    node_ip: Callable[[], str]

    def run(self, namespace: str, name: str, destination: str) -> TraceResult:
        """Trace a packet of a Pod.

        Raises: NoSuchPodError; InvalidInputError when the destination is neither IP nor IP:PORT; KernelError.
        """
        target, port = _checked(destination or packet_trace.INTERNET)
        address = self.owned_by(namespace, name)
        trace = self._traced(address, target, port)
        return TraceResult(
            address=address,
            destination=target if port is None else f"{target}:{port}",
            trace=trace,
            way=way_out.seen(self._facts(address, trace, target)),
        )

    def _traced(self, address: Address, target: str, port: int | None) -> PacketTrace:
        if address.exclusive and isinstance(address.state, Assigned):
            inside = packet_trace.traced_inside(address.state.netns, address.ip, target)
            if inside.link != SECOND_LINK:
                return inside
            passed = self._by_node(address, target, port)
            return replace(passed, steps=(*inside.steps, *passed.steps))
        return self._by_node(address, target, port)

    def _by_node(self, address: Address, target: str, port: int | None) -> PacketTrace:
        return packet_trace.traced(
            address.ip, _link_of(address), target, port=port, backend=self._stand_in(address)
        )

    def owned_by(self, namespace: str, name: str) -> Address:
        """Return the address of a Pod. Raises: NoSuchPodError."""
        found = [
            a for a in self.shared_ledger.current.in_state(Assigned) if str(a.pod) == f"{namespace}/{name}"
        ]
        if not found:
            raise NoSuchPodError(
                f"no Pod {namespace}/{name} has an address on this node",
                advice="`ipamctl pods` lists those that have one, `ipamctl explain pod` tells of others",
            )
        return max(found, key=_since)

    def _stand_in(self, address: Address) -> str:
        """Return an address of the VPC that stands for a backend that cannot be told: the ENI's gateway."""
        eni = self.enis.enis.get(address.eni_id)
        return eni.gateway if eni is not None else self.node_ip()

    def _facts(self, address: Address, trace: PacketTrace, destination: str) -> way_out.WayFacts:
        eni, links = self.enis.link(address.eni_id), self.dataplane.enis
        bound = address.eip is not None and address.eip.stage is BindStage.BOUND
        return way_out.WayFacts(
            dropped=trace.reason if trace.ending is Ending.DROPPED else "",
            stays=trace.ending is Ending.ON_THE_NODE,
            source=trace.source,
            link=trace.link,
            pod_ip=address.ip,
            pod_link=_own_link(address) or (eni.name if eni else ""),
            primary_link=links[0].name if links else "",
            node_ip=self.node_ip(),
            eip=address.eip.public_ip if address.eip and bound else "",
            to_vpc=trace.to_backend or self._is_inside(destination),
            nat_gateway=self._nat_gateway(address),
        )

    def _is_inside(self, destination: str) -> bool:
        ip = ipaddress.IPv4Address(destination)
        return any(ip in ipaddress.IPv4Network(cidr) for cidr in self.vpc())

    def _nat_gateway(self, address: Address) -> str:
        """Return why the controller says that the EIP is not the way out; empty if it does not."""
        claim = self.claims.known(address.pod) if address.pod else None
        told = condition(claim.conditions, EGRESS_THROUGH_EIP) if claim else {}
        return str(told.get("message")) if told.get("status") == "False" else ""


def _own_link(address: Address) -> str:
    """Return what the Pod calls the ENI that it has as a whole; empty for other Pods."""
    is_own = address.exclusive and isinstance(address.state, Assigned)
    return address.state.key.ifname if is_own and isinstance(address.state, Assigned) else ""


def _link_of(address: Address) -> str:
    return address.state.host_interface if isinstance(address.state, Assigned) else ""


def _since(address: Address) -> float:
    return address.state.since if isinstance(address.state, Assigned) else 0.0


def _checked(destination: str) -> tuple[str, int | None]:
    """Return address and port. Raises: InvalidInputError."""
    ip, colon, port = destination.partition(":")
    try:
        address, number = str(ipaddress.IPv4Address(ip)), int(port) if colon else None
    except ValueError as e:
        raise _refused(destination) from e
    if number is not None and not 0 < number < 65536:
        raise _refused(destination)
    return address, number


def _refused(destination: str) -> InvalidInputError:
    return InvalidInputError(
        f"--to is {destination[:64]!a}",
        advice="an IPv4 address is allowed, with or without a port, as 203.0.113.5 or 172.16.252.1:443",
    )
