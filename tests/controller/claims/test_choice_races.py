"""Pods that want the same EIPs, leaders that replace each other in mid-choice: no EIP goes twice."""

from dataclasses import replace

import pytest

from ipamd.core.kubernetes.annotation_names import EIP_ID_LIST
from ipamd.core.model import Eip, EipStatus
from tests.controller.contest import Contest

EIPS = ("eip-aaaaaaaa", "eip-bbbbbbbb")


class ContestedEips(Contest):
    """Five names and two EIPs."""

    names = ("x", "y", "z", "api-0", "api-1")

    def __init__(self, seed):
        super().__init__(seed)
        for number, eip_id in enumerate(EIPS, 1):
            self.cloud.eips[eip_id] = Eip(
                eip_id=eip_id, public_ip=f"198.18.0.{number}", status=EipStatus.UNBIND
            )

    def a_pod_comes(self):
        name = self.random.choice(self.names)
        if ("Pod", name) not in self.api.objects:
            ids = self.random.sample(EIPS, self.random.randint(1, 2))
            wish = {EIP_ID_LIST: ",".join(ids)}
            self.api.put_pod("node-a", never=self.random.random() < 0.3, name=name, wish=wish)

    def no_eip_is_in_two_claims(self):
        held = self.held().values()
        assert len(held) == len(set(held)), self.claims()

    def comes_to_rest(self):
        """Without further trouble every EIP that somebody may have and waits for has been given."""
        for _ in range(6):
            for name in self.names:
                self.api.refresh()
                self.work(name)
        held = set(self.held().values())
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


def test_a_choice_on_an_old_copy_of_a_claim_keeps_no_eip_from_others():
    """Once failed: the other Pod waited for an EIP that nobody had, for as long as the first one lived."""
    contested = ContestedEips(1)
    for name in ("x", "y"):
        contested.api.put_pod("node-a", never=False, name=name, wish={EIP_ID_LIST: ",".join(EIPS)})
    contested.api.refresh()
    contested.leader.reconciler.reconcile(("default", "x"))
    fresh = contested.claims()[0]
    contested.api.refresh()
    contested.api.cached["EIPClaim", "x"]["status"].pop("address")
    contested.api.cached["EIPClaim", "x"]["metadata"]["resourceVersion"] = "old"

    for _ in range(8):  # the lot falls on both EIPs
        contested.work("x")
    contested.api.refresh()
    contested.work("y")

    held = contested.held()
    assert held["x"] == fresh.address.eip_id
    assert set(held.values()) == set(EIPS)


def test_a_claim_whose_eip_is_just_being_unbound_looks_again_ever_more_seldom():
    contested = ContestedEips(1)
    only = EIPS[0]
    contested.cloud.eips[only] = replace(contested.cloud.eips[only], status=EipStatus.UNBINDING)
    contested.api.put_pod("node-a", never=False, name="x", wish={EIP_ID_LIST: only})
    contested.api.refresh()

    outcome = contested.leader.reconciler.reconcile(("default", "x"))

    assert outcome.failed, "what has failed is repeated after a growing pause"
    assert outcome.requeue_after
    assert contested.held() == {}
