"""`VpcFabric`: the data plane of one VPC, made of network namespaces on this machine.

Keeps what is attached where, refuses what contradicts it, and has `router`, `cvm` and `internet` carry it
out. Only namespaces of its own are changed, never the machine's; all of them are removed by close(), which
also runs when the process exits, and those of a killed process by the next VpcFabric on the machine.
"""

import atexit
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from simulator.fabric import cvm, internet, netns, ownership, route_tables, router, ruleset, validation
from simulator.fabric.api import EniPort, FabricError, Route
from simulator.fabric.port_watch import PortWatch

log = logging.getLogger(__name__)

INTERNET_HOSTS = ("203.0.113.10", "203.0.113.20")
SERVICES = ("169.254.0.23", "169.254.0.95", "169.254.128.1")
"""Metadata, cloud API and Kubernetes API, as seen by CVMs."""


@dataclass(slots=True, kw_only=True)
class _Attached:
    port: EniPort
    ips: set[str]


class VpcFabric:
    """Implements `simulator.fabric.api.Fabric`; one lock serialises all changes.

    Invariant: the tables here say what the kernel holds; a change that the kernel refused is not in them.
    """

    def __init__(
        self,
        *,
        vpc_cidrs: Sequence[str],
        internet_hosts: Sequence[str] = INTERNET_HOSTS,
        services: Sequence[str] = SERVICES,
    ) -> None:
        """Sweep the leftovers of dead runs, then make the router and the internet (needs root)."""
        if os.geteuid() != 0:
            raise FabricError("network namespaces need root; without it there is --no-fabric (NullFabric)")
        for cidr in vpc_cidrs:
            validation.check_network("CIDR of the VPC", cidr)
        for address in (*internet_hosts, *services):
            validation.check_address("address of a host or service", address)
        self.internet_hosts = tuple(internet_hosts)
        self._local = (*vpc_cidrs, *(f"{address}/32" for address in services))
        self._lock = threading.RLock()
        self._instances: dict[str, str] = {}
        self._attached: dict[str, _Attached] = {}
        self._eni_of_ip: dict[str, str] = {}
        self._eips: dict[str, str] = {}
        self._subnets: dict[str, tuple[Route, ...]] = {}
        self._gateway_addresses: set[str] = set()
        self._guarded: set[str] = set()
        """ENIs whose security groups do not let everything in."""
        self._nat_gateways: dict[str, tuple[int, str]] = {}
        ownership.sweep()
        self._prefix = ownership.new_prefix()
        self.router_netns = f"{self._prefix}router"
        self.internet_netns = f"{self._prefix}internet"
        with contextlib.ExitStack() as undo:
            undo.callback(ownership.delete_all, self._prefix)
            netns.create(self.router_netns)
            netns.create(self.internet_netns)
            self._router = router.Router(self.router_netns, vpc_cidrs=vpc_cidrs, services=services)
            undo.callback(self._router.close)
            self._router.connect_internet(self.internet_netns)
            internet.configure(self.internet_netns, self.internet_hosts, router.GATEWAY_MAC)
            self._router.wait_for_uplink()
            self._undo = undo.pop_all()
        self._closed = False
        self._port_watch: PortWatch | None = None
        """Runs from the first ENI on whose link may have to return."""
        atexit.register(self.close)

    def add_instance(self, instance_id: str, netns_name: str = "") -> None:
        """Make the CVM's namespace."""
        validation.check_id("instance", instance_id)
        name = self._prefix + (netns_name or instance_id)
        validation.check_id("namespace", name)
        with self._lock:
            if self._closed:
                raise FabricError(f"instance {instance_id} cannot be added: the fabric is closed")
            if instance_id in self._instances:
                return
            netns.create(name)
            try:
                cvm.boot(name)
            except BaseException:
                netns.delete(name)
                raise
            self._instances[instance_id] = name

    def remove_instance(self, instance_id: str) -> None:
        """Remove the CVM with its namespace and links and detach its ENIs."""
        with self._lock:
            name = self._instances.get(instance_id)
            if name is None:
                return
            for attached in list(self._attached.values()):
                if attached.port.instance_id == instance_id:
                    self.detach_eni(attached.port.eni_id)
            netns.delete(name)
            del self._instances[instance_id]

    def attach_eni(self, port: EniPort) -> None:
        """Let the ENI's link appear in the CVM, with the addresses that it has."""
        validation.check_port(port)
        ips = {port.primary_ip, *port.secondary_ips}
        with self._lock:
            existing = self._attached.get(port.eni_id)
            if existing is not None:
                if existing.port == port:
                    return
                where = existing.port.instance_id
                raise FabricError(f"ENI {port.eni_id} is attached to {where} already; detach it first")
            name = self._instances.get(port.instance_id)
            if name is None:
                raise FabricError(f"ENI {port.eni_id} cannot be attached: no instance {port.instance_id}")
            for ip in ips:
                self._check_free(ip, port.eni_id)
            self._ensure_subnet(port.subnet_cidr, port.gateway)
            if port.returns:
                self._watch_ports()
            self._router.add_port(port, name)
            try:
                if port.device_index == 0:
                    cvm.configure_primary(name, port)
                    self._router.wait_for_port(port)
                self._router.apply(ruleset.add_port(router.link_name(port.eni_id), port, sorted(ips)))
            except BaseException:
                self._router.remove_port(port)
                raise
            self._attached[port.eni_id] = _Attached(port=port, ips=ips)
            self._eni_of_ip.update(dict.fromkeys(ips, port.eni_id))

    def detach_eni(self, eni_id: str) -> None:
        """Let the link vanish from the CVM; all addresses of the ENI go with it."""
        with self._lock:
            attached = self._attached.get(eni_id)
            if attached is None:
                return
            name = router.link_name(eni_id)
            self.set_ingress(eni_id, None)
            self._router.apply(ruleset.remove_port(name, attached.port, sorted(attached.ips)))
            self._router.remove_port(attached.port)
            del self._attached[eni_id]
            for ip in attached.ips:
                del self._eni_of_ip[ip]

    def add_ip(self, eni_id: str, ip: str) -> None:
        """Route a secondary address to the attached ENI and accept it as a source from there."""
        validation.check_address("private address", ip)
        with self._lock:
            attached = self._attached.get(eni_id)
            if attached is None:
                raise FabricError(f"{ip} cannot be assigned: ENI {eni_id} is not attached")
            if ip in attached.ips:
                return
            self._check_free(ip, eni_id)
            sources = (router.link_name(eni_id), attached.port, [ip])
            self._router.apply(ruleset.add_sources(*sources))
            try:
                self._router.add_route(attached.port, ip)
            except BaseException:
                self._router.apply(ruleset.remove_sources(*sources))
                raise
            attached.ips.add(ip)
            self._eni_of_ip[ip] = eni_id

    def remove_ip(self, eni_id: str, ip: str) -> None:
        """Take a secondary private address away from the ENI."""
        with self._lock:
            attached = self._attached.get(eni_id)
            if attached is None or ip not in attached.ips:
                return
            if ip == attached.port.primary_ip:
                raise FabricError(
                    f"{ip} is the primary address of ENI {eni_id} and stays until it is detached"
                )
            self._router.remove_route(ip)
            self._router.apply(ruleset.remove_sources(router.link_name(eni_id), attached.port, [ip]))
            attached.ips.discard(ip)
            del self._eni_of_ip[ip]

    def bind_eip(self, public_ip: str, private_ip: str) -> None:
        """Translate one to one in both directions; a binding of either address to another is replaced."""
        validation.check_address("EIP", public_ip)
        validation.check_address("private address", private_ip)
        with self._lock:
            if self._eips.get(public_ip) == private_ip:
                return
            replaced = {
                public: private
                for public, private in self._eips.items()
                if public == public_ip or private == private_ip
            }
            script = "".join(ruleset.unbind_eip(public, private) for public, private in replaced.items())
            self._router.apply(script + ruleset.bind_eip(public_ip, private_ip))
            for public in replaced:
                del self._eips[public]
            self._eips[public_ip] = private_ip

    def unbind_eip(self, public_ip: str) -> None:
        """Stop the translation at once, for open connections too."""
        with self._lock:
            private_ip = self._eips.get(public_ip)
            if private_ip is not None:
                self._router.apply(ruleset.unbind_eip(public_ip, private_ip))
                del self._eips[public_ip]

    def set_ingress(self, eni_id: str, sources: Sequence[str] | None) -> None:
        """Let connections into an attached ENI come from these ranges only; None lets all of them in."""
        for source in sources or ():
            validation.check_network("range", source)
        with self._lock:
            if eni_id not in self._attached or (sources is None and eni_id not in self._guarded):
                return
            name = router.link_name(eni_id)
            if sources is None:
                self._router.apply(ruleset.unguard(name))
                self._guarded.discard(eni_id)
            else:
                self._router.apply(ruleset.guard(name, sources))
                self._guarded.add(eni_id)

    def set_routes(self, subnet_cidr: str, routes: Sequence[Route]) -> None:
        """Replace the route table of a subnet as a whole."""
        validation.check_network("subnet", subnet_cidr)
        for route in routes:
            validation.check_network("destination", route.destination)
        with self._lock:
            subnets = {**self._subnets, subnet_cidr: tuple(routes)}
            self._apply_routes(subnets)
            self._subnets = subnets

    def add_nat_gateway(self, gateway_id: str, public_ip: str) -> None:
        """Make a NAT gateway that routes may name, or give it another address."""
        validation.check_address("address of the NAT gateway", public_ip)
        with self._lock:
            mark, old_ip = self._nat_gateways.get(gateway_id, (len(self._nat_gateways) + 1, ""))
            if old_ip == public_ip:
                return
            self._router.apply(ruleset.nat_gateway(mark, public_ip, old_ip))
            self._nat_gateways[gateway_id] = (mark, public_ip)
            self._apply_routes(self._subnets)

    def netns_of(self, instance_id: str) -> str:
        """Name of the CVM's namespace for `ip netns exec`; empty without one."""
        with self._lock:
            return self._instances.get(instance_id, "")

    def spoof_drops(self) -> Mapping[str, int]:
        """Packets dropped for each attached ENI because their source was not assigned to it."""
        with self._lock:
            drops = self._router.spoof_drops()
            return {eni_id: drops.get(router.link_name(eni_id), 0) for eni_id in self._attached}

    def service_socket(self, address: str, port: int) -> socket.socket:
        """Make a TCP socket that listens at an address of the router, where every CVM reaches it."""
        return netns.listening_socket(self.router_netns, address, port)

    def internet_socket(self, port: int) -> socket.socket:
        """Make a TCP socket that listens at all addresses of the internet's hosts."""
        return netns.listening_socket(self.internet_netns, "0.0.0.0", port)

    def close(self) -> None:
        """Remove every namespace of this run; safe to repeat."""
        with self._lock:
            watch, self._port_watch = self._port_watch, None
        if watch is not None:
            watch.close()  # without the lock, which it takes for each link that is lost
        with self._lock:
            self._closed = True
            atexit.unregister(self.close)
            self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch_ports(self) -> None:
        if self._port_watch is None:
            self._port_watch = PortWatch(self.router_netns, self._return_link)
            self._port_watch.start()

    def _return_link(self, index: int) -> None:
        """Let the link of an attached ENI return to its CVM, if the one of this index was such a link."""
        with self._lock:
            for attached in self._attached.values():
                port = attached.port
                secondaries = tuple(attached.ips - {port.primary_ip})
                name = self._instances.get(port.instance_id, "")
                if not port.returns or not name:
                    continue
                try:
                    if self._router.return_port(replace(port, secondary_ips=secondaries), index, name):
                        log.info("ENI %s is back in %s", port.eni_id, name)
                        return
                except FabricError:
                    log.exception("ENI %s stays away from %s", port.eni_id, name)
                    return

    def _check_free(self, ip: str, eni_id: str) -> None:
        owner = self._eni_of_ip.get(ip, eni_id)
        if owner != eni_id:
            raise FabricError(f"{ip} cannot be assigned to ENI {eni_id}: it belongs to {owner}")

    def _ensure_subnet(self, cidr: str, gateway: str) -> None:
        if gateway not in self._gateway_addresses:
            self._router.add_subnet(gateway)
            self._gateway_addresses.add(gateway)
        if cidr not in self._subnets:
            self.set_routes(cidr, ())

    def _apply_routes(self, subnets: Mapping[str, Sequence[Route]]) -> None:
        tables = {cidr: route_tables.flatten(self._local, routes) for cidr, routes in subnets.items()}
        marks = {gateway_id: mark for gateway_id, (mark, _) in self._nat_gateways.items()}
        self._router.apply(ruleset.route_tables(tables, marks))
