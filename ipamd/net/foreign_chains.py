"""The chains of others that Pods' packets come by before or beside ours: listed, and judged by the core.

Only chains with a hook are listed first; the rules of a table only where its hook matters. iptables-legacy is
no part of nftables: of its FORWARD chain the rules and the policy are read by getsockopt(2), as iptables does
(linux/netfilter_ipv4/ip_tables.h), and only if its filter table exists, because asking would make it.
"""

import ctypes
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel import foreign_chains
from ipamd.core.kernel.difference import Difference
from ipamd.core.kernel.foreign_chains import BaseChain, ChainVerdict, PodPacket
from ipamd.net import libnftables
from ipamd.net.nft_elements import TABLE

_OURS_BEFORE: Final = 99
"""The priority of our postrouting chain; kube-proxy and ip-masq-agent have 100."""
_FAMILIES: Final = ("ip", "inet")
_LEGACY_TABLES: Final = Path("/proc/thread-self/net/ip_tables_names")
_SOL_IP: Final = 0
_GET_INFO, _GET_ENTRIES = 64, 65
_FORWARD: Final = 2
_INFO: Final = struct.Struct("=32s I 5I 5I I I")
_ENTRIES_HEADER: Final = 40
_ENTRY: Final = struct.Struct("=4s 4s 4s 4s 16s 16s 16s 16s H B B I H H I QQ")
_TARGET_HEADER: Final = 32
_ACCEPT, _DROP = -2, -1
"""NF_ACCEPT and NF_DROP as verdicts of a standard target: - verdict - 1."""


def differences(packet: PodPacket) -> list[Difference]:
    """Return what others do to a Pod's first packet that they must not. Raises: KernelError."""
    listing = libnftables.run([{"list": {"chains": None}}], "list the chains of nftables", "list_chains")
    found = [
        difference
        for base in foreign_chains.base_chains(listing)
        if base.family in _FAMILIES and (base.family, base.table) != ("ip", TABLE)
        for difference in _of_chain(base, packet)
    ]
    if _legacy_drops(packet):
        found.append(_drops("FORWARD of iptables-legacy", "iptables-legacy FORWARD"))
    return found


def _of_chain(base: BaseChain, packet: PodPacket) -> Iterator[Difference]:
    name = f"{base.family} {base.table} {base.name}"
    if base.hook == "forward" and base.kind == "filter":
        if foreign_chains.fate(base, _table(base), packet) is ChainVerdict.DROPPED:
            yield _drops(str(base), name)
    elif (base.hook, base.kind) == ("postrouting", "nat") and base.priority <= _OURS_BEFORE:
        if foreign_chains.fate(base, _table(base), packet) is not ChainVerdict.TRANSLATED:
            return
        text = f"{base} gives packets of Pods another source before our rules are asked"
        yield Difference(code=FindingCode.NAT_BEFORE_OURS, subject=f"chain/{name}", text=text)


def _drops(what: str, name: str) -> Difference:
    text = f"{what} drops what Pods send beyond the node"
    return Difference(code=FindingCode.FORWARD_DROP, subject=f"chain/{name}", text=text)


def _table(base: BaseChain) -> list[dict[str, Any]]:
    table = {"family": base.family, "name": base.table}
    return libnftables.run(
        [{"list": {"table": table}}], f"list nft table {base.family} {base.table}", "list_foreign_table"
    )


def _legacy_drops(packet: PodPacket) -> bool:
    try:
        if "filter" not in _LEGACY_TABLES.read_text().split():
            return False
        info, entries = _legacy_table()
    except OSError:
        return False
    hooks, underflows = info[2:7], info[7:12]
    begin, policy = hooks[_FORWARD], underflows[_FORWARD]
    for offset, rule in _entries(entries, begin):
        matches, verdict = _legacy_rule(entries, offset, rule, packet)
        if offset == policy:
            return verdict == _DROP
        if matches is None and verdict != _DROP:
            return False  # it may be let through
        if matches and verdict in (_ACCEPT, _DROP):
            return verdict == _DROP
        if matches and verdict not in (_ACCEPT, _DROP):
            return False  # another chain decides
    return False


def _entries(table: bytes, begin: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    offset = begin
    while offset + _ENTRY.size <= len(table):
        rule = _ENTRY.unpack_from(table, offset)
        yield offset, rule
        offset += max(_ENTRY.size, rule[13])


def _legacy_rule(
    table: bytes, offset: int, rule: Sequence[Any], packet: PodPacket
) -> tuple[bool | None, int]:
    """Return whether a rule matches (None: perhaps), and its verdict."""
    source, _, source_mask, destination_mask, iif, oif, iif_mask, oif_mask = rule[:8]
    protocol, _, inverted = rule[8:11]
    (verdict,) = struct.unpack_from("=i", table, offset + rule[12] + _TARGET_HEADER)
    standard = not table[offset + rule[12] + 2]  # a target without a name
    if inverted or protocol or rule[12] > _ENTRY.size or any(destination_mask):
        return None, verdict if standard else 0
    packed, mask = int(ipaddress.IPv4Address(packet.source)), int.from_bytes(source_mask, "big")
    matches = (packed & mask) == int.from_bytes(source, "big")
    for name, wanted, bits in ((packet.iif, iif, iif_mask), (packet.oif, oif, oif_mask)):
        padded = name.encode().ljust(16, b"\0")
        matches = matches and all(not b or a == w for a, w, b in zip(padded, wanted, bits, strict=True))
    return matches, verdict if standard else 0


def _legacy_table() -> tuple[tuple[Any, ...], bytes]:
    """Return the header and the entries of iptables' filter table. Raises: OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW) as channel:
        asked = bytearray(_INFO.size)
        asked[:6] = b"filter"
        info = _INFO.unpack(_asked(channel, _GET_INFO, asked))
        size = info[13]
        request = bytearray(_ENTRIES_HEADER + size)
        request[:6] = b"filter"
        struct.pack_into("=I", request, 32, size)
        return info, _asked(channel, _GET_ENTRIES, request)[_ENTRIES_HEADER:]


def _asked(channel: socket.socket, option: int, request: bytearray) -> bytes:
    buffer = (ctypes.c_char * len(request)).from_buffer(request)
    length = ctypes.c_uint32(len(request))
    if _libc.getsockopt(channel.fileno(), _SOL_IP, option, buffer, ctypes.byref(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return bytes(request)


_libc = ctypes.CDLL(None, use_errno=True)
