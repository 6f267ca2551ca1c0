r"""A node in a namespace of its own, with two ENIs on a little VPC that drops packets with a foreign source.

        internet 203.0.113.5          neighbour 10.0.1.20
                    \                  /
                     vpc (router, 10.0.1.1)
                    /                  \
          eth0 10.0.1.10            eth1 (Pods 10.0.1.100-, no address)
                     \                /
                            node

The VPC lets a packet in from a port only with a source address of that port's ENI, as the cloud does.
"""

import contextlib
import ctypes
import itertools
import os
import socket
import subprocess
import threading
from pathlib import Path

from ipamd.core import names
from ipamd.net import netns
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import PodWiring, Ranges

PRIMARY_MAC = "20:90:6f:00:00:10"
SECONDARY_MAC = "20:90:6f:00:00:11"
GATEWAY = "10.0.1.1"
NODE_IP = "10.0.1.10"
NEIGHBOUR_IP = "10.0.1.20"
INTERNET_IP = "203.0.113.5"
DIRECT = Ranges(("10.0.0.0/16", "172.16.252.0/22"))

_numbers = itertools.count(1)


class Namespace:
    """A network namespace with a unique name; functions and commands can be run in it."""

    def __init__(self, role):
        self.name = f"tken{os.getpid()}-{next(_numbers)}-{role}"
        self.path = f"/run/netns/{self.name}"
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command, stdin=None):
        """Run a command inside and return what it prints."""
        finished = self.attempt(*command, stdin=stdin)
        assert finished.returncode == 0, f"{' '.join(command)}: {finished.stderr}"
        return finished.stdout

    def attempt(self, *command, stdin=None):
        """Run a command inside that may fail."""
        inside = ["ip", "netns", "exec", self.name, *command]
        return subprocess.run(inside, input=stdin, capture_output=True, text=True, check=False)

    def do(self, function):
        """Run a function in a thread inside."""
        with netns.opened(self.path) as namespace:
            return netns.run_inside(namespace, function)

    def delete(self):
        """Delete it, unless the test has done so."""
        if Path(self.path).exists():
            subprocess.run(["ip", "netns", "delete", self.name], check=True)


class Nameless:
    """A network namespace that only a descriptor of this process holds: quick to make."""

    def __init__(self):
        made = []

        def unshare():
            failed = ctypes.CDLL(None, use_errno=True).unshare(0x40000000)  # CLONE_NEWNET
            made.append(-1 if failed else os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))

        thread = threading.Thread(target=unshare)
        thread.start()
        thread.join()
        (self._descriptor,) = made
        self.path = f"/proc/self/fd/{self._descriptor}"

    def do(self, function):
        return netns.run_inside(self._descriptor, function)

    def delete(self):
        os.close(self._descriptor)


class Server:
    """Tells each TCP client the address that it is seen with."""

    def __init__(self, namespace, ip, port=8080):
        self._socket = namespace.do(lambda: socket.create_server((ip, port)))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, (source, _) = self._socket.accept()
                with client:
                    client.sendall(source.encode())

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def source_seen(namespace, ip, port=8080, timeout=2.0):
    """Return the address that a server sees a connection from the namespace with; None without an answer."""
    try:
        with namespace.do(lambda: socket.create_connection((ip, port), timeout)) as client:
            return client.recv(64).decode() or None
    except OSError:
        return None


class World:
    """The picture above, and the Pods that are put on the node."""

    def __init__(self, config):
        self._stack = contextlib.ExitStack()
        self._config = config
        self.restart_agent()
        self.pods = {}
        self.enis = {}
        try:
            self.vpc, self.node, self.neighbour, self.internet = (
                self.sandbox(role) for role in ("vpc", "node", "near", "inet")
            )
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        self.vpc.run(
            "nft",
            "-f",
            "-",
            stdin="""
            table ip vpc {
              set owned { type ifname . ipv4_addr; }
              set strict { type ifname; }
              chain arrived { type filter hook prerouting priority raw; policy accept;
                iifname @strict iifname . ip saddr != @owned counter drop
              }
            }
        """,
        )
        self.vpc.run("ip", "address", "add", f"{GATEWAY}/32", "dev", "lo")
        forward = ("ip_forward=1", "conf.all.rp_filter=0", "conf.default.rp_filter=0")
        self.vpc.run("sysctl", "-qw", *(f"net.ipv4.{setting}" for setting in forward))
        for port, namespace, name, mac, ip in (
            ("p0", self.node, "eth0", PRIMARY_MAC, NODE_IP),
            ("p2", self.neighbour, "eth0", "20:90:6f:00:01:02", NEIGHBOUR_IP),
            ("p3", self.internet, "eth0", "20:90:6f:00:01:03", INTERNET_IP),
        ):
            self._port(port, namespace, name, mac)
            self.own(port, ip, mac)
            namespace.run(
                "ip",
                "-batch",
                "-",
                stdin=f"""
                link set {name} up
                address add {ip}/24 dev {name}
                route add default via {GATEWAY} dev {name} onlink
            """,
            )
        self.attach_eni("p1", "eth1", SECONDARY_MAC)

    def attach_eni(self, port, name, mac):
        """Let an ENI appear on the node: a link that is down."""
        self._port(port, self.node, name, mac)

    def _port(self, port, namespace, name, mac):
        self.vpc.run(
            "ip",
            "-batch",
            "-",
            stdin=f"""
            link add {port} type veth peer name {name} netns {namespace.name} address {mac}
            link set {port} up
        """,
        )
        settings = (f"conf.{port}.proxy_arp=1", f"neigh.{port}.proxy_delay=0")
        self.vpc.run("sysctl", "-qw", *(f"net.ipv4.{setting}" for setting in settings))
        self.vpc.run("nft", f"add element ip vpc strict {{ {port} }}")

    def own(self, port, ip, mac):
        """Let an address belong to the ENI at a port."""
        self.vpc.run(
            "ip",
            "-batch",
            "-",
            stdin=f"""
            route replace {ip}/32 dev {port} scope link
            neighbour replace {ip} lladdr {mac} dev {port}
        """,
        )
        self.vpc.run("nft", f"add element ip vpc owned {{ {port} . {ip} }}")

    def on_node(self, function):
        return self.node.do(function)

    def restart_agent(self, repaired=None):
        """Start again with an agent that knows nothing; `repaired` hears of what it mends."""
        self.dataplane = DataPlane(self._config, repaired)
        self._stack.callback(self.dataplane.close)

    def ensure_node(self, ranges=DIRECT):
        self.enis["eth0"] = self.on_node(lambda: self.dataplane.ensure_node(PRIMARY_MAC, ranges))

    def ensure(self):
        """Bring the node up as an agent does; return the secondary ENI."""
        self.ensure_node()
        self.enis["eth1"] = self.on_node(lambda: self.dataplane.ensure_eni(SECONDARY_MAC, GATEWAY))
        return self.enis["eth1"]

    def sandbox(self, role="pod"):
        """Make a namespace, as a runtime does for a Pod."""
        namespace = Namespace(role)
        self._stack.callback(namespace.delete)
        return namespace

    def sandboxes(self, count):
        """Make many nameless namespaces; they live as long as their descriptors."""
        made = [Nameless() for _ in range(count)]
        for sandbox in made:
            self._stack.callback(sandbox.delete)
        return made

    def wiring(self, sandbox, ip, **changes):
        wanted = {
            "netns_path": sandbox.path,
            "ifname": "eth0",
            "ip": ip,
            "host_veth": end_of(ip).name,
            "host_mac": end_of(ip).mac,
            "eni_mark": self.enis["eth1"].mark,
            "mtu": 1500,
            "eip": False,
        } | changes
        return PodWiring(**wanted)

    def add_pod(self, ip, **changes):
        """Wire a new Pod on eth1; return its namespace."""
        sandbox = self.sandbox()
        self.own("p1", ip, SECONDARY_MAC)
        wiring = self.wiring(sandbox, ip, **changes)
        self.on_node(lambda: self.dataplane.wire_pod(wiring))
        self.pods[ip] = wiring
        return sandbox

    def serve(self, namespace, ip, port=8080):
        server = Server(namespace, ip, port)
        self._stack.callback(server.close)

    @contextlib.contextmanager
    def conversation(self, namespace, ip, port=9090):
        """Give a function that says something on one TCP connection and returns who it was heard from."""
        listener = self.internet.do(lambda: socket.create_server((ip, port)))
        with listener, namespace.do(lambda: socket.create_connection((ip, port), 2.0)) as client:
            server, (source, _) = listener.accept()
            server.settimeout(2.0)

            def say(text):
                client.sendall(text.encode())
                server.sendall(source.encode() + b" " + server.recv(64))
                return client.recv(64).decode()

            with server:
                yield say

    def snapshot(self):
        return self.on_node(self.dataplane.snapshot)

    def generation(self):
        """Return a text that differs after any change of the node's nftables."""
        return self.node.run("nft", "-a", "list", "ruleset")

    def close(self):
        self._stack.close()


def end_of(ip):
    """Return the node's end of the veth of the Pod that the world wires with an address."""
    return names.host_end(f"pod-{ip}", "eth0")
