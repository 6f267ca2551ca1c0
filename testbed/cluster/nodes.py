"""A node as tests treat it: its programs are ended and started, its power is cut, its files looked at."""

import subprocess
from pathlib import Path

from testbed.http_json import JsonEndpoint


class _Switch:
    """One of the cluster's switches (`testbed.cluster.control`)."""

    def __init__(self, control: str, path: str) -> None:
        self._control = control
        self._path = path

    def do(self, what: str) -> None:
        endpoint = JsonEndpoint(self._control, seconds=90.0)
        try:
            endpoint.post(self._path, {"do": what})
        finally:
            endpoint.close()


class Daemon:
    """kubelet, containerd or kube-proxy of a node."""

    def __init__(self, switch: _Switch) -> None:
        self._switch = switch

    def start(self) -> None:
        """Start the program unless it runs."""
        self._switch.do("start")

    def stop(self) -> None:
        """End it in order; it stays ended until `start`."""
        self._switch.do("stop")

    def kill(self) -> None:
        """End it as a crash does; it stays ended until `start`."""
        self._switch.do("kill")

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Let it hang, with its sockets open."""
        self._switch.do("freeze")

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        self._switch.do("thaw")


class Node:
    """A worker node."""

    def __init__(self, name: str, machine: str, *, netns: str, control: str) -> None:
        """`name` is the Node's, `machine` the machine's, `control` the URL of the switches."""
        self.name = name
        self.netns = netns
        self._machine = machine
        self._control = control
        self._power = _Switch(control, f"/{machine}")
        self.kubelet = Daemon(_Switch(control, f"/{machine}/kubelet"))
        self.containerd = Daemon(_Switch(control, f"/{machine}/containerd"))
        self.proxy = Daemon(_Switch(control, f"/{machine}/kube-proxy"))

    def power_off(self) -> None:
        """Cut the power: everything on the node ends at once, nothing is told, the disk stays."""
        self._power.do("power-off")

    def boot(self) -> None:
        """Switch the node on again, as it was installed."""
        self._power.do("boot")

    def run(self, *command: str) -> str:
        """Run a program of the host in the node's network, such as ip or nft, and give what it printed."""
        enter = ["nsenter", f"--net=/run/netns/{self.netns}"]
        return subprocess.run([*enter, *command], check=True, capture_output=True, text=True).stdout

    def path(self, path: str) -> Path:
        """Where this process sees a path of the node's file system, while the node is on."""
        endpoint = JsonEndpoint(self._control)
        try:
            root = endpoint.get("/")[self._machine]["root"]
        finally:
            endpoint.close()
        return Path(root) / path.lstrip("/")
