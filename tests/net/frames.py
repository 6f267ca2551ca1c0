"""Frames and packets that no honest socket would send, and a socket that sees whatever comes.

A namespace is anything whose `do` runs a function inside it.
"""

import contextlib
import fcntl
import ipaddress
import socket
import struct
import time

IP, ARP = 0x0800, 0x0806
"""EtherTypes."""
EXPERIMENT = 253
"""A protocol of IP for experiments (RFC 3692)."""


@contextlib.contextmanager
def watched(namespace):
    """Give a function that returns the sources of all IP packets since it was last asked."""
    tap = namespace.do(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(IP)))
    with tap:
        tap.setblocking(False)

        def sources():
            found = set()
            with contextlib.suppress(BlockingIOError):
                while True:
                    packet = tap.recv(2048)
                    found.add(str(ipaddress.IPv4Address(packet[12:16])))
            return found

        yield sources


def arrived(sources, wanted, seconds=0.4):
    """Whether a packet of a source comes within a moment; the others are forgotten."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if wanted in sources():
            return True
        time.sleep(0.01)
    return False


def ip_packet(source, destination, payload=b"spoof", protocol=EXPERIMENT):
    """An IP packet with a right checksum."""
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        1,
        0,
        64,
        protocol,
        0,
        ipaddress.IPv4Address(source).packed,
        ipaddress.IPv4Address(destination).packed,
    )
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return header[:10] + struct.pack("!H", checksum) + header[12:] + payload


def frame(namespace, kind, payload, destination):
    """Send one frame by the Pod's interface."""

    def send():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            request = fcntl.ioctl(raw, 0x8927, struct.pack("256s", b"eth0"))  # SIOCGIFHWADDR
            raw.send(mac(destination) + request[18:24] + struct.pack("!H", kind) + payload)

    namespace.do(send)


def mac(text):
    """The octets of a MAC address."""
    return bytes.fromhex(text.replace(":", ""))
