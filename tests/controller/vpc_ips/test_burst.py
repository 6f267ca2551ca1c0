"""A StatefulSet of 200 Pods with kept addresses comes at once on several nodes, and moves, in virtual time.

The controller's own code provisions, the agents' own plans and ledgers attach and assign; the account admits
as many calls in a second as the cloud does, and every process keeps to its own share of them.
"""

import pytest

from ipamd.controller import main
from ipamd.core import model
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.annotation_names import NETWORKS, VPC_IP_DELETE_POLICY
from ipamd.core.ledger import fixed_addresses, ledger
from ipamd.core.ledger.fixed_addresses import FixedHold
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.pool import EniCapacity
from ipamd.core.vpc_ip import attach_plan, status, vpcipclaim
from ipamd.core.vpc_ip.attach_actions import (
    AssignFixed,
    AttachEni,
    DetachEni,
    LetGo,
    PublishAssigned,
    UnassignFixed,
    WithdrawBinding,
    claim_uid_of,
)
from ipamd.core.vpc_ip.attach_facts import AttachFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding
from ipamd.kube.resources import PODS
from testbed.scale.virtual.account import LATENCIES, Account, Caller
from testbed.scale.virtual.timeline import Timeline
from tests.controller.vpc_ips.model import SUBNET, ModelVpc
from tests.controller.vpc_ips.test_random_lives import FixedLives

PODS_WANTED, NODES_THERE = 200, 8
NAMES = [f"game-{number}" for number in range(PODS_WANTED)]
CIDR = "10.0.2.0/23"
BEGAN = 1_700_000_000.0
PATIENCE = 60.0
"""Seconds for one call with its repeats, as an agent has."""
TICK = 1.0
WORKERS = 2
"""Fixed addresses that an agent works on at once (`ipamd.agent.fixed.reconciler`)."""
WRITES = ("AttachNetworkInterface", "DetachNetworkInterface")
FIXED_WRITES = ("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")


class MeteredVpc(ModelVpc):
    """Each call of the controller waits for its turn, and the account counts it."""

    def __init__(self, wire, account):
        super().__init__(wire, CIDR)
        self.timeline = account.timeline
        self.caller = Caller(account, main.limiter(account.timeline.time))

    def _call(self, action, carry_out):
        for wait in self._turn(action):
            self.timeline.now += wait
        return super()._call(action, carry_out)

    def _turn(self, action):
        assert (yield from self.caller.call(action, PATIENCE)), f"no turn for {action}"


class Burst(FixedLives):
    """The StatefulSet, its nodes and their controller."""

    def __init__(self, *, own_enis):
        self.timeline = Timeline()
        self.account = Account(self.timeline)
        self._seen = {}
        super().__init__(seed=1)
        self.wish = {VPC_IP_DELETE_POLICY: "Never"} | ({NETWORKS: "tke-direct-eni"} if own_enis else {})
        self.nodes = [Agent(self, f"node-{number}") for number in range(NODES_THERE)]
        for node in self.nodes:
            self.put_node(node.name)

    @property
    def now(self):
        return BEGAN + self.timeline.now

    @now.setter
    def now(self, value):
        assert value == BEGAN, "time passes by the timeline alone"

    def new_vpc(self):
        return MeteredVpc(self.wire, self.account)

    def claims(self):
        return [claim for name in NAMES if (claim := self.claim(name))]

    def pod(self, name):
        return self._read("Pod", name, pods.view)

    def claim(self, name):
        return self._read("VpcIPClaim", name, vpcipclaim.read)

    def _read(self, kind, name, how):
        """Read each version of an object once."""
        obj = self.api.objects.get((kind, name))
        if obj is None:
            return None
        version = obj["metadata"]["resourceVersion"]
        if self._seen.get((kind, name), ("",))[0] != version:
            self._seen[kind, name] = version, how(obj)
        return self._seen[kind, name][1]

    def all_come(self, shift=0):
        """Every Pod is created, and goes to a node; `shift` chooses the node."""
        for number, name in enumerate(NAMES):
            self.api.remove(PODS, name)
            self.api.put_pod(
                self.nodes[(number + shift) % NODES_THERE].name, never=False, name=name, wish=self.wish
            )

    def run(self, seconds):
        """Let controller and agents work for so long, or until all Pods are served."""
        end = self.timeline.now + seconds
        for work in (self._controller(end), *(node.live(end) for node in self.nodes)):
            self.timeline.start(work)
        self.timeline.run()

    def all_are_served(self):
        return all(self.is_served(name) for name in NAMES)

    def is_served(self, name):
        claim, pod = self.claim(name), self.pod(name)
        if claim is None or claim.binding is None or status.phase_of(claim).value != "Bound":
            return False
        return (claim.binding.pod_uid, claim.binding.node) == (pod.ref.uid, pod.node)

    def _controller(self, end):
        while self.timeline.now < end and not self.all_are_served():
            self.api.refresh()
            self.vpc.settle()
            for name in NAMES:
                if not self.is_served(name):
                    self.round(name)
            yield TICK

    # -- what the cloud has

    def attaches(self, eni_id, instance_id):
        eni = self.vpc.own_enis[eni_id]
        assert eni.instance_id in ("", instance_id), f"{eni_id} is attached twice"
        self.vpc.change_eni(eni_id, instance_id=instance_id)


class Agent:
    """The agent of one node, as far as fixed addresses go. Invariant: one action for a claim at a time."""

    def __init__(self, burst, name):
        self.burst, self.name = burst, name
        self.caller = Caller(burst.account)
        self.ledger = Ledger()
        self.under_way = set()

    def live(self, end):
        while self.burst.timeline.now < end and not self.burst.all_are_served():
            self.begin_what_is_due()
            yield TICK

    def begin_what_is_due(self):
        for action in attach_plan.decide(self.facts()):
            if len(self.under_way) < WORKERS and claim_uid_of(action) not in self.under_way:
                self.under_way.add(claim_uid_of(action))
                self.burst.timeline.start(self.carry_out(action))

    def facts(self):
        there = [self.burst.pod(name) for name in NAMES]
        shared = EniCapacity(
            eni_id=f"eni-{self.name}",
            subnet_id=SUBNET,
            addresses=sum(not a.exclusive for a in self.ledger.fixed),
            busy=False,
        )
        return AttachFacts(
            node=self.name,
            ledger=self.ledger,
            claims={str(c): c for c in self.burst.claims() if c.node == self.name},
            expected=frozenset(pod.ref for pod in there if pod.node == self.name),
            enis=(shared,),
            per_eni=PODS_WANTED,
            gives_enis=True,
            eni_places=PODS_WANTED,
            now=self.burst.now,
        )

    def carry_out(self, action):
        match action:
            case AttachEni() | AssignFixed():
                yield from self.bring(action)
            case PublishAssigned():
                self.tell(action.claim.name, action.address.eni_id)
            case LetGo():
                self.change(fixed_addresses.let_go(self.ledger, action.address, self.burst.now))
            case DetachEni():
                yield from self.detach(action.address)
            case UnassignFixed():
                yield from self.unassign(action.address)
            case WithdrawBinding():
                said = (VpcIpReason.UNASSIGNED, "done", self.burst.now)
                self.burst.write(action.claim, status.unassigned(action.claim, *said))
            case _:
                raise AssertionError(action)
        self.under_way.discard(claim_uid_of(action))
        self.begin_what_is_due()

    def bring(self, action):
        claim, exclusive = action.claim, isinstance(action, AttachEni)
        binding = AddressBinding(node=self.name, eni_id=action.eni_id, pod_uid=action.pod.uid)
        self.burst.write(claim, status.assigning(claim, binding, self.burst.now))
        now = self.burst.now
        hold = FixedHold(claim_uid=claim.uid, pod=action.pod, until=now + 600.0)
        begun = fixed_addresses.begin_assign(
            self.ledger, action.ip, action.eni_id, hold, now, exclusive=exclusive
        )
        self.change(begun)
        if not (yield from self.calls("AttachNetworkInterface" if exclusive else "AssignPrivateIpAddresses")):
            return
        yield LATENCIES.eni_attach if exclusive else LATENCIES.ip_assign
        if exclusive:
            self.burst.attaches(action.eni_id, f"ins-{self.name}")
        else:
            assert self.burst.vpc.assign(action.eni_id, action.ip, claim.uid), f"{action.ip} is at two ENIs"
        if (yield from self.calls("DescribeNetworkInterfaces")):
            entry = model.EniAddress(ip=action.ip, primary=exclusive, state=model.IpState.AVAILABLE)
            confirmed = (
                fixed_addresses.confirm_attached(self.ledger, action.ip, claim.uid, entry, self.burst.now)
                if exclusive
                else fixed_addresses.confirm_assigned(self.ledger, action.ip, claim.uid)
            )
            self.change(confirmed)
            self.tell(claim.name, action.eni_id)

    def detach(self, address):
        if (yield from self.calls("DetachNetworkInterface")):
            yield LATENCIES.eni_detach
            self.burst.vpc.change_eni(address.eni_id, instance_id="")
            self.change(fixed_addresses.detached(self.ledger, address.ip, address.fixed))

    def unassign(self, address):
        if (yield from self.calls("UnassignPrivateIpAddresses")):
            del self.burst.vpc.at_enis[address.ip]
            self.change(ledger.forget(self.ledger, [address.ip]))

    def tell(self, name, eni_id):
        claim = self.burst.claim(name)
        binding = AddressBinding(node=self.name, eni_id=eni_id, pod_uid=self.burst.pod(name).ref.uid)
        self.burst.write(claim, status.assigned(claim, binding, self.burst.now))

    def calls(self, action):
        return (yield from self.caller.call(action, PATIENCE))

    def change(self, transition):
        self.ledger = transition.ledger


@pytest.mark.parametrize("own_enis", [True, False], ids=["own ENIs", "shared ENIs"])
def test_200_pods_that_come_at_once_and_move_are_served_within_the_rates_and_none_twice(own_enis):
    burst = Burst(own_enis=own_enis)
    ordered = "CreateNetworkInterface" if own_enis else "CreateReserveIpAddresses"
    comes, goes = WRITES if own_enis else FIXED_WRITES

    burst.all_come()
    burst.run(seconds=120.0)

    assert burst.all_are_served()
    first = {claim.name: claim.address for claim in burst.claims()}
    assert len({address.ip for address in first.values()}) == PODS_WANTED
    asked = burst.account.asked
    assert (asked[ordered], asked[comes], asked[goes]) == (PODS_WANTED, PODS_WANTED, 0)

    burst.all_come(shift=1)
    burst.run(seconds=120.0)

    assert burst.all_are_served()
    assert {claim.name: claim.address for claim in burst.claims()} == first
    assert (asked[ordered], asked[comes], asked[goes]) == (PODS_WANTED, 2 * PODS_WANTED, PODS_WANTED)
    assert burst.account.refused.total() < asked.total() / 20
