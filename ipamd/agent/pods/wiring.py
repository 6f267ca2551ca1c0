"""From an owned address to the wiring that its Pod has, and from a link found in the kernel to its owner.

A link's owner is a sandbox, which the alias beside the link names. Which addresses a link carries is another
question: its routes tell, and where they are gone what the link was made for. Pure.
"""

import ipaddress
from collections.abc import Iterable

from ipamd.core import link_alias, model, names
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.core.link_alias import LinkAlias
from ipamd.core.timing.boottime import Boottime
from ipamd.net.model import EniLink, FoundLink, OwnEni, PodWiring, Snapshot


def wiring(address: Address, link: EniLink) -> PodWiring:
    """Return all that the kernel has to have of the owner of the address, which must be Assigned.

    ADD makes this, CHECK compares with it, the repair and the start bring it about again.
    """
    state = address.state
    if not isinstance(state, Assigned):
        msg = f"{address.ip} has no sandbox: {state}"
        raise TypeError(msg)
    return PodWiring(
        netns_path=state.netns,
        ifname=state.key.ifname,
        ip=address.ip,
        host_veth=state.host_interface,
        host_mac=state.host_mac,
        eni_mark=link.mark,
        mtu=link.mtu,
        # What a Pod sends by an ENI of its own does not pass the node.
        eip=address.is_eip_pod and not address.exclusive,
        alias=_alias(state, address.ip),
        own_eni=_own_eni(link) if address.exclusive else None,
    )


def addresses_of_links(kernel: Snapshot) -> dict[str, frozenset[str]]:
    """Return the addresses that lead to each link, by its name; were to lead, where a link has no route.

    Such a link has lost its routes, is half made, or has lost its address to the sandbox's successor.
    """
    routed = routed_addresses(kernel)
    return {link.name: routed.get(link.ifindex) or _made_for(link) for link in kernel.links}


def routed_addresses(kernel: Snapshot) -> dict[int, frozenset[str]]:
    """Return the addresses that lead to links, by ifindex."""
    found: dict[int, set[str]] = {}
    for route in kernel.routes:
        ip, _, length = route.destination.partition("/")
        if length == "32":
            found.setdefault(route.ifindex, set()).add(ip)
    return {ifindex: frozenset(ips) for ifindex, ips in found.items()}


def _made_for(link: FoundLink) -> frozenset[str]:
    alias = link_alias.parse(link.alias)
    of_mac = names.address_of_host_mac(link.mac)
    return frozenset((of_mac,) if of_mac else alias.ips if alias is not None else ())


def owner(
    found: FoundLink, ip: str, pods: Iterable[PodView], *, eip: bool, now: Boottime
) -> Assigned | Occupied:
    """Return who has a found link and one of its addresses, by whatever rule the link was named.

    `pods` are those of the node; `eip` says whether the kernel treats the address as one with EIP. With a
    readable alias the owner is known in full, without one only that there is one.
    """
    alias = link_alias.parse(found.alias)
    pod = _pod(alias, ip, pods)
    if alias is None or pod is None:
        return Occupied(host_interface=found.name, host_mac=found.mac, pod=pod, since=now)
    return Assigned(
        key=alias.key,
        pod=pod,
        since=now,
        host_interface=found.name,
        host_mac=found.mac,
        network=alias.network,
        awaits_eip=eip,
    )


def _pod(alias: LinkAlias | None, ip: str, pods: Iterable[PodView]) -> model.PodRef | None:
    if alias is not None and alias.pod is not None:
        return alias.pod
    # A name that had no room beside the link: the API server tells it.
    uid = alias.uid if alias is not None else ""
    return next((pod.ref for pod in pods if (pod.is_called(uid) if uid else pod.pod_ip == ip)), None)


def _own_eni(link: EniLink) -> OwnEni:
    return OwnEni(mac=link.mac, gateway=link.gateway, by_node=link.by_node, node_ip=link.node_ip)


def _alias(state: Assigned, ip: str) -> str:
    alias = LinkAlias(key=state.key, network=state.network, pod=state.pod, uid=state.pod.uid, ips=(ip,))
    return alias.encode()


def gateway_of(cidr: str) -> str:
    """Return the gateway of a subnet: its first address (Tencent Cloud, "configure ENIs on Linux")."""
    return str(ipaddress.IPv4Network(cidr).network_address + 1)
