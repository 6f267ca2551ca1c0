"""Any order of events, crashes, lost answers and old lists: no EIP is leaked, doubled or taken from a Pod.

The controller's own code runs on a modelled cluster and cloud; the model's agent binds and unbinds as the
real one promises to. After each step the invariants hold, and at the end everything comes to rest.
"""

import random
from dataclasses import replace
from typing import Any

import pytest

from ipamd.controller.account.account_type import AccountChecks
from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.eip_listing import EipListing
from ipamd.controller.claims.eip_selection import EipSelection
from ipamd.controller.claims.executor import Executor
from ipamd.controller.claims.in_flight import InFlight
from ipamd.controller.claims.live_reader import LiveReader
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.provisioning import Provisioning
from ipamd.controller.claims.reconciler import ClaimReconciler
from ipamd.controller.claims.tag_limits import TagLimits
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.controller.events import ClaimEvents
from ipamd.core.claim import status
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import NODE_LABEL, ClaimBinding
from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.eip import binding_plan
from ipamd.core.eip.tagging import Tagging
from ipamd.core.model import EipStatus
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.errors import KubeError
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS
from tests.controller.model import (
    CLUSTER,
    KEY,
    MOST_TAGS,
    Crash,
    ModelApi,
    ModelCloud,
    Wire,
    claim_uid,
)

FATES = ("ok", "ok", "lost", "answer lost", "crash before", "crash after")
"""What happens to one of the calls of a round; all others come through."""
NODE_NAMES = ("node-a", "node-b")
CODES = ("", "", "AddressQuotaLimitExceeded", "UnauthorizedOperation")


class NoEvents:
    """Events are for people."""

    def record(self, *_):
        pass


class ClaimLife:
    """One name in one namespace, with all that can happen to its Pods and claims."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = 1_700_000_000.0
        self.wire = Wire()
        self.api = ModelApi(self.wire)
        self.cloud = ModelCloud(self.wire)
        self.cloud.on_disassociate = self.nobody_is_robbed
        for name in NODE_NAMES:
            self.api.put_node(name)
        self.api.refresh()
        self.limits = []
        self.replicas = [self.new_replica(), self.new_replica()]

    def new_replica(self):
        api: Any = self.api  # stands for client and cluster
        recorder: Any = NoEvents()
        limits = TagLimits(self.clock)
        self.limits.append(limits)
        ports = Ports(
            fence=self,
            cloud=self.cloud,
            writer=ClaimWriter(api),
            teller=ClaimEvents(recorder),
            in_flight=InFlight(monotonic=self.clock),
            on_freed=lambda _: None,
            release_stopped=str,
            tag_limits=limits,
            clock=self.clock,
        )
        eips = EipListing(self.cloud, CLUSTER, spacing=0.0, monotonic=self.clock)
        live = LiveReader(api, self.cloud, eips, api, outages=Absences(self.clock))
        choices = EipSelection(CLUSTER, sight=live, ports=ports, tagged_only=False, lots=self.random.random)
        return ClaimReconciler(
            CLUSTER,
            cluster=api,
            live=live,
            executor=Executor(Provisioning(CLUSTER, ports, AccountChecks(self.cloud)), choices, ports),
            ports=ports,
            rules=ClusterRules(expire_after=3600.0),
        )

    def clock(self):
        return self.now

    def deadline(self):
        return Deadline.after(10, self.clock)

    def round(self, fates=()):
        # Now and then the replica that led before does not know yet that it is replaced.
        number = int(self.random.random() < 0.1)
        self.wire.plan = list(fates)
        try:
            return self.replicas[number].reconcile(KEY)
        except Crash:
            self.replicas[number] = self.new_replica()
        except (KubeError, CloudError):
            pass
        finally:
            self.wire.plan = []
        return None

    # -- the controller and time

    def the_controller_works(self):
        if self.often():
            self.api.refresh()
        self.round(["ok"] * self.random.randrange(10) + [self.random.choice(FATES)])
        if self.often():
            self.cloud.settle()

    def the_controller_works_on_old_lists_of_the_cloud(self):
        self.cloud.stale_lists = self.random.randint(1, 3)
        self.the_controller_works()
        self.cloud.stale_lists = 0

    def nothing_disturbs_for_a_while(self):
        for _ in range(3):
            self.api.refresh()
            self.round()
            self.cloud.settle()

    def time_passes(self, seconds=None):
        self.cloud.settle()
        self.cloud.past = dict(self.cloud.eips)  # a list is never older than that
        self.now += seconds or self.random.choice((1.0, 31.0, 61.0, 130.0, 130.0, 3700.0))

    def the_account_refuses_or_not(self):
        self.cloud.refuse = self.random.choice(CODES)

    def the_account_takes_fewer_tags_or_all(self):
        self.cloud.most_tags = self.random.choice((0, 2, MOST_TAGS, MOST_TAGS))

    def orders_fail(self):
        self.cloud.fail_orders()

    def often(self):
        return self.random.random() < 0.8

    # -- users and the cluster

    def a_pod_comes(self):
        if self.api.live_pod() is None:
            node = self.random.choice(("", *NODE_NAMES, *NODE_NAMES))
            self.api.put_pod(node, never=self.random.random() < 0.5, wants=self.random.random() < 0.9)

    def the_pod_is_scheduled(self):
        pod = self.api.live_pod()
        if pod and not pod.node:
            obj = self.api.objects["Pod", KEY[1]]
            self.api.store(PODS, {**obj, "spec": {"nodeName": self.random.choice(NODE_NAMES)}})

    def a_person_changes_the_label(self):
        if self.api.live_claim():
            obj = self.api.objects["EIPClaim", KEY[1]]
            labels = {NODE_LABEL: self.random.choice(NODE_NAMES)}
            self.api.store(EIPCLAIMS, {**obj, "metadata": {**obj["metadata"], "labels": labels}})

    def the_pod_goes(self):
        self.api.remove(PODS, KEY[1])

    def the_pod_ends(self):
        if self.api.live_pod():
            pod = self.api.objects["Pod", KEY[1]]
            self.api.store(PODS, {**pod, "status": {"phase": "Succeeded"}})

    def a_person_deletes_the_claim(self):
        if self.api.live_claim():
            self.api.mark_deleted(EIPCLAIMS, KEY[1])

    def a_node_goes(self):
        name = self.random.choice(NODE_NAMES)
        self.api.remove(NODES, name)
        pod = self.api.live_pod()
        if pod and pod.node == name:
            self.api.remove(PODS, KEY[1])

    def a_node_comes(self):
        name = self.random.choice(NODE_NAMES)
        if ("Node", name) not in self.api.objects:
            self.api.put_node(name, served=self.often())
        elif not self.api.is_served(name):
            self.api.serve_node(name)
        elif not self.api.is_ready(name):
            self.api.set_ready(name, since=self.now)

    def a_node_is_cut_off(self):
        name = self.random.choice(NODE_NAMES)
        if self.api.is_ready(name):
            self.api.set_ready(name, since=self.now, ready=False)

    # -- the agents

    def the_agent_binds(self):
        claim, pod = self.api.live_claim(), self.api.live_pod()
        if not (claim and pod and claim.address and claim.pod) or claim.deleting or claim.binding:
            return
        seen = claim.node == pod.node and self.api.is_ready(pod.node)
        if claim.pod.uid != pod.ref.uid or not seen:
            return
        eip = self.cloud.eips.get(claim.address.eip_id)
        if eip is None or eip.status is not EipStatus.UNBIND:
            return
        binding = ClaimBinding(
            node=pod.node, eni_id=f"eni-{pod.node}", private_ip="10.0.1.5", pod_uid=pod.ref.uid
        )
        self.cloud.eips[eip.eip_id] = replace(
            eip, status=EipStatus.BINDING, eni_id=binding.eni_id, private_ip=binding.private_ip
        )
        self.api.write_status(claim, status.bound(claim, binding, self.now))

    def the_agents_unbind(self):
        claim = self.api.live_claim()
        if not claim or not claim.binding or not self.api.is_ready(claim.binding.node):
            return
        if claim.node != claim.binding.node:
            return  # its watch does not show the claims of other nodes
        pod = self.api.live_pod()
        served = pod and not pod.finished and pod.ref.uid == claim.binding.pod_uid
        if served and not claim.deleting and not binding_plan.wanted_elsewhere(claim, claim.binding.node):
            return
        eip = self.cloud.eips.get(claim.address.eip_id) if claim.address else None
        if eip and eip.eni_id == claim.binding.eni_id and eip.status is not EipStatus.UNBIND:
            self.cloud.eips[eip.eip_id] = replace(eip, status=EipStatus.UNBINDING)
            return  # the binding is removed once the cloud says UNBIND
        self.api.write_status(claim, status.unbound(claim, Reason.UNBOUND, "done", self.now))

    # -- what always holds

    def nobody_is_robbed(self, eip):
        """The controller unbinds for a node that exists only when the Pod is gone for certain."""
        claim, pod = self.api.live_claim(), self.api.live_pod()
        assert claim
        node = claim.binding.node if claim.binding else ""
        if ("Node", node) in self.api.objects:
            assert not self.api.is_ready(node)
            assert pod is None or pod.ref.uid != claim.binding.pod_uid
            assert (eip.eni_id, eip.private_ip) == (claim.binding.eni_id, claim.binding.private_ip)

    def no_claim_has_two_eips(self):
        owners = [claim_uid(eip) for eip in self.cloud.eips.values()]
        assert len(owners) == len(set(owners)), self.cloud.eips

    def no_eip_is_without_its_claim(self):
        claim = self.api.live_claim()
        for eip in self.cloud.eips.values():
            if eip.status is not EipStatus.OFFLINING:
                assert claim is not None
                assert claim.uid == claim_uid(eip)

    def no_eip_is_gone_while_a_living_claim_records_it(self):
        claim = self.api.live_claim()
        if claim and claim.address and not claim.deleting:
            assert claim.address.eip_id in self.cloud.eips

    def a_claim_costs_one_order(self):
        for created in self.cloud.created_for.values():
            assert len(created) <= 1  # without those that failed

    def comes_to_rest(self):
        """Without further trouble: the wish of the living Pod is fulfilled, or nothing is left."""
        self.cloud.refuse = ""
        self.cloud.most_tags = MOST_TAGS
        for name in NODE_NAMES:
            if ("Node", name) not in self.api.objects and self.often():
                self.api.put_node(name)
            elif ("Node", name) in self.api.objects:
                self.api.set_ready(name, since=self.now)
        orders = len(self.cloud.tokens)
        for _ in range(40):
            self.api.refresh()
            self.round()
            self.the_agents_unbind()
            self.the_agent_binds()
            self.time_passes(10.0)
        claim, pod = self.api.live_claim(), self.api.wanting_pod()
        if pod and not self.api.is_served(pod.node):
            assert len(self.cloud.tokens) == orders
        elif pod:
            assert claim
            assert claim.address
            assert claim.pod_uid == pod.ref.uid
        elif claim:
            assert claim.retained
        expected = {claim.address.eip_id} if claim and claim.address else set()
        assert set(self.cloud.eips) == expected


WEIGHTS = {
    ClaimLife.the_controller_works: 10,
    ClaimLife.nothing_disturbs_for_a_while: 4,
    ClaimLife.the_controller_works_on_old_lists_of_the_cloud: 3,
    ClaimLife.time_passes: 3,
    ClaimLife.the_account_refuses_or_not: 1,
    ClaimLife.the_account_takes_fewer_tags_or_all: 1,
    ClaimLife.orders_fail: 3,
    ClaimLife.a_pod_comes: 5,
    ClaimLife.the_pod_is_scheduled: 3,
    ClaimLife.the_pod_goes: 2,
    ClaimLife.the_pod_ends: 1,
    ClaimLife.a_person_deletes_the_claim: 1,
    ClaimLife.a_person_changes_the_label: 1,
    ClaimLife.a_node_goes: 1,
    ClaimLife.a_node_comes: 2,
    ClaimLife.a_node_is_cut_off: 1,
    ClaimLife.the_agent_binds: 6,
    ClaimLife.the_agents_unbind: 5,
}
INVARIANTS = (
    ClaimLife.no_claim_has_two_eips,
    ClaimLife.no_eip_is_without_its_claim,
    ClaimLife.no_eip_is_gone_while_a_living_claim_records_it,
    ClaimLife.a_claim_costs_one_order,
)


@pytest.mark.parametrize("seeds", [range(n, n + 100) for n in range(0, 600, 100)], ids=str)
def test_no_order_of_events_leaks_doubles_or_steals_an_eip(seeds):
    for seed in seeds:
        life = ClaimLife(seed)
        story = life.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=60)
        for event in story:
            event(life)
            for invariant in INVARIANTS:
                invariant(life)
        life.comes_to_rest()


@pytest.mark.parametrize("fate", FATES[2:])
@pytest.mark.parametrize("call", range(14))
def test_an_order_after_one_that_failed_is_given_once_whatever_becomes_of_its_answer(call, fate):
    life = ClaimLife(3)
    life.api.put_pod("node-a", never=False, wants=True)
    while not life.cloud.eips:
        life.api.refresh()
        life.round()
    life.cloud.past = {}
    life.orders_fail()

    life.round(["ok"] * call + [fate])
    for _ in range(6):
        # The lists of the cloud do not show it for some more looks.
        life.cloud.stale_lists = 5
        life.api.refresh()
        life.round()
        life.now += 1.0
        life.no_claim_has_two_eips()
        life.a_claim_costs_one_order()

    life.cloud.stale_lists = 0
    life.comes_to_rest()


@pytest.mark.parametrize("known_before", [False, True])
@pytest.mark.parametrize("fate", ["answer lost", "crash after"])
def test_tags_that_are_refused_meanwhile_make_no_second_eip_of_an_order_on_its_way(fate, known_before):
    life = ClaimLife(3)
    life.api.put_pod("node-a", never=False, wants=True)
    call = 0
    while not life.cloud.eips:
        life.api.refresh()
        life.round(["ok"] * call + [fate])
        call += 1
    life.cloud.past = {}
    if known_before:  # another claim's order was refused for them: this one is repeated with fewer
        for replica in life.limits:
            replica.refused(Tagging.FULL)
    else:
        life.cloud.most_tags = MOST_TAGS - 1

    for _ in range(20):
        life.cloud.stale_lists = 5
        life.api.refresh()
        life.round()
        life.now += 1.0
        life.no_claim_has_two_eips()
        life.a_claim_costs_one_order()

    life.cloud.stale_lists = 0
    life.comes_to_rest()
