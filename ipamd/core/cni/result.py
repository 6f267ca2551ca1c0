"""What a plugin prints after a successful ADD, in the version of the specification that was asked for.

0.3.1 and 0.4.0 say of each address which IP version it has; 1.1.0 adds the MTU of each interface. The runtime
keeps the result and gives it back as `prevResult`, which `parse_previous` reads in any of these forms.
"""

import ipaddress
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ipamd.core import names
from ipamd.core.cni.errors import CniError, Code, shown
from ipamd.core.cni.netconf import NetConf

_MAX_ENTRIES: Final = 64
"""Interfaces, or addresses, in a prevResult: a chain of plugins makes a handful."""
_MAX_STRING: Final = 4096
_MAX_MTU: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PodInterface:
    """What ADD made for a Pod; MTU in bytes."""

    ifname: str
    netns: str
    ip: str
    pod_mac: str
    host_veth: str
    host_mac: str
    mtu: int
    gateway: str = names.GATEWAY_IP
    """The Pod's default gateway."""


def encode(made: PodInterface, version: str) -> bytes:
    """Return the result of ADD as the plugin prints it, in one of the supported versions."""
    host = {"name": made.host_veth, "mac": made.host_mac}
    pod = {"name": made.ifname, "mac": made.pod_mac, "sandbox": made.netns}
    address = {"address": f"{made.ip}/32", "gateway": made.gateway, "interface": 1}
    interfaces: list[dict[str, object]] = [{**host}, {**pod}]
    if version in ("0.3.1", "0.4.0"):
        address["version"] = "4"
    if version == "1.1.0":
        for interface in interfaces:
            interface["mtu"] = made.mtu
    return json.dumps(
        {
            "cniVersion": version,
            "interfaces": interfaces,
            "ips": [address],
            "routes": [{"dst": "0.0.0.0/0", "gw": made.gateway}],
            "dns": {},
        }
    ).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousInterface:
    """One interface of a prevResult; without sandbox it is the host's, MTU 0 is one that is not told."""

    name: str
    mac: str
    sandbox: str
    mtu: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousResult:
    """What the runtime says that ADD, ours and that of chained plugins, had made."""

    interfaces: tuple[PreviousInterface, ...]
    addresses: tuple[str, ...]
    """Without prefix length."""

    def inside(self, name: str) -> PreviousInterface | None:
        """Return the interface of this name in the sandbox, as the last plugin of the chain tells it."""
        return next((i for i in reversed(self.interfaces) if i.sandbox and i.name == name), None)


def differences(ip: str, ifname: str, host_veth: str, previous: PreviousResult) -> list[str]:
    """Return what a prevResult says otherwise than the sandbox has it, one sentence each.

    A later plugin of a chain may have added interfaces and addresses, and changed MACs; so only what we made
    has to be listed. A result without addresses or interfaces is of a runtime that does not keep them.
    """
    found = []
    if previous.addresses and ip not in previous.addresses:
        found.append(f"ADD's result has the address {', '.join(previous.addresses)}, the Pod has {ip}")
    inside = [interface.name for interface in previous.interfaces if interface.sandbox]
    outside = [interface.name for interface in previous.interfaces if not interface.sandbox]
    if previous.interfaces and ifname not in inside:
        found.append(f"ADD's result has {_list(inside)} in the sandbox, the Pod has {ifname}")
    if previous.interfaces and host_veth not in outside:
        found.append(f"ADD's result has {_list(outside)} on the node, the Pod has {host_veth}")
    return found


def _list(names_: list[str]) -> str:
    return ", ".join(shown(name) for name in names_) or "no interface"


def parse_previous(conf: NetConf) -> PreviousResult:
    """Read the configuration's prevResult; CniError says what is wrong with it."""
    raw = conf.settings.get("prevResult")
    if not isinstance(raw, Mapping):
        raise _broken(conf, "prevResult", "an object")
    return PreviousResult(
        interfaces=tuple(
            PreviousInterface(
                name=_string(conf, where, entry, "name"),
                mac=_string(conf, where, entry, "mac"),
                sandbox=_string(conf, where, entry, "sandbox"),
                mtu=_mtu(conf, where, entry),
            )
            for where, entry in _entries(conf, raw, "interfaces")
        ),
        addresses=tuple(_address(conf, where, entry) for where, entry in _entries(conf, raw, "ips")),
    )


def _entries(conf: NetConf, raw: Mapping[str, Any], field: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    entries = raw.get(field) or []
    if not isinstance(entries, list) or len(entries) > _MAX_ENTRIES:
        raise _broken(conf, f"prevResult.{field}", f"a list of at most {_MAX_ENTRIES} objects")
    for index, entry in enumerate(entries):
        where = f"prevResult.{field}[{index}]"
        if not isinstance(entry, Mapping):
            raise _broken(conf, where, "an object")
        yield where, entry


def _address(conf: NetConf, where: str, entry: Mapping[str, Any]) -> str:
    text = _string(conf, where, entry, "address")
    try:
        return str(ipaddress.ip_interface(text).ip)
    except ValueError as e:
        raise _broken(conf, f"{where}.address", "an address with its prefix length") from e


def _string(conf: NetConf, where: str, entry: Mapping[str, Any], field: str) -> str:
    value = entry.get(field, "")
    if not isinstance(value, str) or len(value) > _MAX_STRING:
        raise _broken(conf, f"{where}.{field}", f"a string of at most {_MAX_STRING} characters")
    return value


def _mtu(conf: NetConf, where: str, entry: Mapping[str, Any]) -> int:
    value = entry.get("mtu", 0)
    if type(value) is not int or not 0 <= value <= _MAX_MTU:
        raise _broken(conf, f"{where}.mtu", f"a number from 0 to {_MAX_MTU}")
    return value


def _broken(conf: NetConf, where: str, allowed: str) -> CniError:
    return CniError(
        Code.DECODING_FAILURE,
        f"{where} of the configuration is not {allowed}",
        advice="the runtime has to pass the result of ADD as it got it",
        version=conf.version,
    )
