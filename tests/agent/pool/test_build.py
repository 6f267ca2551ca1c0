"""What the pool has to keep to, from flags, the CVM and the node's own configuration."""

from types import SimpleNamespace

import pytest

from ipamd.agent.pool.build import figures, terms_of
from ipamd.core import model, pool
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Cooling, Occupied, Warm
from tests.testkit.pods import pod_ref

LIMITS = model.EniLimits(enis=4, ips_per_eni=10)
TARGETS = pool.Targets(min_warm=5, max_warm=6, release_interval=7.0)
OCCUPIED = Occupied(host_interface="veth", host_mac="0a:e2:00:00:00:01", pod=None, since=1.0)


def terms(foreign=0, *, disabled=False):
    settings = SimpleNamespace(targets=TARGETS, ip_cooldown=30.0)
    chosen = SimpleNamespace(
        min_warm=1,
        max_warm=2,
        desired=3,
        disabled=disabled,
        within=lambda limits: limits,
        source=lambda name: f"the {name} of NodeENIConfig all",
    )
    facts = SimpleNamespace(current=SimpleNamespace(limits=LIMITS))
    return terms_of(settings, facts, SimpleNamespace(current=chosen), foreign)


@pytest.mark.parametrize(("foreign", "left"), [(0, 4), (1, 3), (3, 1), (4, 1), (9, 1)])
def test_enis_of_others_take_their_share_but_for_the_primary_one(foreign, left):
    assert terms(foreign).limits == model.EniLimits(enis=left, ips_per_eni=10)


def test_the_targets_are_the_node_s_own_and_the_rest_the_flags():
    found = terms()

    assert found.targets == pool.Targets(min_warm=1, max_warm=2, desired=3, release_interval=7.0)
    assert (found.cooldown, found.disabled_by) == (30.0, "")


def test_a_disabled_node_wants_no_address_and_gives_back_what_it_has_quickly():
    found = terms(disabled=True)

    assert found.targets == pool.Targets(min_warm=0, max_warm=0, release_interval=7.0, quick_release=True)
    assert found.disabled_by == "the disabled of NodeENIConfig all"


def test_addresses_are_told_by_what_is_used_and_free():
    key = model.SandboxKey(container_id="c1", ifname="eth0")
    used = Assigned(key=key, pod=pod_ref(), since=1.0, host_interface="veth", host_mac="")
    states = (used, OCCUPIED, Cooling(until=9.0), Warm(since=1.0), Warm(since=1.0), Warm(since=1.0))
    ledger = Ledger.of(
        Address(ip=f"10.0.1.{number}", eni_id="eni-1", state=state, added_at=0.0)
        for number, state in enumerate(states)
    )

    made = SimpleNamespace(terms=SimpleNamespace(limits=LIMITS))

    assert figures(SimpleNamespace(current=ledger), made) == "2 of 27 addresses in use, 3 free"
