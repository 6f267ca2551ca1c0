"""Pods that want the same EIPs, leaders that replace each other in the middle of a choice: no EIP goes twice.

The controller's own code runs on a modelled cluster. A leader may be overtaken at any of its calls: another
replica leads and works, and only then does the call arrive. Whoever does not lead any more begins no write.
"""

import random
from contextlib import suppress
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
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.controller.events import ClaimEvents
from ipamd.core.claim import eipclaim
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.kubernetes.annotation_names import EIP_ID_LIST
from ipamd.core.model import Eip, EipStatus
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.errors import KubeError
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.resources import EIPCLAIMS, PODS
from tests.controller.model import CLUSTER, ModelApi, ModelCloud, Wire

EIPS = ("eip-aaaaaaaa", "eip-bbbbbbbb")
NAMES = ("x", "y", "z", "api-0", "api-1")


class Recorder:
    """Keeps the messages of Events."""

    def __init__(self):
        self.messages = []

    def record(self, _regarding, _kind, reason, message):
        self.messages.append((reason, message))


class Term:
    """One replica's time as the leader: what it began may arrive later, but it begins nothing after it."""

    def __init__(self, cluster):
        self.cluster = cluster
        recorder: Any = cluster.recorder
        api: Any = cluster.api
        ports = Ports(
            fence=self,
            cloud=cluster.cloud,
            writer=ClaimWriter(api),
            teller=ClaimEvents(recorder),
            promises=InFlight(monotonic=cluster.clock),
            on_freed=lambda _: None,
            release_stopped=str,
            clock=cluster.clock,
        )
        eips = EipListing(cluster.cloud, CLUSTER, spacing=0.0, monotonic=cluster.clock)
        live = LiveReader(api, cluster.cloud, eips, api, outages=Absences(cluster.clock))
        choices = EipSelection(
            CLUSTER, sight=live, ports=ports, tagged_only=False, lots=cluster.random.random
        )
        self.reconciler = ClaimReconciler(
            CLUSTER,
            cluster=api,
            live=live,
            executor=Executor(Provisioning(CLUSTER, ports, AccountChecks(cluster.cloud)), choices, ports),
            ports=ports,
        )

    def deadline(self):
        if self.cluster.leader is not self:
            raise NotLeaderError("replaced")
        return Deadline.after(10, self.cluster.clock)


class ContestedEips:
    """Five names and two EIPs."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.recorder = Recorder()
        self.wire = Wire()
        self.api = ModelApi(self.wire)
        self.cloud = ModelCloud(self.wire)
        for number, eip_id in enumerate(EIPS, 1):
            self.cloud.eips[eip_id] = Eip(
                eip_id=eip_id, public_ip=f"198.18.0.{number}", status=EipStatus.UNBIND
            )
        self.api.put_node("node-a")
        self.leader = Term(self)

    def clock(self):
        return 1_700_000_000.0

    def work(self, name=""):
        with suppress(KubeError, CloudError, NotLeaderError):
            self.leader.reconciler.reconcile(("default", name or self.random.choice(NAMES)))

    def another_leads(self):
        self.leader = Term(self)

    def the_leader_works(self):
        if self.random.random() < 0.7:
            self.api.refresh()
        self.work()

    def the_leader_is_overtaken(self):
        def overtaken():
            rest, self.wire.plan = self.wire.plan, []
            self.another_leads()
            for _ in range(self.random.randrange(1, 8)):
                self.the_leader_works()
            self.wire.plan = rest

        self.wire.plan = ["ok"] * self.random.randrange(12) + [overtaken]
        self.work()
        self.wire.plan = []

    def a_pod_comes(self):
        name = self.random.choice(NAMES)
        if ("Pod", name) not in self.api.objects:
            ids = self.random.sample(EIPS, self.random.randint(1, 2))
            wish = {EIP_ID_LIST: ",".join(ids)}
            self.api.put_pod("node-a", never=self.random.random() < 0.3, name=name, wish=wish)

    def a_pod_goes(self):
        self.api.remove(PODS, self.random.choice(NAMES))

    def a_person_deletes_a_claim(self):
        name = self.random.choice(NAMES)
        if ("EIPClaim", name) in self.api.objects:
            self.api.mark_deleted(EIPCLAIMS, name)

    def claims(self):
        return [eipclaim.read(obj) for (kind, _), obj in self.api.objects.items() if kind == "EIPClaim"]

    def no_eip_is_in_two_claims(self):
        held = [claim.address.eip_id for claim in self.claims() if claim.address]
        assert len(held) == len(set(held)), self.claims()

    def comes_to_rest(self):
        """Without further trouble every EIP that somebody may have and waits for has been given."""
        for _ in range(6):
            for name in NAMES:
                self.api.refresh()
                self.work(name)
        held = {claim.address.eip_id for claim in self.claims() if claim.address}
        for claim in self.claims():
            waits = claim.address is None and ("Pod", claim.name) in self.api.objects
            if waits and not claim.name.startswith("api-"):
                assert set(claim.request.address_ids) <= held
        assert all(eip.status is EipStatus.UNBIND for eip in self.cloud.eips.values())
        assert set(self.cloud.eips) == set(EIPS)


WEIGHTS = {
    ContestedEips.the_leader_works: 8,
    ContestedEips.the_leader_is_overtaken: 6,
    ContestedEips.a_pod_comes: 6,
    ContestedEips.a_pod_goes: 2,
    ContestedEips.a_person_deletes_a_claim: 1,
    ContestedEips.another_leads: 1,
}


@pytest.mark.parametrize("seeds", [range(n, n + 100) for n in range(0, 400, 100)], ids=str)
def test_no_order_of_events_gives_an_eip_to_two_claims(seeds):
    for seed in seeds:
        contested = ContestedEips(seed)
        for event in contested.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=60):
            event(contested)
            contested.no_eip_is_in_two_claims()
        contested.comes_to_rest()
