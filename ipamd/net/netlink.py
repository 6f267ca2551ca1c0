"""One netlink socket: many requests in one datagram, its outcome read back, errors put into words.

The kernel handles a request inside the sender's own system call, so all answers are waiting when `send`
returns and nothing here ever blocks on a peer. A socket belongs to the network namespace of the thread that
opened it and to one caller at a time; opening one for rtnetlink costs about 10 microseconds, so every
operation opens its own and nothing has to be shared. (pyroute2's own sockets run an asyncio loop: 0.5 ms to
open and close one.) What goes over the socket is built elsewhere: rtnetlink.py, policy_requests.py,
nft_elements.py.
"""

import errno
import itertools
import os
import secrets
import socket
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NamedTuple, Self

from ipamd.core import errors
from ipamd.net import rtnl
from ipamd.net.message import (
    ACK,
    FLAGS_OFFSET,
    HEADER,
    SEQUENCE_OFFSET,
    TYPE_OFFSET,
    Message,
    attributes,
    messages,
)
from ipamd.runtime import failpoints

ROUTE: Final = socket.NETLINK_ROUTE
NETFILTER: Final = 12  # NETLINK_NETFILTER; the socket module does not name it

CHANGES: Final[Mapping[int, str]] = {
    16: "newlink",
    17: "dellink",
    20: "newaddr",
    21: "deladdr",
    24: "newroute",
    25: "delroute",
    28: "newneigh",
    32: "newrule",
    33: "delrule",
}
"""How changes asked of rtnetlink are announced (`ipamd.runtime.failpoints`), by their type."""

_SEQUENCE: Final = struct.Struct("=I")
_ERROR: Final = 2
_DONE: Final = 3
_DUMP_INTERRUPTED: Final = 0x10
_ACK_HAS_ATTRIBUTES: Final = 0x200
_SOL_NETLINK: Final = 270
_NETLINK_CAP_ACK: Final = 10
_NETLINK_EXT_ACK: Final = 11
_RECEIVE_BYTES: Final = 1 << 15
"""What a datagram of a dump fills at most (netlink_dump() in net/netlink/af_netlink.c). Four times as much
would be mapped and unmapped for each receive (`ipamd.agent.memory`): 13 microseconds instead of 1.4."""
_DUMP_ATTEMPTS: Final = 10
_PORTS_PER_PROCESS: Final = 1 << 12
_FIRST_PORT: Final = 1 << 22
_OUR_PORTS: Final = _FIRST_PORT + secrets.randbelow(1 << 18) * _PORTS_PER_PROCESS
"""Where the ports of this process's sockets begin. Others get from the kernel the number of their process
(below 2^22) or one above 2^31."""
_ports: Final = itertools.count()
_MAX_REQUESTS: Final = 100
"""Were all refused, all refusals would wait in the receive buffer, some 700 of its 200,000 bytes each."""


class Refusal(NamedTuple):
    """An error number and the kernel's own words for it, if it has any (extended acknowledgement)."""

    errno: int
    text: str


@dataclass(frozen=True, slots=True)
class NetlinkRequest:
    """An encoded message with ACK set, and how its outcome is to be read."""

    data: bytes
    what: str
    """Completes "could not …" in an error."""
    settled: frozenset[int] = frozenset()
    """Error numbers that mean that the wish is fulfilled already."""
    lingers: bool = False
    """Whether the kernel waits in it for its readers, as it does with a link that goes."""


class NetlinkSocket:
    """A netlink socket in the calling thread's network namespace; not for use by two threads at once."""

    def __init__(self, protocol: int) -> None:
        """Open it; KernelError when the kernel does not have the protocol, or no descriptor is left."""
        self._sequence = 0
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        except OSError as e:
            raise kernel_error(f"open netlink protocol {protocol}", Refusal(e.errno or 0, "")) from e
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._take_port()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _take_port(self) -> None:
        for port in itertools.islice(_ports, _PORTS_PER_PROCESS):
            try:
                self._socket.bind((_OUR_PORTS | port % _PORTS_PER_PROCESS, 0))
            except OSError as e:
                if e.errno == errno.EADDRINUSE:
                    continue
                self.close()
                raise kernel_error("take a netlink port", Refusal(e.errno or 0, "")) from e
            return

    def exchange(self, messages: Sequence[bytes]) -> tuple[list[int], dict[int, Refusal]]:
        """Send all in one datagram; return the sequence numbers and what was refused, by number.

        Only the last request that asks for it is acknowledged: the kernel carries them out in their order and
        tells each refusal unasked, so the others' would say nothing new and cost a receive each.
        """
        asking = [number for number, message in enumerate(messages) if message[FLAGS_OFFSET] & ACK]
        sequences, refusals = self._send(messages, silent=asking[:-1]), {}
        for message in self._receive(sequences[asking[-1]]):
            if message.kind == _ERROR:
                refusal = _refusal(message)
                if refusal.errno:
                    refusals[message.sequence] = refusal
        return sequences, refusals

    def change(self, *requests: NetlinkRequest) -> list[int]:
        """Carry out all requests in order; return an error number, settled or 0, for each.

        A request that is refused does not keep the kernel from the later ones; the first refusal that is not
        settled is raised as KernelError. Up to a hundred go in one datagram.
        """
        outcome: list[Refusal] = []
        for start in range(0, len(requests), _MAX_REQUESTS):
            part = requests[start : start + _MAX_REQUESTS]
            with failpoints.failpoint(f"netlink.{'+'.join(dict.fromkeys(map(_type_name, part)))}"):
                sequences, refusals = self._exchange_in_turn(part)
            outcome += [refusals.get(sequence, Refusal(0, "")) for sequence in sequences]
        for request, refusal in zip(requests, outcome, strict=True):
            if refusal.errno and refusal.errno not in request.settled:
                raise kernel_error(request.what, refusal)
        return [refusal.errno for refusal in outcome]

    def _exchange_in_turn(self, part: Sequence[NetlinkRequest]) -> tuple[list[int], dict[int, Refusal]]:
        messages = [request.data for request in part]
        # A link that goes is waited for mostly after the kernel has let go of its lock: others need not wait.
        if any(request.lingers for request in part):
            return self.exchange(messages)
        with rtnl.TURN:
            return self.exchange(messages)

    def dump(self, message: bytes, what: str) -> list[bytes]:
        """Return all messages that answer a DUMP (or a GET of one object); KernelError when it is refused.

        A dump that was interrupted by a change of what is listed is made again.
        """
        for _ in range(_DUMP_ATTEMPTS):
            found: list[bytes] = []
            refusal, interrupted = Refusal(0, ""), False
            (sequence,) = self._send([message])
            for answer in self._receive(sequence):
                if answer.sequence != sequence:
                    continue
                interrupted = interrupted or bool(answer.flags & _DUMP_INTERRUPTED)
                if answer.kind in (_ERROR, _DONE):
                    refusal = _refusal(answer)
                else:
                    found.append(answer.data)
            if refusal.errno:
                raise kernel_error(what, refusal)
            if not interrupted:
                return found
        raise kernel_error(what, Refusal(errno.EINTR, "the list changed while it was read, each time"))

    def ask(self, messages: Sequence[bytes], what: str) -> list[bytes | None]:
        """Return the answer to each GET of one object, sent in one datagram; None where there is no such one.

        Raises: KernelError when one is refused for another reason.
        """
        sequences, found = self._send(messages), dict[int, bytes]()
        for answer in self._receive(sequences[-1]):
            if answer.kind not in (_ERROR, _DONE):
                found[answer.sequence] = answer.data
                continue
            refusal = _refusal(answer)
            if refusal.errno not in (0, errno.ENOENT):
                raise kernel_error(what, refusal)
        return [found.get(sequence) for sequence in sequences]

    def _send(self, messages: Sequence[bytes], *, silent: Collection[int] = ()) -> list[int]:
        """Send all; those whose places are in `silent` ask for no acknowledgement."""
        datagram = bytearray(b"".join(messages))
        sequences = []
        offset = 0
        for number, message in enumerate(messages):
            self._sequence += 1
            sequences.append(self._sequence)
            _SEQUENCE.pack_into(datagram, offset + SEQUENCE_OFFSET, self._sequence)
            if number in silent:
                datagram[offset + FLAGS_OFFSET] &= ~ACK
            offset += len(message)
        try:
            self._socket.send(datagram)
        except OSError as e:
            raise kernel_error("send a netlink request", Refusal(e.errno or 0, "")) from e
        return sequences

    def _receive(self, last: int) -> Iterator[Message]:
        """Yield what waits, up to the end of the answer to the last request where that has one."""
        ended = False
        while not ended:
            try:
                datagram = self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as e:
                raise kernel_error("read a netlink answer", Refusal(e.errno or 0, "")) from e
            for message in messages(datagram):
                ended = message.sequence == last and message.kind in (_ERROR, _DONE)
                yield message


def is_ours(port: int) -> bool:
    """Whether this process has made a change: the kernel names the port of the socket in its notices."""
    return port & ~(_PORTS_PER_PROCESS - 1) == _OUR_PORTS


def kernel_error(what: str, refusal: Refusal, advice: str = "") -> errors.KernelError:
    """Return the error for a refused request, with advice where there is any to give."""
    reason = refusal.text or os.strerror(refusal.errno)
    name = errno.errorcode.get(refusal.errno, str(refusal.errno))
    if refusal.errno in (errno.EPERM, errno.EACCES):
        advice = "the agent needs CAP_NET_ADMIN and CAP_SYS_ADMIN in the node's own network namespace"
    return errors.KernelError(f"could not {what}: {reason} ({name})", errno=refusal.errno, advice=advice)


def _type_name(request: NetlinkRequest) -> str:
    (kind,) = struct.unpack_from("=H", request.data, TYPE_OFFSET)
    return CHANGES.get(kind, str(kind))


def _refusal(message: Message) -> Refusal:
    """Read an acknowledgement; the kernel's words follow the header of the request that it quotes."""
    (code,) = struct.unpack_from("=i", message.data, HEADER.size)
    text = ""
    if message.kind == _ERROR and message.flags & _ACK_HAS_ATTRIBUTES:
        offset = HEADER.size + 4 + HEADER.size
        for kind, value in attributes(message.data, offset):
            if kind == 1:  # NLMSGERR_ATTR_MSG
                text = value.rstrip(b"\0").decode(errors="replace")
    return Refusal(-code, text)
