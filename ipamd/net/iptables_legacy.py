"""What iptables-legacy does to a Pod's packet: its FORWARD chain, of which nftables shows nothing.

Rules and policy are read by getsockopt(2), as iptables does (linux/netfilter_ipv4/ip_tables.h), and only if
the filter table exists, because asking would make it. Works in the network namespace of the calling thread.
"""

import ctypes
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ipamd.core.kernel.foreign_chains import PodPacket

FORWARD_CHAIN: Final = "iptables-legacy FORWARD"
_TABLES: Final = Path("/proc/thread-self/net/ip_tables_names")
_SOL_IP: Final = 0
_GET_INFO, _GET_ENTRIES = 64, 65
_FORWARD: Final = 2
_INFO: Final = struct.Struct("=32s I 5I 5I I I")
_ENTRIES_HEADER: Final = 40
_ENTRY: Final = struct.Struct("=4s 4s 4s 4s 16s 16s 16s 16s H B B I H H I QQ")
_TARGET_HEADER: Final = 32
_ACCEPT, _DROP = -2, -1
"""NF_ACCEPT and NF_DROP as verdicts of a standard target: - verdict - 1."""


def has_table(name: str) -> bool:
    """Whether iptables-legacy has a table of this name here: the kernel lists what was ever used."""
    try:
        return name in _TABLES.read_text(encoding="ascii").split()
    except OSError:
        return False


def forward_drops(packet: PodPacket) -> bool:
    """Whether the chain FORWARD certainly drops the packet: by a rule that matches it, or by its policy."""
    if not has_table("filter"):
        return False
    try:
        info, entries = _filter_table()
    except OSError:
        return False
    hooks, underflows = info[2:7], info[7:12]
    begin, policy = hooks[_FORWARD], underflows[_FORWARD]
    for offset, rule in _entries(entries, begin):
        matches, verdict = _rule(entries, offset, rule, packet)
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


def _rule(table: bytes, offset: int, rule: Sequence[Any], packet: PodPacket) -> tuple[bool | None, int]:
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


def _filter_table() -> tuple[tuple[Any, ...], bytes]:
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
