"""How many packets a second a Pod gets through its node to the internet.

64-byte UDP datagrams are sent with sendmmsg, so that the sender costs little beside the forwarding that
happens in its own context; what arrives is counted at the far link, not what was sent.
"""

import ctypes
import socket
import struct
import time
from pathlib import Path

from simulator.fabric import netns as namespaces

_BATCH = 64
_PAYLOAD = 22  # 64 bytes on the wire: 14 Ethernet, 20 IP, 8 UDP, 22 data
_PORT = 9


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.POINTER(_Iovec)),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint32),
    )


def packets_per_second(*, pod_netns: str, internet_netns: str, host: str, seconds: float) -> float:
    """Flood from the Pod to `host` for `seconds`; packets that reached the internet, each second."""
    sink = namespaces.run_in(internet_netns, lambda: _sink(host))
    sender = namespaces.run_in(pod_netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with sink, sender:
        sender.connect((host, _PORT))
        before = namespaces.run_in(internet_netns, _received)
        start = time.perf_counter()
        _flood(sender, until=start + seconds)
        elapsed = time.perf_counter() - start
        return (namespaces.run_in(internet_netns, _received) - before) / elapsed


def _sink(host: str) -> socket.socket:
    """Take the datagrams without an ICMP answer; what does not fit the small buffer is dropped there."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sink.bind((host, _PORT))
    return sink


def _flood(sender: socket.socket, *, until: float) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    payload = ctypes.create_string_buffer(struct.pack(f"{_PAYLOAD}x"), _PAYLOAD)
    iovec = _Iovec(ctypes.addressof(payload), _PAYLOAD)
    messages = (_Message * _BATCH)(
        *(_Message(iov=ctypes.pointer(iovec), iov_length=1) for _ in range(_BATCH))
    )
    while time.perf_counter() < until:
        libc.sendmmsg(sender.fileno(), messages, _BATCH, 0)


def _received() -> int:
    """Packets received on all links of the calling thread's namespace, loopback left out."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    links = (line.split(":", 1) for line in lines)
    return sum(int(counters.split()[1]) for name, counters in links if name.strip() != "lo")
