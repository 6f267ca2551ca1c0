"""TCP connections from inside network namespaces, for a trial of the ways of Pods.

A socket belongs to the namespace of the thread that makes it, and is used from anywhere then; so no program
is needed in a Pod, and none is started. What is opened is closed; nothing of the kernel is changed.
"""

import contextlib
import ipaddress
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from ipamd.core.errors import IpamError, NetnsError
from ipamd.net import netns

_ADDRESS: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_LONGEST_ANSWER: Final = 65536
_ANY_PORT: Final = 0
_Made = TypeVar("_Made")


class PlaceError(IpamError):
    """A network namespace cannot be reached from here."""


@dataclass(frozen=True, slots=True)
class SocketPlace:
    """Where sockets are made: in the network namespace at a path, or of this process if that is empty."""

    path: str = ""

    def make(self, work: Callable[[], _Made]) -> _Made:
        """Run the function there. Raises: PlaceError; what the function raises."""
        if not self.path:
            return work()
        try:
            with netns.opened(self.path) as namespace:
                return netns.run_inside(namespace, work)
        except NetnsError as e:
            raise PlaceError(
                f"the network namespace {self.path} cannot be entered from here ({_reason(e)})",
                advice="run ipamctl in the agent's container, or as root on the node",
            ) from e


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A connection that came about."""

    milliseconds: float
    """Until it was established; of HTTP, until the answer was read."""
    seen_source: str
    """The source address that the other side saw; empty where it does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoUrl:
    """A URL of http or https in its parts."""

    tls: bool
    host: str
    port: int
    path: str


def local_address(place: SocketPlace, peer: str) -> str:
    """Return the address with which a place speaks to a peer; sends nothing. Raises: PlaceError; OSError."""
    with place.make(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.connect((peer, 9))
        return str(probe.getsockname()[0])


def to_listener(source: SocketPlace, target: SocketPlace, ip: str, seconds: float) -> Reached:
    """Connect to a listener that is made at `ip` in the target for this one connection.

    Raises: PlaceError; OSError.
    """
    with target.make(lambda: socket.create_server((ip, _ANY_PORT), backlog=1)) as listener:
        listener.settimeout(seconds)
        with _connected(source, listener.getsockname(), seconds) as (_, took):
            accepted, peer = listener.accept()
            accepted.close()
            return Reached(milliseconds=took, seen_source=str(peer[0]))


def to_server(source: SocketPlace, ip: str, port: int, seconds: float) -> Reached:
    """Connect to whoever listens there. Raises: PlaceError; OSError."""
    with _connected(source, (ip, port), seconds) as (_, took):
        return Reached(milliseconds=took, seen_source="")


def to_echo(source: SocketPlace, ip: str, url: EchoUrl, seconds: float) -> Reached:
    """Ask a site that answers with the caller's address, in whatever form. Raises: PlaceError; OSError."""
    begin = time.monotonic()
    with _connected(source, (ip, url.port), seconds) as (plain, _), _wrapped(plain, url) as client:
        text = _page(client, url)
    took = (time.monotonic() - begin) * 1000
    seen = _first_address(text)
    if not seen:
        raise OSError("it answers, and not with an address")
    return Reached(milliseconds=took, seen_source=seen)


def _page(client: socket.socket, url: EchoUrl) -> str:
    """Ask over a connection that there is. Raises: OSError."""
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - who asks nobody need not wait

    asking = HTTPConnection(url.host, url.port)
    asking.sock = client
    try:
        asking.request("GET", url.path, headers={"User-Agent": "ipamctl", "Connection": "close"})
        return asking.getresponse().read(_LONGEST_ANSWER).decode(errors="replace")
    except HTTPException as e:
        raise OSError(f"it does not answer as HTTP: {type(e).__name__}") from e


@contextlib.contextmanager
def _connected(
    source: SocketPlace, address: tuple[str, int], seconds: float
) -> Iterator[tuple[socket.socket, float]]:
    """Give a connection for the time of the block, and how long it took in milliseconds."""
    client = source.make(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    with client:
        client.settimeout(seconds)
        begin = time.monotonic()
        client.connect(address)
        yield client, (time.monotonic() - begin) * 1000


def _wrapped(plain: socket.socket, url: EchoUrl) -> socket.socket:
    if not url.tls:
        return plain
    import ssl  # noqa: PLC0415 - likewise

    return ssl.create_default_context().wrap_socket(plain, server_hostname=url.host)


def _first_address(text: str) -> str:
    for found in _ADDRESS.findall(text):
        with contextlib.suppress(ValueError):
            return str(ipaddress.IPv4Address(found))
    return ""


def _reason(error: NetnsError) -> str:
    """Why it is refused, without the words about CNI."""
    return error.message.rpartition(": ")[2]
