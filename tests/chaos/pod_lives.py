"""The life of one Pod, from its creation to its end, with the kubelet and the runtime that look after it.

Each Pod has a thread that does what they do: a sandbox and ADD, again after each failure; DEL in all the
manners in which kubelets call it; the Pod's object goes last. What befalls the Pod from outside (its user
deletes it, its sandbox dies, its node is rebooted or lost) is told to it by the methods.
"""

import random
import threading
import zlib
from dataclasses import dataclass
from enum import Enum

from tests.chaos.sandboxes import Sandbox

PREFIX = "tke.cloud.tencent.com/"
_PATIENCE = 120.0


class Kind(Enum):
    """What a Pod asks for."""

    PLAIN = "plain"
    EIP = "eip"
    RETAINED = "retained"
    LISTED = "listed"
    """One of the EIPs that a user has."""
    OWN = "own"
    """An ENI of its own."""
    OWN_EIP = "own-eip"
    OWN_RETAINED = "own-retained"
    FIXED = "fixed"
    """A private address that is kept for its name."""
    FIXED_EIP = "fixed-eip"
    """That, and an EIP that is kept as well."""
    OWN_FIXED = "own-fixed"
    """An ENI of its own that is kept for its name, and moves with it."""
    OWN_FIXED_EIP = "own-fixed-eip"
    """That, and an EIP that stays at it."""

    def annotations(self, users_eips):
        eip = {"eip-attributes": '{"Bandwidth":"100","ISP":"BGP"}'}
        retained = {"eip-attributes": "", "eip-claim-delete-policy": "Never"}
        own = {"networks": "tke-direct-eni"}
        fixed = {"vpc-ip-claim-delete-policy": "Never"}
        wishes = {
            Kind.PLAIN: {},
            Kind.EIP: eip,
            Kind.RETAINED: retained,
            Kind.LISTED: {"eip-id-list": ",".join(users_eips)},
            Kind.OWN: own,
            Kind.OWN_EIP: {**own, **eip},
            Kind.OWN_RETAINED: {**own, **retained},
            Kind.FIXED: fixed,
            Kind.FIXED_EIP: {**fixed, **retained},
            Kind.OWN_FIXED: {**own, **fixed},
            Kind.OWN_FIXED_EIP: {**own, **fixed, **retained},
        }
        return {f"{PREFIX}{name}": value for name, value in wishes[self].items()}

    @property
    def wants_eip(self):
        return self not in (Kind.PLAIN, Kind.OWN, Kind.FIXED, Kind.OWN_FIXED)

    @property
    def has_own_eni(self):
        return self in (Kind.OWN, Kind.OWN_EIP, Kind.OWN_RETAINED) or self.eni_moves

    @property
    def is_fixed(self):
        return self in (Kind.FIXED, Kind.FIXED_EIP) or self.eni_moves

    @property
    def eni_moves(self):
        return self in (Kind.OWN_FIXED, Kind.OWN_FIXED_EIP)


@dataclass(frozen=True)
class Running:
    """A Pod's network as it was when its ADD succeeded, and is owed until its sandbox is given up."""

    ip: str
    container_id: str


class PodLife:
    """One Pod. Invariant: `running` is None unless its ADD has succeeded and nobody has begun to end it."""

    def __init__(self, world, node, name, kind):
        self.world = world
        self.node = node
        self.name = name
        self.kind = kind
        self.running = None
        self.eip_id = ""
        self.lost_eip = ""
        """The EIP whose claim a person has deleted, until the Pod has another one."""
        self.last_ip = ""
        self.adds = 0
        self.last_error = ""
        self._habits = random.Random(zlib.crc32(name.encode()))
        self.sandbox = None
        self._left_over = []
        self._told = threading.Condition()
        self._ending = False
        self._forced = False
        self._dying = False
        self._rebooting = False
        self._lost = False
        self._aside = threading.Event()
        self.ended = threading.Event()
        self.pod = world.create_pod(name, node.name, kind)
        self._thread = threading.Thread(target=self._live, name=f"pod-{name}", daemon=True)
        self._thread.start()

    def __repr__(self):
        where = self.sandbox.container_id[:8] if self.sandbox else "no sandbox"
        return (
            f"Pod {self.name} ({self.kind.value}, {self.pod['metadata']['uid'][:8]}, {where}) on "
            f"{self.node.name}: {self.running}, {self.adds} ADDs, last error {self.last_error!r}"
        )

    # ---- what befalls it

    def end(self, *, forced=False):
        """Its user deletes it; forced, its object is gone before the kubelet has done anything."""
        with self._told:
            if self._ending:
                return
            self.running = None
            self._ending, self._forced = True, forced
            self._told.notify_all()
        self.world.delete_pod(self.name, now=forced, uid=self.pod["metadata"]["uid"])

    def eip_goes(self, eip_id):
        """The EIPClaim of its EIP is deleted: it gets another EIP, after a while without."""
        self.lost_eip, self.eip_id = eip_id, ""

    def sandbox_dies(self):
        """Its sandbox is found dead: the kubelet makes another one."""
        with self._told:
            self.running = None
            self._dying = True
            self._told.notify_all()

    def node_goes_down(self):
        """The kernel of its node forgets everything; no kubelet runs until `node_comes_up`."""
        with self._told:
            self.running = None
            self._rebooting = True
            self._told.notify_all()
        self._aside.wait(_PATIENCE)

    def node_comes_up(self):
        with self._told:
            self._rebooting = False
            self._told.notify_all()

    def node_is_lost(self):
        """Its node is gone for good, and its Pods with it."""
        with self._told:
            self.running = None
            self._lost = True
            self._told.notify_all()

    # ---- kubelet and runtime

    @property
    def _unchanged(self):
        return not (self._ending or self._dying or self._rebooting or self._lost)

    def _live(self):
        try:
            while not (self._ending or self._lost):
                self._step()
            self._finish()
        except Exception as e:  # noqa: BLE001 - a finding, whatever it is
            self.world.defect(self, e)
        finally:
            self.world.life_ended(self)
            self.ended.set()
            self._aside.set()

    def _step(self):
        if self._rebooting:
            self._sit_out_reboot()
        elif self._dying:
            self._dying = False
            self._left_over.append(self.sandbox)
            self.sandbox = None
        elif self.sandbox is None:
            # Some kubelets clean up first, some last.
            if self._left_over and self._habits.random() < 0.5:
                self._clean_up()
            self._start_sandbox()
            self._clean_up()
        else:
            with self._told:
                self._told.wait_for(lambda: not self._unchanged, 5.0)

    def _sit_out_reboot(self):
        for sandbox in (*self._left_over, self.sandbox):
            if sandbox is not None:
                sandbox.remove()
        if self.sandbox is not None:
            self._left_over.append(self.sandbox)
            self.sandbox = None
        self._aside.set()
        with self._told:
            self._told.wait_for(lambda: not self._rebooting, _PATIENCE)
            self._aside.clear()

    def _start_sandbox(self):
        sandbox = Sandbox.of(self.pod, self.node)
        self.adds += 1
        code, answer = self.node.call("add", sandbox)
        if code == 0 and self._habits.random() < 0.1:
            code, answer = self.node.call("add", sandbox)
        if code:
            self.last_error = f"{answer.get('code')} {answer.get('msg')}"
            self._left_over.append(sandbox)
            with self._told:
                self._told.wait_for(lambda: not self._unchanged, 0.05 + 0.3 * self._habits.random())
            return
        self.sandbox = sandbox
        self.last_ip = ip = answer["ips"][0]["address"].removesuffix("/32")
        with self._told:
            if self._unchanged:
                self.running = Running(ip, sandbox.container_id)
                self.world.owns(ip, self)
        self.world.report_running(self, ip)

    def _clean_up(self):
        for sandbox in list(self._left_over):
            if self._rebooting or self._lost:
                return
            self._delete(sandbox)
            self._left_over.remove(sandbox)

    def _delete(self, sandbox):
        """DEL as kubelets and runtimes call it: before or after the namespace is gone, once or again."""
        habit = self._habits.random()
        if habit < 0.2:
            sandbox.remove()
        for attempt in range(100):
            code, answer = self.node.call("del", sandbox)
            if not code or self._rebooting or self._lost:
                break
            self.last_error = f"DEL: {answer}"
            threading.Event().wait(0.05 * min(attempt + 1, 10))
        else:
            raise AssertionError(f"{self}: DEL never succeeded: {answer}")
        if habit > 0.9:
            self.node.call("del", sandbox)
        sandbox.remove()

    def _finish(self):
        if self.sandbox is not None:
            self._left_over.append(self.sandbox)
            self.sandbox = None
        while self._left_over and not self._lost:
            if self._rebooting:
                self._sit_out_reboot()
            else:
                self._clean_up()
        for sandbox in self._left_over:
            sandbox.remove()
        self.world.delete_pod(self.name, now=True, uid=self.pod["metadata"]["uid"])
