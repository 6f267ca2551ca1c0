"""What the cloud API tells the data plane: ENIs, addresses, EIPs, routes.

`simulator.cloud` keeps the state and calls a `Fabric`; it knows nothing of namespaces or nft. The fabric
knows nothing of quotas and states, and uses ids as keys only. `NullFabric` is a region without packets.

Every method is synchronous (the effect is in the kernel when it returns), thread-safe and idempotent: adding
what is there and removing what is gone succeed. Only a broken request or a failing kernel raises FabricError.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class FabricError(Exception):
    """The data plane cannot do what the cloud state asks; the message names the object and the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EniPort:
    """An ENI as it is attached to an instance. Addresses are dotted strings, the MAC has colons."""

    eni_id: str
    instance_id: str
    mac: str
    device_index: int
    """Position in the CVM, which names its link: 0 is the primary ENI, eth0."""
    subnet_cidr: str
    gateway: str
    """First address of the subnet."""
    primary_ip: str
    secondary_ips: tuple[str, ...] = ()
    """Addresses that the ENI already has when it is attached."""
    returns: bool = False
    """Whether its link comes back to the CVM when the namespace that it was moved to has ended, as a real one
    does: under another name, down, without addresses. For ENIs that Pods have as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One entry of a subnet's route table, with the names of the cloud's CreateRoutes API.

    The VPC's own ("local") routes are implied. The fabric knows the gateway types NAT and EIP; packets to the
    destination of any other type are dropped.
    """

    destination: str
    """CIDR; the most specific one wins."""
    gateway_type: str
    gateway_id: str
    """Id of the NAT gateway; unused ("0") for EIP."""


class Fabric(Protocol):
    """The data plane of one VPC."""

    def add_instance(self, instance_id: str, netns_name: str = "") -> None:
        """Make the CVM's namespace; `netns_name` is the part of its name after the fabric's own prefix."""

    def remove_instance(self, instance_id: str) -> None:
        """Remove the CVM with its namespace and links and detach its ENIs; EIP bindings stay as they are."""

    def attach_eni(self, port: EniPort) -> None:
        """Let the ENI's link appear in the CVM, with the addresses that it has; others follow by add_ip."""

    def detach_eni(self, eni_id: str) -> None:
        """Let the link vanish from the CVM; all addresses of the ENI go with it."""

    def add_ip(self, eni_id: str, ip: str) -> None:
        """Route a secondary address to the attached ENI and accept it as a source from there."""

    def remove_ip(self, eni_id: str, ip: str) -> None:
        """Take a secondary private address away from the ENI."""

    def bind_eip(self, public_ip: str, private_ip: str) -> None:
        """Translate one to one in both directions; a binding of either address to another one is replaced."""

    def unbind_eip(self, public_ip: str) -> None:
        """Stop the translation at once, for open connections too."""

    def set_ingress(self, eni_id: str, sources: Sequence[str] | None) -> None:
        """Let connections into an attached ENI come from these ranges only; None lets all of them in."""

    def set_routes(self, subnet_cidr: str, routes: Sequence[Route]) -> None:
        """Replace the route table of a subnet as a whole."""

    def add_nat_gateway(self, gateway_id: str, public_ip: str) -> None:
        """Make a NAT gateway that routes may name."""

    def netns_of(self, instance_id: str) -> str:
        """Name of the CVM's namespace for `ip netns exec`; empty without one."""

    def spoof_drops(self) -> Mapping[str, int]:
        """Packets dropped for each attached ENI because their source was not assigned to it."""

    def close(self) -> None:
        """Remove everything; no other method may be called afterwards."""


class NullFabric:
    """A region without packets: the API answers, nothing is reachable. Stateless."""

    def add_instance(self, instance_id: str, netns_name: str = "") -> None:
        """Nothing to make."""

    def remove_instance(self, instance_id: str) -> None:
        """Nothing to remove."""

    def attach_eni(self, port: EniPort) -> None:
        """Nothing to attach."""

    def detach_eni(self, eni_id: str) -> None:
        """Nothing to detach."""

    def add_ip(self, eni_id: str, ip: str) -> None:
        """Nothing to route."""

    def remove_ip(self, eni_id: str, ip: str) -> None:
        """Nothing to route."""

    def bind_eip(self, public_ip: str, private_ip: str) -> None:
        """Nothing to translate."""

    def unbind_eip(self, public_ip: str) -> None:
        """Nothing to translate."""

    def set_ingress(self, eni_id: str, sources: Sequence[str] | None) -> None:
        """Nothing to filter."""

    def set_routes(self, subnet_cidr: str, routes: Sequence[Route]) -> None:
        """Nothing to route."""

    def add_nat_gateway(self, gateway_id: str, public_ip: str) -> None:
        """Nothing to translate."""

    def netns_of(self, instance_id: str) -> str:  # noqa: ARG002 - the Protocol's signature
        """Give no namespace."""
        return ""

    def spoof_drops(self) -> Mapping[str, int]:
        """Give no counters."""
        return {}

    def close(self) -> None:
        """Nothing to remove."""
