"""The part of the bench that looks at packets: what one costs in CPU time, by our layout and by others.

64-byte UDP datagrams are sent with sendmmsg, so that the sender costs little beside the forwarding, which
happens in its own context; what arrives is counted at the far link, not what was sent. TCP requests and
responses of one byte go to and fro in one thread, so its CPU time is that of all who take part. Packets for
each second of CPU are steadier than those for each second, when others use the machine, too.
"""

import contextlib
import ctypes
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from simulator.fabric import netns as namespaces
from testbed.bench.forwarding import OUTSIDE, Layout, Ours, Place, Plain, TwoRules, forwarding
from testbed.bench.part import Measured, Part, Scene
from testbed.bench.spread import Spread

_KEYS = ("pps_vs_conntrack", "pps_vs_two_rules", "rr_vs_bare")
_BATCH: Final = 64
_PAYLOAD: Final = 22  # 64 bytes on the wire: 14 Ethernet, 20 IP, 8 UDP, 22 data
_DISCARD, _ECHO = 9, 7
_EXCHANGES: Final = 50
_ROUNDS: Final = 3
"""For each repeat: many short ones, so that all layouts see the same of what else the machine does."""
_SHARE: Final = 0.1
"""Of the seconds of a flood, for one round."""

_BARE: Final = "bare"
_CONNTRACK: Final = "conntrack"
_KUBE_PROXY: Final = "conntrack and NAT"
_TWO_RULES: Final = "two rules per Pod"
_OURS: Final = "tke-eni"


@dataclass(slots=True)
class Rates:
    """What was measured at one number of Pods, by layout and in the order of the rounds; per CPU second."""

    packets: dict[str, list[float]] = field(default_factory=dict)
    exchanges: dict[str, list[float]] = field(default_factory=dict)

    def ratio(self, of: str, to: str) -> Spread:
        """Return packets of one layout, of those of another."""
        return Spread.of_ratios(self.packets[of], self.packets[to])

    def exchange_ratio(self, of: str, to: str) -> Spread:
        """Return requests and responses of one layout, of those of another."""
        return Spread.of_ratios(self.exchanges[of], self.exchanges[to])


def measure(scene: Scene) -> Measured:
    """Measure all layouts in turn, with more and more Pods on each node."""
    effort = scene.effort
    rates: dict[int, Rates] = {}
    with contextlib.ExitStack() as stack:
        layouts: tuple[Layout, ...] = (
            Plain(_BARE),
            Plain(_CONNTRACK, conntrack=True),
            Plain(_KUBE_PROXY, conntrack=True, nat=True),
            TwoRules(_TWO_RULES),
            Ours(_OURS),
        )
        nodes = [
            (layout, stack.enter_context(forwarding(number, layout))) for number, layout in enumerate(layouts)
        ]
        senders = [stack.enter_context(Sender(place)) for _, place in nodes]
        ips = [f"10.0.{2 + number // 250}.{1 + number % 250}" for number in range(effort.most_pods - 1)]
        so_far = 1
        for pods in effort.pods:
            with scene.progress.step(f"packets and TCP exchanges with {pods} Pods"):
                for layout, place in nodes:
                    layout.add_pods(place, ips[so_far - 1 : pods - 1])
                so_far = pods
                rates[pods] = _rounds(senders, _ROUNDS * effort.repeats, _SHARE * effort.seconds)
    return Measured(figures=_figures(rates), series=_series(rates))


PART = Part(name="packets", keys=_KEYS, measure=measure)


def _figures(rates: Mapping[int, Rates]) -> dict[str, Spread | Mapping[str, Spread]]:
    """Return what has an aim, and what tells where the rest goes."""
    most = rates[max(rates)]

    def by_pods(to: str) -> dict[str, Spread]:
        return {str(pods): found.ratio(_OURS, to) for pods, found in rates.items()}

    return {
        "pps_vs_conntrack": by_pods(_CONNTRACK),
        "pps_vs_two_rules": by_pods(_TWO_RULES),
        "rr_vs_bare": most.exchange_ratio(_OURS, _BARE),
        "pps_vs_bare": by_pods(_BARE),
        "pps_vs_conntrack_and_nat": by_pods(_KUBE_PROXY),
        "rr_vs_conntrack_and_nat": most.exchange_ratio(_OURS, _KUBE_PROXY),
        "rr_vs_two_rules": {
            str(pods): found.exchange_ratio(_OURS, _TWO_RULES) for pods, found in rates.items()
        },
    }


def _series(rates: Mapping[int, Rates]) -> dict[str, Any]:
    """Return medians by layout and number of Pods."""
    return {
        "packets_per_cpu_second": _medians({pods: found.packets for pods, found in rates.items()}),
        "exchanges_per_cpu_second": _medians({pods: found.exchanges for pods, found in rates.items()}),
    }


def _medians(measured: Mapping[int, Mapping[str, Sequence[float]]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for pods, by_layout in measured.items():
        for layout, values in by_layout.items():
            found.setdefault(layout, {})[str(pods)] = round(Spread.of(values).median)
    return found


def _rounds(senders: Sequence["Sender"], rounds: int, seconds: float) -> Rates:
    """Measure all in turn, each time in another direction; `seconds` of CPU for each."""
    rates = Rates()
    for sender in senders:
        sender.flood(seconds / 10)
    for number in range(rounds):
        for sender in senders if number % 2 == 0 else list(reversed(senders)):
            rates.packets.setdefault(sender.name, []).append(sender.flood(seconds))
            rates.exchanges.setdefault(sender.name, []).append(sender.exchange(seconds))
    return rates


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


class Sender:
    """The sockets of one node's Pod and of the host outside.

    Invariant: one TCP connection and one UDP flow, which last as long as it does: conntrack knows both.
    """

    def __init__(self, place: Place) -> None:
        """Open them."""
        self.name = place.name
        self._place = place
        self._stack = contextlib.ExitStack()
        opened = self._stack.enter_context
        opened(namespaces.run_in(place.outside, _sink))
        self._datagrams = opened(namespaces.run_in(place.pod, _datagram_socket))
        listener = opened(namespaces.run_in(place.outside, lambda: socket.create_server((OUTSIDE, _ECHO))))
        self._client = opened(
            namespaces.run_in(place.pod, lambda: socket.create_connection((OUTSIDE, _ECHO), 5.0))
        )
        self._server = opened(listener.accept()[0])
        for end in (self._client, self._server):
            end.settimeout(None)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._payload = ctypes.create_string_buffer(struct.pack(f"{_PAYLOAD}x"), _PAYLOAD)
        self._iovec = _Iovec(ctypes.addressof(self._payload), _PAYLOAD)
        self._messages = (_Message * _BATCH)(
            *(_Message(iov=ctypes.pointer(self._iovec), iov_length=1) for _ in range(_BATCH))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def flood(self, seconds: float) -> float:
        """Send datagrams for `seconds` of CPU; return how many arrived for each of them."""
        before = self._arrived()
        began = time.thread_time()
        while time.thread_time() < began + seconds:
            for _ in range(8):
                self._libc.sendmmsg(self._datagrams.fileno(), self._messages, _BATCH, 0)
        spent = time.thread_time() - began
        return (self._arrived() - before) / spent

    def exchange(self, seconds: float) -> float:
        """Exchange a request and a response again and again; return how often for each second of CPU."""
        began, done = time.thread_time(), 0
        while time.thread_time() < began + seconds:
            for _ in range(_EXCHANGES):
                self._client.send(b"?")
                self._server.recv(1)
                self._server.send(b"!")
                self._client.recv(1)
            done += _EXCHANGES
        return done / (time.thread_time() - began)

    def _arrived(self) -> int:
        return namespaces.run_in(self._place.outside, _received)


def _sink() -> socket.socket:
    """Take the datagrams without an ICMP answer; what does not fit the small buffer is dropped there."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sink.bind((OUTSIDE, _DISCARD))
    return sink


def _datagram_socket() -> socket.socket:
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect((OUTSIDE, _DISCARD))
    return sender


def _received() -> int:
    """Packets received on all links of the calling thread's namespace, loopback left out."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    links = (line.split(":", 1) for line in lines)
    return sum(int(counters.split()[1]) for name, counters in links if name.strip() != "lo")
