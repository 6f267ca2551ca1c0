"""A whole cluster in this process: nodes with agents, a controller, and Pods with lives of their own.

    simulator (a process)  <-  agents, controller (threads here)  <-  Pods: their kubelets and runtimes

The test makes things happen; the daemons do what they do; the Watchman looks all the time at what must never
be so, and `settle` says in the end what is left, after all troubles are over and everything had its time.
Thread safety: what the test calls is for one thread; the rest is called by the threads of Pods.
"""

import contextlib
import itertools
import logging
import threading
import time

from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS
from tests.chaos.agent_node import AgentNode
from tests.chaos.controller_pod import ControllerPod
from tests.chaos.pod_lives import Kind, PodLife
from tests.chaos.settling import Settling
from tests.chaos.surroundings import PODS_WITH_EIP, USERS_EIPS, Surroundings
from tests.chaos.verdicts import Verdicts
from tests.chaos.watching import Watchman

log = logging.getLogger(__name__)

MOST_PODS = 24
"""Pods on a node at once."""
PATIENCE = 20.0
"""Seconds in which the thread of a Pod ends."""
_WRITES_TOLD = 8
MINUTES = 180.0
"""Seconds that the controller's clock is put on at the end: longer than any wait of a claim."""


class Cluster:
    """Invariant: every Pod that was created is in `lives` until it has ended."""

    def __init__(self, directory):
        self.verdicts = Verdicts(self._writes_about)
        self.lives = {}
        self.ended = 0
        self._names = itertools.count(1)
        self._guard = threading.Lock()
        self._owners = {}
        self.fixed_ips = {}
        """By name the address that the first Pod of it with a fixed one had."""
        self._last_of_address = {}
        """By name the Pod that was there when a person deleted the claim of its address; None for none."""
        self._troubles = []
        with contextlib.ExitStack() as stack:
            self.around = Surroundings(directory)
            stack.callback(self.around.close)
            self.nodes = [AgentNode(i, self.around.region) for i in self.around.region["instances"]]
            for node in self.nodes:
                stack.callback(node.close)
                node.start()
            self.controller = ControllerPod(self.around)
            self.controller.start()
            stack.callback(self.controller.close)
            self.watchman = Watchman(self)
            self.watchman.start()
            stack.callback(self.watchman.stop)
            stack.callback(self._lives_end)
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    # ---- what the threads of Pods ask and tell

    def create_pod(self, name, node, kind):
        return self.around.create_pod(name, node, kind)

    def delete_pod(self, name, *, now, uid):
        self.around.delete_pod(name, now=now, uid=uid)

    def report_running(self, life, ip):
        self.around.pod_runs(life.name, ip, life.pod["metadata"]["uid"])

    def owns(self, ip, life):
        """Note that a Pod runs with an address; two that do are one of the worst things that can be."""
        with self._guard:
            other, self._owners[ip] = self._owners.get(ip), life
        if other is not None and other is not life and other.running and other.running.ip == ip:
            self.verdicts.duplicate(f"{ip} was given to {life} while it is that of {other}")
        with self._guard:
            fixed = self._fixed_ip_of(life, ip) if life.kind.is_fixed else ip
        if fixed != ip:
            self.verdicts.stolen(f"{life} has {ip}, and the address of its name is {fixed}")

    def _fixed_ip_of(self, life, ip):
        """The address that a Pod which was given one has to have."""
        if self._last_of_address.get(life.name, self) is life:
            # The claim of what it has, or will have, is not known.
            return ip
        self._last_of_address.pop(life.name, None)
        return self.fixed_ips.setdefault(life.name, ip)

    def life_ended(self, life):
        with self._guard:
            self.ended += 1
            if self.lives.get(life.name) is life:
                del self.lives[life.name]

    def defect(self, life, error):
        log.error("%s", life, exc_info=error)
        self.verdicts.unmended(f"{life} ended by {error!r}")

    # ---- what the test makes happen

    def pods_come(self, kind, node, count):
        """Create Pods as far as the scheduler finds room for them."""
        node = self.nodes[node]
        for _ in range(count):
            if self._has_room(node, kind):
                # No number at the end: that would choose the entry of an `eip-id-list`.
                self._create(f"{kind.value}-{next(self._names)}-x", node, kind)
        self.time_passes(0.1)

    def successor_comes(self, pick, node, forced):
        """Delete a Pod and create one of its name, on any node, as soon as the name is free."""
        life = self._picked(pick, lambda life: life.kind.wants_eip or life.kind.is_fixed)
        if life is not None and self._has_room(self.nodes[node], life.kind):
            self.replace(life, self.nodes[node], forced=forced)

    def replace(self, life, node, *, forced):
        """Let a Pod of the same name follow a Pod, at once if it is forced; return whether it came."""
        life.end(forced=forced)
        if not forced and not life.ended.wait(PATIENCE):
            return False
        self._create(life.name, node, life.kind)
        return True

    def pods_go(self, pick, count, forced):
        for number in range(count):
            life = self._picked(pick + number)
            if life is not None:
                life.end(forced=forced)
        self.time_passes(0.1)

    def sandboxes_die(self, pick, count):
        for number in range(count):
            life = self._picked(pick + number, lambda life: life.running)
            if life is not None:
                life.sandbox_dies()

    def agent_ends(self, node, killed):
        """End an agent and start it again."""
        node = self.nodes[node]
        (node.kill if killed else node.stop)()
        node.start()

    def node_reboots(self, node):
        node = self.nodes[node]
        node.kill()
        there = self._on(node)
        for life in there:
            life.node_goes_down()
        node.reboot()
        node.start()
        for life in there:
            life.node_comes_up()

    def node_is_lost(self, number):
        """Take a node away with all that runs on it, and let another one come."""
        node = self.nodes[number]
        node.kill()
        there = self._on(node)
        for life in there:
            life.node_is_lost()
        self.around.remove_node(node)
        for life in there:
            life.ended.wait(PATIENCE)
        node.close()
        self.nodes[number] = AgentNode(self.around.boot_node(), self.around.region)
        self._stack.callback(self.nodes[number].close)
        self.nodes[number].start()

    def claim_goes(self, pick, resource):
        """Let a person delete what is kept for a Pod with a fixed address: a claim, or the book's line.

        The Pod may run, be on its way, or be gone.
        """
        claims = self.around.vpc_ip_claims()
        there = [c for _, c in sorted(claims.items()) if not c["metadata"].get("deletionTimestamp")]
        if not there:
            return
        claim = there[pick % len(there)]
        name, ip = claim["metadata"]["name"], claim.get("status", {}).get("address", {}).get("ip")
        if resource is VPCIPCLAIMS:
            self.watchman.claims_end([claim["metadata"]["uid"]])
            self._name_loses_its_address(name)
            self.around.delete_by_hand(resource, "default", name, claim["metadata"]["uid"])
        elif resource is VPCIPS:
            if line := self.around.vpc_ip(ip):
                self.around.delete_by_hand(resource, "", ip, line["metadata"]["uid"])
        else:
            eip_claim = self.around.claims().get(name, {})
            eip_id = eip_claim.get("status", {}).get("address", {}).get("id")
            if not eip_id:
                return
            self.watchman.eip_ends(eip_id)
            with self._guard:
                life = self.lives.get(name)
            if life is not None:
                life.eip_goes(eip_id)
            self.around.delete_by_hand(resource, "default", name, eip_claim["metadata"]["uid"])

    def _name_loses_its_address(self, name):
        """From now on the next Pod of the name may have another one; the one that there is keeps its own."""
        with self._guard:
            self.fixed_ips.pop(name, None)
            self._last_of_address[name] = self.lives.get(name)

    def controller_ends(self, killed):
        self.controller.end(killed=killed)

    def weather(self, faults):
        """Let these faults be there until the end."""
        numbers = self.around.add_faults(faults)
        with self._guard:
            self._troubles.append((float("inf"), numbers, []))

    def trouble(self, trouble, seconds):
        """Let something be wrong for some seconds, and wait for half of them."""
        self.begin_trouble(trouble, seconds)
        self.time_passes(seconds / 2)

    def begin_trouble(self, trouble, seconds):
        """Let something be wrong for some seconds."""
        trouble = trouble.value
        numbers = self.around.add_faults(trouble.cloud)
        kube = [self.around.add_kube_fault(fault) for fault in trouble.kube]
        if trouble.clock_error:
            self.around.set_clock_error(trouble.clock_error)
        if trouble.expires_keys:
            self.around.expire_keys()
        if trouble.cuts_watches:
            self.around.disturb_watches(trouble.cuts_watches)
        with self._guard:
            self._troubles.append((time.monotonic() + seconds, numbers, kube))

    def time_passes(self, seconds):
        time.sleep(seconds)

    def end_troubles(self, now):
        """Let the troubles end whose time has come; the Watchman calls it, as the test may be held up."""
        with self._guard:
            due = [trouble for trouble in self._troubles if trouble[0] <= now]
            self._troubles = [trouble for trouble in self._troubles if trouble not in due]
        for _, numbers, kube in due:
            self.around.remove_faults(numbers)
            for number in kube:
                self.around.remove_kube_fault(number)
        if due:
            self.around.set_clock_error(0.0)

    def settle(self):
        """Let all troubles end and everything come to rest; what does not is a verdict."""
        self.end_troubles(float("inf"))
        for node in self.nodes:
            if node.agent is None:
                node.start()
        Settling(self).settle()

    def minutes_pass(self):
        """Let the controller start again, by its clock later than any wait of a claim lasts."""
        self.controller.put_clock_on(MINUTES)

    # ---- small things

    def _writes_about(self, ids):
        """What the cloud was asked for about EIPs and ENIs of late, for who reads a verdict."""
        rows = [row for row in self.around.writes() if ids & set(_values(row["params"]))]
        return f"; last writes: {[_told(row) for row in rows[-_WRITES_TOLD:]]}"

    def _lives_end(self):
        """Let the threads of Pods end that the test has not ended, as they do when their node is gone."""
        with self._guard:
            there = list(self.lives.values())
        for life in there:
            life.node_is_lost()
        for life in there:
            life.ended.wait(PATIENCE)

    def _create(self, name, node, kind):
        life = PodLife(self, node, name, kind)
        with self._guard:
            if not life.ended.is_set():
                self.lives[name] = life

    def living(self):
        """The Pods that nobody has ended."""
        with self._guard:
            return [life for life in self.lives.values() if not life._ending]

    def _on(self, node):
        with self._guard:
            return [life for life in self.lives.values() if life.node is node]

    def _has_room(self, node, kind):
        there = self._on(node)
        with_eip = sum(life.kind.wants_eip for life in there)
        if kind is Kind.LISTED and self._listed() >= USERS_EIPS:
            return False
        return len(there) < MOST_PODS and (not kind.wants_eip or with_eip < PODS_WITH_EIP)

    def _listed(self):
        with self._guard:
            return sum(life.kind is Kind.LISTED for life in self.lives.values())

    def _picked(self, pick, suitable=lambda _: True):
        living = [life for life in self.living() if suitable(life)]
        return living[pick % len(living)] if living else None


def _values(params):
    """All texts of a request's parameters, those of lists too."""
    for value in params.values():
        yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))


def _told(row):
    named = {name: value for name, value in row["params"].items() if name != "ClientToken"}
    refused = f" {row['code']}" if row["code"] else ""
    return f"{row['moment']:.2f} {row['principal']} {row['action']}{refused} {named}"
