"""From an owned address to the wiring that its Pod has, and from a link found in the kernel to its owner.

The host's end of a Pod's veth carries an alias that names sandbox and Pod. People see it in `ip link`; the
agent reads it when its store was lost, and then knows every owner again. The alias is written by root of the
node, and yet every field is checked before it is believed. Pure.
"""

import ipaddress
import re
from collections.abc import Mapping

from ipamd.core import model, names
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.core.timing.boottime import Boottime
from ipamd.net.model import EniLink, FoundLink, PodWiring

_LONGEST_ALIAS = 255
"""IFALIASZ of the kernel, without its NUL."""
_ALIAS = re.compile(
    r"(?P<network>[\w.-]{1,255}) (?P<container>[\w.-]{1,255}) (?P<ifname>[^/:\s]{1,15}) "
    r"(?P<namespace>[a-z0-9-]{1,63})/(?P<name>[a-z0-9.-]{1,253}) (?P<uid>[A-Za-z0-9-]{0,128})",
    re.ASCII,
)


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
        eni_mark=link.mark,
        mtu=link.mtu,
        eip=address.is_eip_pod,
        alias=_alias(state),
    )


def owner(
    found: FoundLink, pods: Mapping[str, model.PodRef], *, eip: bool, now: Boottime
) -> Assigned | Occupied:
    """Return who has a found link, by whatever rule it was named.

    `pods` are the node's Pods by IP; `eip` says whether the kernel treats the link's address as one with EIP.
    With a readable alias the owner is known in full, without one only that there is one.
    """
    match = _ALIAS.fullmatch(found.alias)
    if match is None:
        pod = pods.get(names.ip_of_host_mac(found.mac))
        return Occupied(host_interface=found.name, pod=pod, since=now)
    return Assigned(
        key=model.SandboxKey(container_id=match["container"], ifname=match["ifname"]),
        pod=model.PodRef(namespace=match["namespace"], name=match["name"], uid=match["uid"]),
        since=now,
        host_interface=found.name,
        network=match["network"],
        awaits_eip=eip,
    )


def _alias(state: Assigned) -> str:
    key = state.key
    alias = f"{state.network} {key.container_id} {key.ifname} {state.pod} {state.pod.uid}"
    return alias if len(alias.encode()) <= _LONGEST_ALIAS else ""


def gateway_of(cidr: str) -> str:
    """Return the gateway of a subnet: its first address (Tencent Cloud, "configure ENIs on Linux")."""
    return str(ipaddress.IPv4Network(cidr).network_address + 1)
