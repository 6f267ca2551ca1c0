"""Any order of events, crashes, lost answers and old lists: no fixed address is leaked, doubled or stolen.

The controller's own code runs on a modelled cluster and VPC; the model's agents assign and unassign as the
real ones promise to. After each step the invariants hold, and at the end everything comes to rest.
"""

import contextlib
import random
from dataclasses import replace
from typing import Any

import pytest

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.eip_listing import EipListing
from ipamd.controller.claims.in_flight import InFlight
from ipamd.controller.claims.live_reader import LiveReader
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.controller.events import ClaimEvents
from ipamd.controller.vpc_ips.enis import ClaimEnis
from ipamd.controller.vpc_ips.executor import VpcIpExecutor
from ipamd.controller.vpc_ips.keeper_sweep import KeeperSweep
from ipamd.controller.vpc_ips.kept_enis import KeptEnis
from ipamd.controller.vpc_ips.live_reader import VpcIpLiveReader
from ipamd.controller.vpc_ips.pauses import Pauses
from ipamd.controller.vpc_ips.reconciler import VpcIpReconciler
from ipamd.controller.vpc_ips.reservations import Reservations
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.controller.vpc_ips.sweep import VpcIpSweep
from ipamd.controller.vpc_ips.teller import VpcIpTeller
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core import tags
from ipamd.core.annotations import networks
from ipamd.core.annotations.vpc_ip import wants_fixed_ip
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import condition
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.annotation_names import NETWORKS, NOMINATED_VPC_IP, VPC_IP_DELETE_POLICY
from ipamd.core.kubernetes.node_labels import subnet_label
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import own_eni, status, vpcip, vpcipclaim
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, AddressBinding
from ipamd.kube.errors import KubeError
from ipamd.kube.resources import NODES, PODS, VPCIPCLAIMS, VPCIPS
from tests.controller.model import CLUSTER, Crash, ModelApi, Wire
from tests.controller.vpc_ips.model import FOREIGN, SUBNET, USABLE, ModelBook, ModelVpc

FATES = ("ok", "ok", "lost", "answer lost", "crash before", "crash after")
"""What happens to one of the calls of a round; all others come through."""
NODE_NAMES = ("node-a", "node-b")
OWN = "web-2"
"""The Pod that has an ENI of its own most of the time."""
POD_NAMES = ("web-0", "web-1", OWN)
REFUSALS = ("", "", "", "not offered", "denied")
AGE = 1800.0


class NoEvents:
    """Events are for people."""

    def record(self, *_):
        pass


class FixedLives:
    """A few names in one namespace and one small subnet, with all that can happen to Pods and claims."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = 1_700_000_000.0
        self.wire = Wire()
        self.api = ModelApi(self.wire)
        self.vpc = self.new_vpc()
        self.vpc.on_unassign = self.nobody_is_robbed
        self.vpc.on_release = self.only_what_is_unused_is_released
        self.vpc.on_detach = lambda eni: self.nobody_is_robbed(
            eni.instance_id.replace("ins-", "eni-"), eni.primary_ip
        )
        self.vpc.on_delete = self.only_what_is_unused_is_deleted
        self.had: dict[str, str] = {}
        for name in NODE_NAMES:
            self.put_node(name)
        self.api.refresh()
        self.sweeps: list[VpcIpSweep] = []
        self.eni_sweeps: list[KeeperSweep] = []
        self.replicas = [self.new_replica(), self.new_replica()]

    def new_vpc(self):
        return ModelVpc(self.wire)

    def new_replica(self):
        api: Any = self.api  # stands for client and cluster
        vpc: Any = self.vpc
        recorder: Any = NoEvents()
        ports = Ports(
            fence=self,
            cloud=vpc,
            writer=ClaimWriter(api),
            teller=ClaimEvents(recorder),
            in_flight=InFlight(monotonic=self.clock),
            on_freed=lambda _: None,
            release_stopped=str,
            clock=self.clock,
            steady=self.clock,
        )
        nodes_live = LiveReader(
            api,
            vpc,
            EipListing(vpc, CLUSTER, spacing=0.0, monotonic=self.clock),
            api,
            outages=Absences(self.clock),
        )
        live = VpcIpLiveReader(api, vpc, CLUSTER, nodes=nodes_live)
        writer, teller = VpcIpWriter(api), VpcIpTeller(ports.teller)
        sight = VpcIpSight(
            api,
            ModelBook(self.api),
            live,
            pauses=Pauses(self.clock),
            ports=ports,
            rules=ClusterRules(expire_after=3600.0),
        )
        reservations = Reservations(CLUSTER, vpc, writer, teller=teller, ports=ports)
        terms = SweepTerms(mode=SweepMode.RELEASE, age=AGE)
        self.sweeps.append(VpcIpSweep(terms, sight, reservations, writer, ports=ports, wake=lambda _: None))
        enis = ClaimEnis(CLUSTER, vpc, writer, teller=teller, ports=ports)
        kept = KeptEnis(sight, enis)
        self.eni_sweeps.append(KeeperSweep(terms, kept, sight, ports=ports, wake=lambda _: None))
        executor = VpcIpExecutor(writer, vpc, reservations, enis, teller=teller, ports=ports)
        return VpcIpReconciler(sight, executor, writer, teller)

    def clock(self):
        return self.now

    def deadline(self):
        return Deadline.after(10, self.clock)

    def round(self, name, fates=()):
        # Now and then the replica that led before does not know yet that it is replaced.
        number = int(self.random.random() < 0.1)
        self.wire.plan = list(fates)
        try:
            return self.replicas[number].reconcile(("default", name))
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
        name = self.random.choice(POD_NAMES)
        self.round(name, ["ok"] * self.random.randrange(12) + [self.random.choice(FATES)])
        if self.often():
            self.vpc.settle()

    def the_controller_works_on_old_lists_of_the_cloud(self):
        self.vpc.stale_lists = self.random.randint(1, 3)
        self.the_controller_works()
        self.vpc.stale_lists = 0

    def nothing_disturbs_for_a_while(self):
        for name in POD_NAMES * 2:
            self.api.refresh()
            self.round(name)
            self.vpc.settle()

    def a_pass_is_made(self):
        with contextlib.suppress(KubeError, CloudError):
            self.sweeps[-1].make_pass()
        with contextlib.suppress(KubeError, CloudError):
            self.eni_sweeps[-1].make_pass()

    def time_passes(self, seconds=None):
        self.vpc.settle()
        self.now += seconds or self.random.choice((1.0, 31.0, 61.0, 130.0, 601.0, 3700.0))

    def the_vpc_refuses_or_not(self):
        self.vpc.refuse = self.random.choice(REFUSALS)

    def somebody_takes_an_address(self):
        free = [ip for ip in USABLE if ip not in self.vpc.at_enis]
        if len(free) > len(POD_NAMES) * 2:
            self.vpc.assign(FOREIGN, self.random.choice(free))

    def somebody_gives_an_address_back(self):
        theirs = [ip for ip, (eni, _) in self.vpc.at_enis.items() if eni == FOREIGN]
        if theirs:
            del self.vpc.at_enis[self.random.choice(theirs)]

    def often(self):
        return self.random.random() < 0.8

    # -- users and the cluster

    def put_node(self, name, *, served=True):
        self.api.put_node(name, served=served)
        node = self.api.objects["Node", name]
        self.api.store(
            NODES, {**node, "metadata": {**node["metadata"], "labels": {subnet_label(SUBNET): ""}}}
        )

    def a_pod_comes(self):
        name = self.random.choice(POD_NAMES)
        if self.pod(name) is not None:
            return
        wish = {VPC_IP_DELETE_POLICY: "Never"}
        if self.random.random() < 0.3:
            wish = {NOMINATED_VPC_IP: self.random.choice(USABLE[:4])}
        if self.random.random() < (0.8 if name == OWN else 0.1):
            wish[NETWORKS] = "tke-direct-eni"
        node = self.random.choice(("", *NODE_NAMES, *NODE_NAMES))
        self.api.put_pod(node, never=False, name=name, wish=wish)

    def a_pod_is_scheduled(self):
        for name in POD_NAMES:
            pod = self.pod(name)
            if pod and not pod.node:
                obj = self.api.objects["Pod", name]
                self.api.store(PODS, {**obj, "spec": {"nodeName": self.random.choice(NODE_NAMES)}})

    def a_pod_goes(self):
        self.api.remove(PODS, self.random.choice(POD_NAMES))

    def a_pod_ends(self):
        name = self.random.choice(POD_NAMES)
        if self.pod(name):
            obj = self.api.objects["Pod", name]
            self.api.store(PODS, {**obj, "status": {"phase": "Succeeded"}})

    def a_person_deletes_a_claim(self):
        name = self.random.choice(POD_NAMES)
        if self.claim(name):
            self.api.mark_deleted(VPCIPCLAIMS, name)

    def a_person_deletes_a_line(self):
        for line in self.lines()[:1]:
            self.api.mark_deleted(VPCIPS, line.ip)

    def a_person_deletes_a_reservation(self):
        unused = [i for i, one in self.vpc.reservations.items() if one.ip not in self.vpc.at_enis]
        if unused:
            del self.vpc.reservations[self.random.choice(unused)]

    def a_person_deletes_an_eni(self):
        unused = [eni for eni in self.vpc.own_enis.values() if own_eni.may_delete(eni)]
        if unused:
            self.vpc.remove_eni(self.random.choice(unused).eni_id)

    def somebody_binds_an_eip_or_unbinds_it(self):
        for eni in list(self.vpc.own_enis.values())[:1]:
            address = eni.addresses[0]
            other = replace(address, eip_id="" if address.eip_id else "eip-1")
            self.vpc.change_eni(eni.eni_id, addresses=(other,))

    def a_node_goes(self):
        name = self.random.choice(NODE_NAMES)
        self.api.remove(NODES, name)
        for pod_name in POD_NAMES:
            pod = self.pod(pod_name)
            if pod and pod.node == name:
                self.api.remove(PODS, pod_name)

    def a_node_comes(self):
        name = self.random.choice(NODE_NAMES)
        if ("Node", name) not in self.api.objects:
            self.put_node(name, served=self.often())
        elif not self.api.is_served(name):
            self.api.serve_node(name)
        elif not self.api.is_ready(name):
            self.api.set_ready(name, since=self.now)

    def a_node_is_cut_off(self):
        name = self.random.choice(NODE_NAMES)
        if self.api.is_ready(name):
            self.api.set_ready(name, since=self.now, ready=False)

    # -- the agents

    def an_agent_begins_to_assign(self):
        for claim in self.claims():
            pod = self.pod(claim.name)
            if (
                claim.binding
                or claim.deleting
                or not claim.address
                or not claim.pod
                or not pod
                or pod.finished
            ):
                continue
            if claim.pod.uid != pod.ref.uid or claim.node != pod.node or not self.api.is_ready(pod.node):
                continue
            said = condition(claim.conditions, ASSIGNED)
            refused = said.get("reason") == VpcIpReason.ADDRESS_IN_USE.value
            if refused and claim.assigned_ip != claim.address.ip:
                continue
            if said.get("reason") == VpcIpReason.ENI_LOST.value and claim.address.eni_id:
                continue  # until the controller has looked
            if claim.exclusive and not claim.address.eni_id:
                continue
            if networks.is_exclusive(pod) is not claim.exclusive:
                continue
            eni_id = claim.address.eni_id or f"eni-{pod.node}"
            binding = AddressBinding(node=pod.node, eni_id=eni_id, pod_uid=pod.ref.uid)
            self.write(claim, status.assigning(claim, binding, self.now))

    def an_agent_assigns(self):
        for claim in self.claims():
            if not claim.binding or not claim.address or not self.api.is_ready(claim.binding.node):
                continue
            if claim.node != claim.binding.node or not self.wanted(claim):
                continue
            if claim.exclusive:
                self.attach(claim)
            elif self.vpc.assign(claim.binding.eni_id, claim.address.ip, claim.uid):
                self.had.setdefault(claim.uid, claim.address.ip)
                self.write(claim, status.assigned(claim, claim.binding, self.now))
            else:
                self.write(claim, status.address_in_use(claim, "somebody has it", self.now))

    def the_agents_unassign(self):
        for claim in self.claims():
            if not claim.binding or not self.api.is_ready(claim.binding.node) or self.wanted(claim):
                continue
            if claim.node != claim.binding.node:
                continue  # its watch does not show the claims of other nodes
            ip = claim.address.ip if claim.address else ""
            own = self.vpc.own_enis.get(claim.binding.eni_id)
            if own and own.instance_id == f"ins-{claim.binding.node}":
                self.vpc.change_eni(own.eni_id, instance_id="")
                if self.random.random() < 0.5:
                    continue
            elif not own and self.vpc.at_enis.get(ip, ("",))[0] == claim.binding.eni_id:
                del self.vpc.at_enis[ip]
                if self.random.random() < 0.5:
                    continue  # the binding is taken out at the next look
            self.write(claim, status.unassigned(claim, VpcIpReason.UNASSIGNED, "done", self.now))

    def attach(self, claim):
        eni, instance_id = self.vpc.own_enis.get(claim.binding.eni_id), f"ins-{claim.binding.node}"
        if eni is None:
            self.write(claim, status.unassigned(claim, VpcIpReason.ENI_LOST, "it is gone", self.now))
            return
        if eni.instance_id not in ("", instance_id):
            return
        self.vpc.change_eni(eni.eni_id, instance_id=instance_id)
        self.had.setdefault(claim.uid, claim.address.ip)
        self.write(claim, status.assigned(claim, claim.binding, self.now))

    def wanted(self, claim):
        """Whether the Pod that the address was assigned for has it by right."""
        pod = self.pod(claim.name)
        return (
            pod is not None
            and not pod.finished
            and pod.ref.uid == claim.binding.pod_uid
            and pod.node == claim.binding.node
        )

    # -- what there is

    def pod(self, name):
        obj = self.api.objects.get(("Pod", name))
        return pods.view(obj) if obj else None

    def claim(self, name):
        obj = self.api.objects.get(("VpcIPClaim", name))
        return vpcipclaim.read(obj) if obj else None

    def claims(self):
        return [claim for name in POD_NAMES if (claim := self.claim(name))]

    def lines(self):
        return [vpcip.read(obj) for (kind, _), obj in self.api.objects.items() if kind == "VpcIP"]

    def write(self, claim, patch):
        self.api.write_status_of(VPCIPCLAIMS, claim.name, patch)

    # -- what always holds

    def nobody_is_robbed(self, eni_id, ip):
        """The controller unassigns for a node that exists only when the Pod is gone for certain."""
        node = eni_id.removeprefix("eni-")
        claim = next(one for one in self.claims() if one.address and one.address.ip == ip)
        assert claim.binding
        if ("Node", node) in self.api.objects:
            assert not self.api.is_ready(node)
            pod = self.pod(claim.name)
            assert pod is None or pod.ref.uid != claim.binding.pod_uid

    def only_what_is_unused_is_released(self, reservation):
        uid = reservation.tags[tags.VPC_IP_CLAIM_UID]
        eni_id, description = self.vpc.at_enis.get(reservation.ip, ("", ""))
        assert not eni_id or tags.described_claim(description) != uid
        claim = next((one for one in self.claims() if one.uid == uid), None)
        if claim and not claim.deleting and claim.address:
            assert claim.address.ip != reservation.ip

    def only_what_is_unused_is_deleted(self, eni):
        """The ENI of a claim goes with it, or as a spare one; never attached, and never with an EIP."""
        assert own_eni.may_delete(eni)
        uid = eni.tags[tags.VPC_IP_CLAIM_UID]
        claim = next((one for one in self.claims() if one.uid == uid), None)
        if claim and not claim.deleting:
            assert not claim.address or claim.address.eni_id != eni.eni_id

    def no_claim_has_two_enis(self):
        owners = [eni.tags[tags.VPC_IP_CLAIM_UID] for eni in self.vpc.own_enis.values()]
        assert len(owners) == len(set(owners)), self.vpc.own_enis

    def no_claim_changes_its_network(self):
        for claim in self.claims():
            assert claim.request is not None
            assert claim.exclusive is claim.request.exclusive
            if claim.address:
                assert not (claim.exclusive and claim.address.reservation_id)
                assert claim.exclusive or not claim.address.eni_id

    def no_address_is_two_claims(self):
        kept = [claim.address.ip for claim in self.claims() if claim.address and self.counts(claim)]
        assert len(kept) == len(set(kept)), kept

    def no_claim_has_two_reservations(self):
        refused = {(claim.uid, ip) for claim in self.claims() for ip in claim.refused_ips}
        owners = [
            one.tags[tags.VPC_IP_CLAIM_UID]
            for one in self.vpc.reservations.values()
            if (one.tags[tags.VPC_IP_CLAIM_UID], one.ip) not in refused
        ]
        assert len(owners) == len(set(owners)), self.vpc.reservations

    def nothing_is_without_its_claim(self):
        uids = {claim.uid for claim in self.claims()}
        assert {one.tags[tags.VPC_IP_CLAIM_UID] for one in self.vpc.reservations.values()} <= uids
        assert {line.claim_uid for line in self.lines()} <= uids
        assert {eni.tags[tags.VPC_IP_CLAIM_UID] for eni in self.vpc.own_enis.values()} <= uids
        at_enis = {tags.described_claim(text) for _, text in self.vpc.at_enis.values()} - {""}
        assert at_enis <= uids

    def an_address_is_in_the_book_before_it_is_a_claims(self):
        book = {(line.ip, line.claim_uid) for line in self.lines()}
        kept = {(c.address.ip, c.uid) for c in self.claims() if c.address and self.counts(c)}
        assert kept <= book

    def counts(self, claim):
        """Whether the claim may still have its address: one that is deleted gives it back at the end."""
        return not claim.deleting or claim.binding is not None

    def what_a_pod_has_had_stays(self):
        for claim in self.claims():
            if claim.uid in self.had:
                assert claim.address
                assert claim.address.ip == self.had[claim.uid]

    def comes_to_rest(self):
        """Without further trouble: the wish of each living Pod is fulfilled, or nothing is left."""
        self.vpc.refuse = ""
        for name in NODE_NAMES:
            if ("Node", name) not in self.api.objects and self.often():
                self.put_node(name)
            elif ("Node", name) in self.api.objects:
                self.api.set_ready(name, since=self.now)
        for _ in range(40):
            self.api.refresh()
            for name in POD_NAMES:
                self.round(name)
            self.nobody_binds_by_hand()
            self.the_agents_unassign()
            self.an_agent_begins_to_assign()
            self.an_agent_assigns()
            self.a_pass_is_made()
            self.time_passes(20.0)  # in all more than until a reservation is asked for again
        for name in POD_NAMES:
            self.is_at_rest(name)
        recorded = {(c.uid, ip) for c in self.claims() for ip in (*c.refused_ips, c.address and c.address.ip)}
        assert {
            (one.tags[tags.VPC_IP_CLAIM_UID], one.ip) for one in self.vpc.reservations.values()
        } <= recorded
        begun = {claim.uid for claim in self.claims() if claim.address is None and claim.allocation.attempt}
        lines = {(line.claim_uid, line.ip) for line in self.lines() if line.claim_uid not in begun}
        assert lines <= recorded

    def nobody_binds_by_hand(self):
        for eni in list(self.vpc.own_enis.values()):
            self.vpc.change_eni(eni.eni_id, addresses=(replace(eni.addresses[0], eip_id=""),))

    def is_at_rest(self, name):
        claim, pod = self.claim(name), self.pod(name)
        wants = pod and not pod.finished and wants_fixed_ip(pod)
        if claim and wants and claim.exclusive is not networks.is_exclusive(pod):
            return  # its owner has been told, and nothing changes
        if wants and self.api.is_served(pod.node):
            assert claim, name
            assert claim.pod_uid == pod.ref.uid
            if claim.address is None:  # a nominated one that somebody else has
                assert claim.request
                assert claim.request.nominated_ip
                taken = self.vpc.at_enis.keys() | {line.ip for line in self.lines()}
                assert claim.request.nominated_ip in taken
            elif claim.exclusive and not claim.address.eni_id:  # somebody took the address of the lost ENI
                assert claim.address.ip in self.vpc.at_enis
            elif not claim.binding:
                assert self.vpc.at_enis[claim.address.ip][0] == FOREIGN
        elif claim:
            assert claim.retained
            if not claim.pod or claim.pod.last_seen is not None:
                assert claim.binding is None


WEIGHTS = {
    FixedLives.the_controller_works: 12,
    FixedLives.nothing_disturbs_for_a_while: 4,
    FixedLives.the_controller_works_on_old_lists_of_the_cloud: 3,
    FixedLives.a_pass_is_made: 2,
    FixedLives.time_passes: 3,
    FixedLives.the_vpc_refuses_or_not: 1,
    FixedLives.somebody_takes_an_address: 2,
    FixedLives.somebody_gives_an_address_back: 1,
    FixedLives.a_pod_comes: 6,
    FixedLives.a_pod_is_scheduled: 3,
    FixedLives.a_pod_goes: 3,
    FixedLives.a_pod_ends: 1,
    FixedLives.a_person_deletes_a_claim: 1,
    FixedLives.a_person_deletes_a_line: 1,
    FixedLives.a_person_deletes_a_reservation: 1,
    FixedLives.a_person_deletes_an_eni: 1,
    FixedLives.somebody_binds_an_eip_or_unbinds_it: 1,
    FixedLives.a_node_goes: 1,
    FixedLives.a_node_comes: 2,
    FixedLives.a_node_is_cut_off: 1,
    FixedLives.an_agent_begins_to_assign: 5,
    FixedLives.an_agent_assigns: 6,
    FixedLives.the_agents_unassign: 5,
}
INVARIANTS = (
    FixedLives.no_address_is_two_claims,
    FixedLives.no_claim_has_two_reservations,
    FixedLives.no_claim_has_two_enis,
    FixedLives.no_claim_changes_its_network,
    FixedLives.nothing_is_without_its_claim,
    FixedLives.an_address_is_in_the_book_before_it_is_a_claims,
    FixedLives.what_a_pod_has_had_stays,
)


@pytest.mark.parametrize("seeds", [range(n, n + 40) for n in range(0, 160, 40)], ids=str)
def test_no_order_of_events_leaks_doubles_or_steals_a_fixed_address(seeds):
    for seed in seeds:
        lives = FixedLives(seed)
        story = lives.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=80)
        for event in story:
            event(lives)
            for invariant in INVARIANTS:
                invariant(lives)
        lives.comes_to_rest()
