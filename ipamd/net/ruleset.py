"""Our nftables table `ip tke_eni`, as commands in nft's JSON. Pure: nothing is executed here.

An ENI is chosen once for each connection, by its first packet, and kept in the connection's mark; so a
connection stays on its way when the Pod gets or loses its EIP later, and all other packets need one lookup.
The chain runs after destination NAT (priority dstnat + 10), because what matters is where a packet goes, not
the Service address that it was sent to.

    sources      from a Pod's link to 127.0.0.0/8: dropped
                 from a Pod's link with the address that is beside the link in the set: let in; with another
                 one: dropped unless the route back to it leads to that very link. So no Pod speaks as another
                 one, whatever it does in its namespace (raw: before all else)
    prerouting   from a Pod's link to an address that is closed to Pods: dropped
                 connection with an ENI's mark, packet from a Pod, or the answer to one: mark it
                 from outside, by an ENI: remember the ENI (arrive_<mark>)
                 the others of a connection with an ENI's mark: mark them (leave_<mark>)
                 other packets of known connections: the node's own routing
                 first packet of a Pod with EIP, to a direct CIDR, or to an address that nobody masquerades
                 and that the node would reach by its primary ENI: choose the Pod's ENI (pod_<mark>)
    postrouting  where Pods have ENIs of their own: what a Service leads to one by the node, and what one says
                 by the node to others than Pods, gets the node's address: the node has to see the answer
                 what leaves by the very ENI that was chosen for it keeps its address (depart_<mark>): decided
                 before (srcnat - 1) the MASQUERADE of kube-proxy and ip-masq-agent, which are never asked

What is closed to Pods is looked for in every packet, by one comparison: a connection from before ends too.
And after destination NAT: no Service leads around it, and a proxy that the node has in its place is reached.

The order is that of what most packets are, as each rule costs each packet (docs/adr/0036): what a Pod that is
wired says by a connection that is known has passed after four rules. The set that lets its packets in only
spares them the look-up of a route: without its element a Pod is slower, not cut off; so it does no harm that
a Pod of a release before has none until the first repair.

Only constants are or-ed into marks, one chain for each ENI: kernels before 6.13 cannot combine two registers.
"""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ipamd.core import names
from ipamd.net import table_listing
from ipamd.net.marks import FIRST_TABLE, KUBE_PROXY_MASQUERADE
from ipamd.net.model import DataPlaneConfig, EniLink, PodEgress, Ranges
from ipamd.net.nft_elements import TABLE

PODS: Final = "pods"
EIP_PODS: Final = "eip_pods"
POD_SOURCES: Final = "pod_sources"
EXCLUSIVE_PODS: Final = "exclusive_pods"
"""Pods with an ENI of their own; the set is there only where such Pods may be."""
OF_PODS: Final = (PODS, EIP_PODS, POD_SOURCES, EXCLUSIVE_PODS)
"""The maps and sets whose elements come and go with Pods."""
_DIRECT: Final = "direct_cidrs"
_UNMASQUERADED: Final = "unmasqueraded_cidrs"
_ARRIVALS: Final = "eni_arrivals"
_RETURNS: Final = "eni_returns"
_DEPARTURES: Final = "eni_departures"
_SOURCES: Final = "sources"
_POD_CHAIN: Final = "pod_"

Command = table_listing.Entry
_HERE: Final = {"family": "ip", "table": TABLE}
_ALL_BITS: Final = 0xFFFFFFFF


def pod_chain(mark: int) -> str:
    """Return the chain that the map sends the first packets of an ENI's Pods to."""
    return f"{_POD_CHAIN}{mark:#x}"


def mark_of(chain: str) -> int:
    """Return the mark of a chain named by `pod_chain`; 0 when it is none."""
    try:
        return int(chain.removeprefix(_POD_CHAIN), 16) if chain.startswith(_POD_CHAIN) else 0
    except ValueError:
        return 0


def create(config: DataPlaneConfig, ranges: Ranges, enis: Sequence[EniLink]) -> list[Command]:
    """Return the commands that make the table what it has to be; elements of Pods stay as they are.

    The first of the ENIs is the primary one.
    """
    chains = [_SOURCES, "prerouting", "postrouting"]
    rules = [
        (_SOURCES, "not to the node's loopback", _to_loopback),
        (_SOURCES, "a Pod by its own link", _by_its_link),
        (_SOURCES, "a Pod speaks as itself", _of_another),
        *(("prerouting", *rule) for rule in _prerouting(config, enis[:1])),
        *(("postrouting", *rule) for rule in _exclusive(config)),
        ("postrouting", "leaves by an ENI", [_vmap({"meta": {"key": "oif"}}, _DEPARTURES)]),
    ]
    for eni in enis:
        for rule in _eni_rules(config, eni):
            if rule[0] not in chains:
                chains.append(rule[0])
            rules.append(rule)
    return [
        {"add": {"table": {"family": "ip", "name": TABLE}}},
        *_sets(config),
        *({"add": {"chain": {**_HERE, "name": chain, **_HOOKS.get(chain, {})}}} for chain in chains),
        *({"flush": {"chain": {**_HERE, "name": chain}}} for chain in chains),
        *_filled(_DIRECT, ranges.direct),
        *_filled(_UNMASQUERADED, ranges.unmasqueraded),
        *_elements("add", _ARRIVALS, [[eni.ifindex, _jump(_arrive(eni.mark))] for eni in enis]),
        *_elements("add", _RETURNS, [[eni.mark, _goto(_leave(eni.mark))] for eni in enis]),
        *_elements("add", _DEPARTURES, [[eni.ifindex, _goto(_depart(eni.mark))] for eni in enis]),
        *(
            {"add": {"rule": {**_HERE, "chain": chain, "expr": expression, "comment": comment}}}
            for chain, comment, expression in rules
        ),
    ]


def outdated(listing: Sequence[Command], enis: Sequence[EniLink]) -> list[Command]:
    """Return the commands that remove what a listed table has for these ENIs under another ifindex or mark.

    What it has for other ENIs stays: after a restart they are made known one by one, and their Pods run.
    """
    return [
        command
        for name, chain in ((_ARRIVALS, _arrive), (_DEPARTURES, _depart))
        for command in _elements("delete", name, _moved(listing, name, enis, chain))
    ]


def _moved(
    listing: Sequence[Command], name: str, enis: Sequence[EniLink], chain: Callable[[int], str]
) -> list[Any]:
    """Return what a map from links to chains of ENIs has for these ENIs, or their links, and is wrong."""
    chains = {key: chain(eni.mark) for eni in enis for key in (eni.name, eni.ifindex)}
    return [
        [key, verdict]
        for key, verdict in table_listing.elements(listing, name)
        if chains.get(key) != table_listing.target(verdict)
        and (key in chains or table_listing.target(verdict) in chains.values())
    ]


def forget(mark: int, listing: Sequence[Command]) -> list[Command]:
    """Return the commands that remove an ENI's chains from a listed table, and first what leads to them."""
    ours = {pod_chain(mark), _arrive(mark), _leave(mark), _depart(mark)}
    present = [chain for chain in table_listing.chains(listing) if chain in ours]
    leading = {
        name: [
            [key, verdict]
            for key, verdict in table_listing.elements(listing, name)
            if table_listing.target(verdict) in ours
        ]
        for name in (PODS, _ARRIVALS, _RETURNS, _DEPARTURES)
    }
    return [
        *(command for name, found in leading.items() for command in _elements("delete", name, found)),
        *({"flush": {"chain": {**_HERE, "name": chain}}} for chain in present),
        *({"delete": {"chain": {**_HERE, "name": chain}}} for chain in present),
    ]


def show() -> list[Command]:
    """Return the command that lists the table."""
    return [{"list": {"table": {"family": "ip", "name": TABLE}}}]


def destroy() -> list[Command]:
    """Return the commands that remove the table, whether or not it exists."""
    table = {"family": "ip", "name": TABLE}
    return [{"add": {"table": table}}, {"delete": {"table": table}}]


_HOOKS: Final[dict[str, Command]] = {
    "sources": {"type": "filter", "hook": "prerouting", "prio": -300, "policy": "accept"},
    "prerouting": {"type": "filter", "hook": "prerouting", "prio": -90, "policy": "accept"},
    "postrouting": {"type": "nat", "hook": "postrouting", "prio": 99, "policy": "accept"},
}


_SOURCE: Final[Command] = {"payload": {"protocol": "ip", "field": "saddr"}}
_DESTINATION: Final[Command] = {"payload": {"protocol": "ip", "field": "daddr"}}
_FROM_A_POD: Final[Command] = {
    "match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": f"{names.HOST_VETH_PREFIX}*"}
}
_by_its_link: Final[list[Command]] = [
    {
        "match": {
            "op": "==",
            "left": {"concat": [{"meta": {"key": "iif"}}, _SOURCE]},
            "right": f"@{POD_SOURCES}",
        }
    },
    {"accept": None},
]
_of_another: Final[list[Command]] = [
    _FROM_A_POD,
    {"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, "right": False}},
    {"drop": None},
]


_to_loopback: Final[list[Command]] = [
    {"match": {"op": "==", "left": _DESTINATION, "right": {"prefix": {"addr": "127.0.0.0", "len": 8}}}},
    _FROM_A_POD,
    {"drop": None},
]
"""portmap sets route_localnet on Pods' links; without it the kernel drops these by itself (CVE-2020-8558)."""


def _sets(config: DataPlaneConfig) -> Iterator[Command]:
    yield {"add": {"map": {**_HERE, "name": PODS, "type": "ipv4_addr", "map": "verdict"}}}
    yield {"add": {"set": {**_HERE, "name": EIP_PODS, "type": "ipv4_addr"}}}
    yield {"add": {"set": {**_HERE, "name": POD_SOURCES, "type": ["iface_index", "ipv4_addr"]}}}
    if config.exclusive_source:
        yield {"add": {"set": {**_HERE, "name": EXCLUSIVE_PODS, "type": "ipv4_addr"}}}
    for name in (_DIRECT, _UNMASQUERADED):
        yield {"add": {"set": {**_HERE, "name": name, "type": "ipv4_addr", "flags": ["interval"]}}}
    yield {"add": {"map": {**_HERE, "name": _ARRIVALS, "type": "iface_index", "map": "verdict"}}}
    yield {"add": {"map": {**_HERE, "name": _RETURNS, "type": "mark", "map": "verdict"}}}
    yield {"add": {"map": {**_HERE, "name": _DEPARTURES, "type": "iface_index", "map": "verdict"}}}


def _prerouting(config: DataPlaneConfig, primary: Sequence[EniLink]) -> Iterator[tuple[str, list[Command]]]:
    if config.closed_to_pods:
        closed = {
            "match": {"op": "==", "left": _DESTINATION, "right": {"set": sorted(config.closed_to_pods)}}
        }
        yield "closed to Pods", [closed, _FROM_A_POD, {"drop": None}]
    with_eni = _copied_mark(config.mark_mask)
    yield "a Pod's known connection", [_FROM_A_POD, *with_eni]
    answer = {"match": {"op": "==", "left": {"ct": {"key": "direction"}}, "right": "reply"}}
    yield "an answer to a Pod", [answer, *with_eni]
    yield "arrived on an ENI", [_vmap({"meta": {"key": "iif"}}, _ARRIVALS)]
    yield "the connection has an ENI", [_vmap({"&": [_CT_MARK, config.mark_mask]}, _RETURNS)]
    known = {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}
    yield "the connection goes the node's way", [{"match": known}, {"accept": None}]
    if config.pod_egress is PodEgress.ENI:
        yield "a Pod", [_vmap(_SOURCE, PODS)]
        return
    yield "a Pod with EIP", [_in(_SOURCE, EIP_PODS), _vmap(_SOURCE, PODS)]
    yield "a Pod, to the VPC", [_in(_DESTINATION, _DIRECT), _vmap(_SOURCE, PODS)]
    for link in primary:
        way = {"fib": {"result": "oif", "flags": ["daddr"]}}
        by_primary = {"match": {"op": "==", "left": way, "right": link.name}}
        unmasqueraded = _in(_DESTINATION, _UNMASQUERADED)
        yield "a Pod, to where nobody masquerades", [unmasqueraded, by_primary, _vmap(_SOURCE, PODS)]


def _exclusive(config: DataPlaneConfig) -> Iterator[tuple[str, list[Command]]]:
    """Give the node's address to what the VPC would drop, or what would not be answered by the node."""
    if not config.exclusive_source:
        return
    as_node: Command = {"snat": {"addr": config.exclusive_source}}
    # Not by the status `dnat`: IPVS leads to backends without it, and changes the reply tuple only.
    asked = {"ct": {"key": "ip daddr", "dir": "original"}}
    by_service = {"match": {"op": "!=", "left": asked, "right": f"@{EXCLUSIVE_PODS}"}}
    to_its_link, elsewhere = (
        {"match": {"op": op, "left": {"meta": {"key": "oifname"}}, "right": f"{names.HOST_VETH_PREFIX}*"}}
        for op in ("==", "!=")
    )
    to_pod = [_in(_DESTINATION, EXCLUSIVE_PODS), to_its_link, by_service]
    yield "by a Service to a Pod with an ENI", [*to_pod, as_node]
    yield "from a Pod with an ENI, by the node", [_in(_SOURCE, EXCLUSIVE_PODS), elsewhere, as_node]


def _eni_rules(config: DataPlaneConfig, eni: EniLink) -> Iterator[tuple[str, str, list[Command]]]:
    original = {"match": {"op": "==", "left": {"ct": {"key": "direction"}}, "right": "original"}}
    mask, mark = config.mark_mask, eni.mark
    arrive, leave, pod, depart = _arrive(mark), _leave(mark), pod_chain(mark), _depart(mark)
    yield leave, "by this ENI", [_set_mark(_MARK, mask, mark)]
    yield pod, "by this ENI from now on", [_set_mark(_CT_MARK, mask, mark)]
    yield pod, "this packet too", [_goto(leave)]
    if eni.table >= FIRST_TABLE:
        yield arrive, "for the reverse path filter", [_set_mark(_MARK, mask, mark)]
    yield arrive, "answers go back by this ENI", [original, _set_mark(_CT_MARK, mask, mark)]
    yield arrive, "inwards", [original, {"accept": None}]
    # The mark alone is not enough: to a Pod of this node it stays, and what passes the node has it, too.
    chosen = {"match": {"op": "==", "left": {"&": [_MARK, mask]}, "right": mark}}
    if config.eip_source_nat_exemption:
        yield depart, "keeps its address: no masquerade", [chosen, *_KEEP]
    else:
        yield depart, "keeps its address: no masquerade", [chosen, _in(_DESTINATION, _DIRECT), *_KEEP]
        yield depart, "nor does kube-proxy change it", [chosen, _MASQUERADED, *_KEEP]


def _arrive(mark: int) -> str:
    return f"arrive_{mark:#x}"


def _depart(mark: int) -> str:
    return f"depart_{mark:#x}"


def _leave(mark: int) -> str:
    return f"leave_{mark:#x}"


def _jump(chain: str) -> Command:
    return {"jump": {"target": chain}}


def _goto(chain: str) -> Command:
    return {"goto": {"target": chain}}


_MARK: Final[Command] = {"meta": {"key": "mark"}}
_CT_MARK: Final[Command] = {"ct": {"key": "mark"}}
_KEEP: Final[list[Command]] = [{"snat": {"addr": _SOURCE}}]
_MASQUERADED: Final[Command] = {
    "match": {"op": "!=", "left": {"&": [_MARK, KUBE_PROXY_MASQUERADE]}, "right": 0}
}


def _vmap(key: Command, name: str) -> Command:
    return {"vmap": {"key": key, "data": f"@{name}"}}


def _in(field: Command, name: str) -> Command:
    return {"match": {"op": "==", "left": field, "right": f"@{name}"}}


def _set_mark(what: Command, mask: int, mark: int) -> Command:
    """Set our bits and keep the others."""
    return {"mangle": {"key": what, "value": {"|": [{"&": [what, _ALL_BITS ^ mask]}, mark]}}}


def _copied_mark(mask: int) -> list[Command]:
    """Give a packet the ENI of its connection, if that has one and the packet no mark of anybody.

    A packet with marks of others has to keep them, and kernels before 6.13 cannot put two marks together.
    """
    of_connection = {"&": [_CT_MARK, mask]}
    return [
        {"match": {"op": "!=", "left": of_connection, "right": 0}},
        {"match": {"op": "==", "left": _MARK, "right": 0}},
        {"mangle": {"key": _MARK, "value": of_connection}},
        {"accept": None},
    ]


def _network(cidr: str) -> Command:
    network = ipaddress.IPv4Network(cidr)
    return {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


def _filled(name: str, cidrs: Sequence[str]) -> Iterator[Command]:
    yield {"flush": {"set": {**_HERE, "name": name}}}
    yield from _elements("add", name, [_network(cidr) for cidr in cidrs])


def _elements(verb: str, name: str, elements: list[Any]) -> Iterator[Command]:
    if elements:
        yield {verb: {"element": {**_HERE, "name": name, "elem": elements}}}
