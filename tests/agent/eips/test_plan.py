"""What is due before the watches have caught up, and whose claim waits for an action that failed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.eips.plan import BindingPlan
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.eip import binding_plan
from ipamd.core.ledger import acquisition, ledger, states
from ipamd.store.database import Database
from tests.testkit import claims
from tests.testkit.claims import OWN
from tests.testkit.pods import pod_ref

NODE, IP, NOW = "node-1", "10.0.1.10", 1000.0
KEY = model.SandboxKey(container_id="c1", ifname="eth0")


def claim(**changes):
    return claims.claim(**{"node": NODE, "pod": ClaimPod(uid="u1", node=NODE), "address": OWN, **changes})


def assigned(stage=None, *, of="default/web-0", eip_id="eip-1"):
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP], NOW).ledger
    current = acquisition.acquire(
        current, acquisition.Attachment(key=KEY, pod=pod_ref(uid="u1")), 30.0, NOW
    ).ledger
    if stage is None:
        return current
    binding = states.Binding(eip_id=eip_id, public_ip="", stage=stage, claim=of)
    return current.changed(replace(current.addresses[IP], eip=binding)).ledger


def freed(current):
    return ledger.release(current, KEY, None, 30.0, NOW).ledger


@pytest.fixture
def plan(tmp_path):
    """Compare a ledger with claims, which the watches have read or not."""
    with Database(tmp_path / "ipamd.db") as database:

        def make(current, *known, informed=True, enis_known=True):
            by_name = {(each.namespace, each.name): each for each in known}
            source = SimpleNamespace(
                all=lambda: known,
                known=lambda pod: by_name.get((pod.namespace, pod.name)),
                has_synced=informed,
                is_empty=not known,
            )
            pods = SimpleNamespace(known=lambda _: None, has_synced=informed)
            enis = SimpleNamespace(are_known=enis_known)
            return BindingPlan(
                NODE, shared_ledger=SharedLedger(database, current), claims=source, pods=pods, enis=enis
            )

        yield make


def kinds(due):
    return [type(action) for action in due.actions]


def test_nothing_is_due_before_it_is_known_which_addresses_the_node_has(plan):
    assert plan(freed(assigned(states.BindStage.BOUND)), enis_known=False).due() is None


def test_a_node_without_claims_and_eips_needs_no_comparison(plan):
    assert plan(assigned()).is_needless
    assert not plan(assigned(), claim()).is_needless
    assert not plan(freed(assigned(states.BindStage.BOUND))).is_needless


def test_what_needs_no_claim_is_due_before_the_watches_have_read_them(plan):
    for current in (freed(assigned(states.BindStage.BOUND)), assigned(states.BindStage.UNBINDING)):
        assert kinds(plan(current, informed=False).due()) == [binding_plan.Disassociate]


@pytest.mark.parametrize(
    ("current", "known"),
    [
        (assigned(), claim()),
        (assigned(states.BindStage.BOUND), claim()),
        (assigned(states.BindStage.BOUND), claim(deleting=True)),
        (freed(assigned(states.BindStage.BOUND, of="")), claim(name="other", address=None)),
    ],
    ids=["bind", "publish", "a deleted claim", "an EIP of nobody known"],
)
def test_all_else_waits_until_they_have(plan, current, known):
    assert plan(current, known, informed=True).due().actions
    assert plan(current, known, informed=False).due().actions == ()


def test_a_claim_waits_for_its_own_bind_that_fails(plan):
    current = assigned()
    made = plan(current, claim())
    (bind,) = made.due().actions

    assert made.kept_waiting(bind, pod_ref(uid="u1")) == claim()


def test_a_claim_waits_for_another_eip_to_leave_and_not_for_its_own(plan):
    def waits(eip_id, *known):
        current = freed(assigned(states.BindStage.BOUND, eip_id=eip_id))
        unbind = binding_plan.Disassociate(address=current.addresses[IP], why="", certain=True)
        return plan(current, *known).kept_waiting(unbind, pod_ref(uid="u1"))

    assert waits("eip-other", claim()) == claim()
    assert waits("eip-1", claim()) is None
    assert waits("eip-other", claim(address=None)) is None
    assert waits("eip-other") is None


def test_nobody_waits_for_what_only_tells(plan):
    clear = binding_plan.ClearPublishedBinding(claim=claim())

    assert plan(assigned(), claim()).kept_waiting(clear, pod_ref(uid="u1")) is None
