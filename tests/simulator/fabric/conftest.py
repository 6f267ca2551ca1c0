"""A VPC with CVMs, and packets to ask it questions with; everything is removed after each test."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pyroute2 import IPRoute

from simulator.fabric import links, netns
from simulator.fabric.api import EniPort, Route
from simulator.fabric.vpc import VpcFabric

PORT = 8080
IP_PKTINFO = 8
"""From linux/in.h; struct in_pktinfo is ifindex, local address, destination address."""
SILENCE = 0.8
"""Seconds after which no answer means no answer; everything happens inside one kernel."""


@dataclass(frozen=True, kw_only=True)
class Cvm:
    instance_id: str
    netns: str
    eni_id: str
    ip: str


class Lab:
    """A fabric with short ways to make CVMs and to send packets; CVM n has the address 10.0.1.n."""

    def __init__(self, fabric: VpcFabric) -> None:
        self.fabric = fabric
        self.internet = fabric.internet_netns
        self._cleanup = contextlib.ExitStack()

    def close(self) -> None:
        self._cleanup.close()

    def port(self, number: int, instance_id: str, **changes) -> EniPort:
        fields = {
            "eni_id": f"eni-{number:08d}",
            "instance_id": instance_id,
            "mac": f"52:54:00:00:00:{number:02x}",
            "device_index": 0,
            "subnet_cidr": "10.0.1.0/24",
            "gateway": "10.0.1.1",
            "primary_ip": f"10.0.1.{number}",
        }
        return EniPort(**{**fields, **changes})

    def cvm(self, number: int, **changes) -> Cvm:
        instance_id = f"ins-{number:08d}"
        self.fabric.add_instance(instance_id)
        port = self.port(number, instance_id, **changes)
        self.fabric.attach_eni(port)
        name = self.fabric.netns_of(instance_id)
        return Cvm(instance_id=instance_id, netns=name, eni_id=port.eni_id, ip=port.primary_ip)

    def routes(self, *entries: tuple[str, str, str]) -> None:
        routes = [Route(destination=d, gateway_type=t, gateway_id=i) for d, t, i in entries]
        self.fabric.set_routes("10.0.1.0/24", routes)

    def own_address(self, cvm: Cvm, ip: str, *, link: str) -> None:
        """Let a CVM answer for an assigned address through the ENI that has it, as a CNI agent would."""
        for command in (
            ("link", "set", link, "up"),
            ("route", "add", "local", ip, "dev", "lo"),
            ("route", "replace", "default", "via", "10.0.1.1", "dev", link, "onlink", "table", "100"),
            ("rule", "add", "from", ip, "lookup", "100"),
        ):
            subprocess.run(["ip", "-netns", cvm.netns, *command], check=True)
        netns.run_in(cvm.netns, lambda: self._wait_for(link))
        netns.run_in(cvm.netns, lambda: netns.write_sysctls({f"net.ipv4.conf.{link}.rp_filter": "2"}))

    def _wait_for(self, link: str) -> None:
        with contextlib.closing(IPRoute()) as ipr:
            links.wait_until_up(ipr, links.index_of(ipr, link))

    def reporter(self, name: str) -> None:
        """Answer TCP connections and UDP datagrams in a namespace with the address they came from."""
        listener = netns.listening_socket(name, "0.0.0.0", PORT)
        datagrams, waker = (
            netns.run_in(name, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        )
        # The answer must come from the address that was asked, whichever of the namespace's it is.
        datagrams.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        datagrams.bind(("0.0.0.0", PORT))

        def tcp():
            with contextlib.suppress(OSError):
                while True:
                    connection, peer = listener.accept()
                    with connection:
                        connection.sendall(peer[0].encode())

        def udp():
            while True:
                data, [(_, _, info)], _, peer = datagrams.recvmsg(2048, socket.CMSG_SPACE(12))
                if data == b"end":
                    return
                asked = bytes(4) + info[4:8] + bytes(4)
                datagrams.sendmsg([peer[0].encode()], [(socket.IPPROTO_IP, IP_PKTINFO, asked)], 0, peer)

        threads = [threading.Thread(target=tcp), threading.Thread(target=udp)]
        for thread in threads:
            thread.start()

        def stop():
            listener.shutdown(socket.SHUT_RDWR)
            waker.sendto(b"end", ("127.0.0.1", PORT))
            for thread in threads:
                thread.join()
            listener.close()
            datagrams.close()
            waker.close()

        self._cleanup.callback(stop)

    def tcp_source(self, name: str, to: str, *, bind: str = "") -> str:
        """The source that a reporter saw of a TCP connection; empty when nobody answered."""

        def connect() -> str:
            source = (bind, 0) if bind else None
            try:
                with socket.create_connection((to, PORT), SILENCE, source_address=source) as connection:
                    return connection.recv(64).decode()
            except TimeoutError:
                return ""

        return netns.run_in(name, connect)

    def udp_source(self, name: str, to: str, *, bind: str = "") -> str:
        """The source that a reporter saw of a datagram; "refused" after an ICMP error, empty for silence."""

        def ask() -> str:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind((bind, 0))
                client.settimeout(SILENCE)
                client.connect((to, PORT))
                client.send(b"who am I")
                try:
                    return client.recv(64).decode()
                except TimeoutError:
                    return ""
                except ConnectionRefusedError:
                    return "refused"

        return netns.run_in(name, ask)

    def send_udp(self, name: str, to: str, data: bytes) -> None:
        def send() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.sendto(data, (to, PORT))

        netns.run_in(name, send)

    def ping(self, name: str, to: str, *, bind: str = "") -> bool:
        """Whether an ICMP echo is answered by the address that was asked."""

        def echo() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as client:
                client.bind((bind, 0))
                client.settimeout(SILENCE)
                client.connect((to, 0))
                # Type 8, code 0, checksum, identifier, sequence, no data.
                client.send(bytes.fromhex("0800 e5ca 1234 0001"))
                with contextlib.suppress(TimeoutError):
                    while True:
                        if client.recv(128)[20:] == bytes.fromhex("0000 edca 1234 0001"):
                            return True
                return False

        return netns.run_in(name, echo)


@pytest.fixture
def fabric() -> Iterator[VpcFabric]:
    with VpcFabric(vpc_cidrs=["10.0.0.0/16"]) as fabric:
        yield fabric


@pytest.fixture
def lab(fabric: VpcFabric) -> Iterator[Lab]:
    with contextlib.closing(Lab(fabric)) as lab:
        yield lab
