"""Pods that want EIPs of a pool which grows and shrinks, and leaders that die or are replaced at any call.

The controller's own code runs on a modelled cluster and cloud: no EIP goes to two claims, none beyond `max`
is ordered, nothing that a claim has is released, and in the end everything has what it should have.
"""

from contextlib import suppress

import pytest

from ipamd.core import tags
from ipamd.core.claim.release import ATTEMPT_WINDOW, SETTLE
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.kubernetes.annotation_names import EIP_POOL
from ipamd.core.model import EipStatus
from ipamd.kube.errors import KubeError
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.resources import EIPPOOLS
from tests.controller.contest import Contest
from tests.controller.model import CLUSTER, Crash

LEAST, MOST = 1, 3
SPEC = {
    "attributes": {"bandwidthMbps": 10, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"},
    "min": LEAST,
    "max": MOST,
    "releaseAfter": "1m",
}


class ContestedPool(Contest):
    """Five names and a pool of at most three EIPs."""

    def __init__(self, seed):
        self.now = 1_700_000_000.0
        super().__init__(seed)
        self.history = []
        pool = self.api.put(EIPPOOLS, {"metadata": {"name": "web"}, "spec": SPEC})
        self.tags = tags.of_pool(CLUSTER, pool["metadata"]["uid"])

    def clock(self):
        return self.now

    def work(self, name=""):
        if name == "" and self.random.random() < 0.5:
            with suppress(KubeError, CloudError, NotLeaderError):
                self.leader.pools.reconcile(("", "web"))
        else:
            super().work(name)

    def the_leader_is_killed(self):
        fate = self.random.choice(["crash before", "crash after"])
        with suppress(Crash):
            self.interrupted(fate)
        self.another_leads()

    def a_call_is_lost(self):
        self.interrupted(self.random.choice(["lost", "answer lost"]))

    def a_pod_comes(self):
        name = self.random.choice(self.names)
        if ("Pod", name) not in self.api.objects:
            never = self.random.random() < 0.2
            self.api.put_pod("node-a", never=never, name=name, wish={EIP_POOL: "web"})

    def a_person_changes_the_pool(self):
        pool = self.api.objects["EIPPool", "web"]
        spec = {**SPEC, "max": self.random.randint(LEAST, MOST)}
        self.api.store(EIPPOOLS, {**pool, "metadata": dict(pool["metadata"]), "spec": spec})

    def the_cloud_works(self):
        self.cloud.settle()

    def a_list_lags(self):
        """The next look shows how it was up to a minute ago."""
        self.history = [(at, eips) for at, eips in self.history if self.now - at < SETTLE]
        if self.history:
            self.cloud.past = self.random.choice(self.history)[1]
            self.cloud.stale_lists = self.random.randint(1, 3)
            self.work()

    def time_passes(self):
        self.now += self.random.choice([1.0, 10.0, 61.0])

    def all_is_well(self):
        self.history.append((self.now, dict(self.cloud.eips)))
        held = self.held().values()
        assert len(held) == len(set(held)), self.claims()
        there = {i for i, e in self.cloud.eips.items() if e.status is not EipStatus.OFFLINING}
        assert set(held) <= there, "what a claim has was released"
        assert len(self.cloud.eips) <= MOST, self.cloud.eips
        assert all(eip.tags == self.tags for eip in self.cloud.eips.values())

    def comes_to_rest(self):
        """Without further trouble every Pod has an EIP, or all of them are taken."""
        self.cloud.stale_lists = 0
        pool = self.api.objects["EIPPool", "web"]
        self.api.store(EIPPOOLS, {**pool, "metadata": dict(pool["metadata"]), "spec": SPEC})
        for _ in range(8):
            self.now += ATTEMPT_WINDOW + SETTLE + 1
            self.cloud.settle()
            for name in ("pool", *self.names):
                self.api.refresh()
                if name == "pool":
                    with suppress(KubeError, CloudError, NotLeaderError):
                        self.leader.pools.reconcile(("", "web"))
                else:
                    self.work(name)
            self.all_is_well()
        held = self.held()
        without = [name for (kind, name) in self.api.objects if kind == "Pod" and name not in held]
        assert not without or len(held) == MOST
        assert len(self.cloud.eips) >= max(LEAST, len(held))


WEIGHTS = {
    ContestedPool.the_leader_works: 10,
    ContestedPool.the_leader_is_overtaken: 4,
    ContestedPool.the_leader_is_killed: 4,
    ContestedPool.a_call_is_lost: 2,
    ContestedPool.a_pod_comes: 6,
    ContestedPool.a_pod_goes: 3,
    ContestedPool.a_person_deletes_a_claim: 1,
    ContestedPool.a_person_changes_the_pool: 3,
    ContestedPool.the_cloud_works: 5,
    ContestedPool.a_list_lags: 3,
    ContestedPool.time_passes: 4,
    ContestedPool.another_leads: 1,
}


@pytest.mark.parametrize("seeds", [range(n, n + 50) for n in range(0, 200, 50)], ids=str)
def test_no_order_of_events_breaks_what_a_pool_promises(seeds):
    for seed in seeds:
        contested = ContestedPool(seed)
        for event in contested.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()), k=80):
            event(contested)
            contested.all_is_well()
        contested.comes_to_rest()
