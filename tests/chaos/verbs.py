"""Two Pods with two sandboxes each, whose verbs may be called in any order and from any thread."""

import time
from dataclasses import dataclass

from ipamd.core import names
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Assigned
from tests.chaos.sandboxes import Sandbox
from tests.chaos.surroundings import BOUND
from tests.testkit.eventually import comes_about

SANDBOXES = 4
"""Numbers 0 and 1 are of the first Pod, 2 and 3 of the second."""
ADDS = ("add", "add elsewhere")
"""Verbs that may make a sandbox the owner of an address."""


def unusual_call(verb, sandbox):
    """The verb of the plugin, and what a confused runtime or an operator has changed in the call."""
    return {
        "late add": ("add", {"CNI_NETNS": f"{sandbox.netns_path}-gone"}),
        "add elsewhere": ("add", {"CNI_NETNS": sandbox.other_path}),
        "add second": ("add", {"CNI_IFNAME": "net1"}),
        "del renamed": ("del", {"conf": {"name": "renamed"}}),
    }.get(verb, (verb, {}))


@dataclass(frozen=True)
class Done:
    """One verb that was called, and when."""

    verb: str
    sandbox: int
    listed: frozenset[int]
    code: int
    began: float
    ended: float


class Scene:
    """Two Pods with two sandboxes each, whose verbs may be called from any thread."""

    numbers = iter(range(10**6))

    def __init__(self, cluster, kind):
        self.cluster = cluster
        self.node = cluster.nodes[0]
        self.around = cluster.around
        self._kind = kind
        self.pods = [
            self.around.create_pod(f"mixed-{next(Scene.numbers)}-x", self.node.name, kind) for _ in range(2)
        ]
        self.sandboxes = [Sandbox.of(self.pods[n // 2], self.node) for n in range(SANDBOXES)]
        self.results = {}

    def call(self, verb, number, listed=frozenset(), **options):
        began = time.monotonic()
        if verb == "gc":
            valid = [{"containerID": self.sandboxes[n].container_id, "ifname": "eth0"} for n in listed]
            code, answer = self.node.call("gc", conf={"cni.dev/valid-attachments": valid})
        else:
            sandbox = self.sandboxes[number]
            name, unusual = unusual_call(verb, sandbox)
            code, answer = self.node.call(name, sandbox, **unusual, **options)
        if verb in ADDS and code == 0:
            self.results[number] = answer
        return Done(verb, number, frozenset(listed), code, began, time.monotonic())

    def owners(self):
        """The numbers of the sandboxes that own an address."""
        keys = {
            f"{a.state.key.container_id}/{a.state.key.ifname}" for a in self.node.ledger.in_state(Assigned)
        }
        return {n for n, sandbox in enumerate(self.sandboxes) if f"{sandbox.container_id}/eth0" in keys}

    def links(self):
        ours = {
            names.host_veth(sandbox.container_id, ifname)
            for sandbox in self.sandboxes
            for ifname in ("eth0", "net1")
        }
        return ours & self.node.pods_in_kernel()[0]

    def check(self):
        """The ledger holds, and each owner's kernel is as its ADD has said."""
        assert ledger.violations(self.node.ledger) == []
        for number in self.owners():
            if number in self.results:
                conf = {"prevResult": self.results[number]}
                assert self.node.call("check", self.sandboxes[number], conf=conf) == (0, {})

    def end(self):
        """What a kubelet does in the end; nothing may be left."""
        for number, sandbox in enumerate(self.sandboxes):
            assert self.call("del", number, CNI_IFNAME="net1").code == 0
            assert self.call("del", number).code == 0
            sandbox.remove()
        for pod in self.pods if self._kind.is_fixed else ():
            # As long as it exists its address waits for its next sandbox.
            metadata = pod["metadata"]
            self.around.delete_pod(metadata["name"], now=True, uid=metadata["uid"])
            self.around.delete_vpc_ip_claim(metadata["name"])
        for pod in self.pods:
            metadata = pod["metadata"]
            self.around.delete_pod(metadata["name"], now=True, uid=metadata["uid"])
        assert self.owners() == set()
        assert comes_about(lambda: not self.links(), 5.0)


def bound_at(scene, number):
    """The EIPs that the cloud has at the address of a sandbox."""
    ip = scene.results[number]["ips"][0]["address"].removesuffix("/32")
    eips = scene.around.state()["eips"]
    return [e for e in eips if e["PrivateAddressIp"] == ip and e["AddressStatus"] in BOUND]
