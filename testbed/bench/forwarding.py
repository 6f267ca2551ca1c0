"""Nodes that forward for a Pod, each by another layout of rules: what a packet costs by ours, and by others.

    pod (10.0.1.100) ── node ── eth1 ── outside (203.0.113.5)
                             └─ eth0 ──┘

Each has three network namespaces of its own, with the same links. The reverse path filter is off, as TKE has
it on its nodes.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from ipamd.core import names
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import DataPlaneConfig, PodWiring, Ranges
from simulator.fabric import netns as namespaces

POD: Final = "10.0.1.100"
OUTSIDE: Final = "203.0.113.5"
_NODE: Final = "10.0.1.10"
_GATEWAY: Final = "10.0.1.1"
_METADATA: Final = "169.254.0.23"
_PRIMARY_MAC, _SECONDARY_MAC = "20:90:6f:00:00:10", "20:90:6f:00:00:11"
_ROUTER_MACS: Final = {"eth0": "20:90:6f:00:00:20", "eth1": "20:90:6f:00:00:21"}
_TABLE: Final = 4003
_CONNTRACK: Final = """
    chain forward { type filter hook forward priority filter; policy accept;
      ct state established,related accept
    }
"""
_NAT: Final = """
    chain postrouting { type nat hook postrouting priority srcnat; policy accept; oifname "lo" accept
    }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The network namespaces of one node."""

    name: str
    pod: str
    node: str
    outside: str
    others: list[str] = field(default_factory=list)
    """Of further Pods, where the layout gives them links of their own."""


class Layout(Protocol):
    """How a node leads its Pods' packets."""

    @property
    def name(self) -> str:
        """What it is called in figures."""

    def begin(self, place: Place) -> None:
        """Connect the Pod and lead its packets to the outside by eth1."""

    def add_pods(self, place: Place, ips: Sequence[str]) -> None:
        """Do for these addresses what the layout does for each Pod."""

    def end(self) -> None:
        """Let go of what is held."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Routes of main only; with conntrack and NAT if asked for: kube-proxy has both in use on every node."""

    name: str
    conntrack: bool = False
    nat: bool = False

    def begin(self, place: Place) -> None:
        """Make one default route."""
        _connect(place)
        _ip(place.node, f"route add default via {_GATEWAY} dev eth1 onlink")
        self.track(place)

    def track(self, place: Place) -> None:
        """Have connections tracked, and translated, as far as asked for; no rule matches."""
        if self.conntrack:
            _nft(place.node, f"table ip others {{ {_CONNTRACK} {_NAT if self.nat else ''} }}")

    def add_pods(self, place: Place, ips: Sequence[str]) -> None:
        """Add routes."""
        _ip(place.node, *(f"route add {ip}/32 dev {_link()}" for ip in ips))

    def end(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class TwoRules:
    """Two policy rules for each Pod, as TKE, AWS and Terway have them, and what kube-proxy has in use."""

    name: str
    nat: bool = True

    def begin(self, place: Place) -> None:
        """Make the ENI's table, and the rules of the Pod."""
        _connect(place)
        _ip(place.node, f"route add default via {_GATEWAY} dev eth0 onlink")
        _ip(place.node, f"route add default via {_GATEWAY} dev eth1 onlink table {_TABLE}")
        Plain(self.name, conntrack=True, nat=self.nat).track(place)
        _ip(place.node, *_two_rules(POD))

    def add_pods(self, place: Place, ips: Sequence[str]) -> None:
        """Add routes, and rules before those of the Pod."""
        _ip(place.node, *(rule.replace("rule add", "rule del") for rule in _two_rules(POD)))
        Plain(self.name).add_pods(place, ips)
        _ip(place.node, *(rule for ip in (*ips, POD) for rule in _two_rules(ip)))

    def end(self) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class Ours:
    """The product's own data plane; the Pod has an EIP."""

    name: str
    _dataplane: DataPlane = field(
        default_factory=lambda: DataPlane(DataPlaneConfig(closed_to_pods=frozenset({_METADATA})))
    )
    _mark: int = 0

    def begin(self, place: Place) -> None:
        """Have node, ENI and Pod set up."""
        _ip(place.node, f"route add default via {_GATEWAY} dev eth0 onlink")

        def ensure() -> int:
            self._dataplane.ensure_node(_PRIMARY_MAC, Ranges(("10.0.0.0/16",)))
            return self._dataplane.ensure_eni(_SECONDARY_MAC, _GATEWAY).mark

        self._mark = namespaces.run_in(place.node, ensure)
        self._wire(place, place.pod, POD)

    def add_pods(self, place: Place, ips: Sequence[str]) -> None:
        """Wire Pods with namespaces of their own."""
        for ip in ips:
            netns = f"{place.pod}-{len(place.others)}"
            namespaces.create(netns)
            place.others.append(netns)
            self._wire(place, netns, ip)

    def end(self) -> None:
        """Let go of the data plane's sockets."""
        self._dataplane.close()

    def _wire(self, place: Place, netns: str, ip: str) -> None:
        end = names.host_end(f"pod-{ip}", "eth0")
        wiring = PodWiring(
            netns_path=str(namespaces.DIRECTORY / netns),
            ifname="eth0",
            ip=ip,
            host_veth=end.name,
            host_mac=end.mac,
            eni_mark=self._mark,
            mtu=1500,
            eip=ip == POD,
        )
        namespaces.run_in(place.node, lambda: self._dataplane.wire_pod(wiring))


@contextlib.contextmanager
def forwarding(number: int, layout: Layout) -> Iterator[Place]:
    """Give a node of a layout, with one Pod; nothing of it stays."""
    pod, node, outside = (f"tke-fwd-{os.getpid()}-{number}-{role}" for role in ("pod", "node", "out"))
    place = Place(name=layout.name, pod=pod, node=node, outside=outside)
    try:
        for netns in (pod, node, outside):
            namespaces.create(netns)
        _build(place)
        layout.begin(place)
        yield place
    finally:
        layout.end()
        for netns in (pod, node, outside, *place.others):
            namespaces.delete(netns)


def _build(place: Place) -> None:
    settings = ("ip_forward=1", "conf.all.rp_filter=0", "conf.default.rp_filter=0")
    for netns in (place.node, place.outside):
        inside = ("ip", "netns", "exec", netns, "sysctl", "-qw")
        _run(*inside, *(f"net.ipv4.{setting}" for setting in settings))
    for link, mac in (("eth0", _PRIMARY_MAC), ("eth1", _SECONDARY_MAC)):
        router = _ROUTER_MACS[link]
        peer = f"peer name {link} netns {place.outside} address {router}"
        _ip(
            place.node,
            f"link add {link} address {mac} type veth {peer}",
            f"link set {link} up",
            f"neighbour replace {_GATEWAY} lladdr {router} dev {link} nud permanent",
        )
        _ip(place.outside, f"link set {link} up")
    _ip(place.node, f"address add {_NODE}/24 dev eth0")
    _ip(
        place.outside,
        f"address add {OUTSIDE}/32 dev lo",
        f"route add {POD}/32 dev eth1",
        f"neighbour replace {POD} lladdr {_SECONDARY_MAC} dev eth1 nud permanent",
    )


def _link() -> str:
    return names.host_end(f"pod-{POD}", "eth0").name


def _connect(place: Place) -> None:
    """Connect the Pod by hand, as the product's data plane does."""
    end = names.host_end(f"pod-{POD}", "eth0")
    mac = names.pod_mac(end.mac)
    peer = f"peer name eth0 netns {place.pod} address {mac}"
    _ip(
        place.node,
        f"link add {end.name} address {end.mac} type veth {peer}",
        f"link set {end.name} up",
        f"route add {POD}/32 dev {end.name}",
    )
    gateway = names.GATEWAY_IP
    _ip(
        place.pod,
        "link set eth0 up",
        f"address add {POD}/32 dev eth0",
        f"route add {gateway} dev eth0 scope link",
        f"route add default via {gateway} dev eth0 onlink",
        f"neighbour replace {gateway} lladdr {end.mac} dev eth0 nud permanent",
    )


def _two_rules(ip: str) -> tuple[str, str]:
    return f"rule add priority 512 to {ip} lookup main", f"rule add priority 1536 from {ip} lookup {_TABLE}"


def _ip(netns: str, *lines: str) -> None:
    _run("ip", "-n", netns, "-batch", "-", stdin="\n".join(lines))


def _nft(netns: str, ruleset: str) -> None:
    _run("ip", "netns", "exec", netns, "nft", "-f", "-", stdin=ruleset)


def _run(*command: str, stdin: str = "") -> None:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")
