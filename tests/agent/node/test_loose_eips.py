"""An EIP that somebody has unbound is a repair once it is bound again."""

from dataclasses import replace

import pytest

from ipamd.agent.node.loose_eips import LooseEips
from ipamd.core.ledger import eip_records, states
from ipamd.core.ledger.ledger import Transition
from tests.core.ledger.test_drift import IP, POD, with_a_pod

LOOSE = {POD: "somebody has unbound EIP 203.0.113.1"}


class Shared:
    """A shared ledger without a disk."""

    def __init__(self):
        self.current = with_a_pod()
        self.listeners = []

    def on_change(self, listener):
        self.listeners.append(listener)

    def become(self, transition: Transition):
        self.current = transition.ledger
        for listener in self.listeners:
            listener()


@pytest.fixture
def shared():
    return Shared()


@pytest.fixture
def told():
    return []


def unbind(shared):
    address = shared.current.addresses[IP]
    loose = replace(address.eip, stage=states.BindStage.BINDING)
    shared.become(shared.current.changed(replace(address, eip=loose)))


def test_it_waits_until_it_is_bound_again_and_then_it_is_a_repair(shared, told):
    eips = LooseEips(shared, told.append)
    unbind(shared)

    eips.found(LOOSE)

    assert (eips.waiting(), told) == (LOOSE, [])
    shared.become(eip_records.confirm_bound(shared.current, IP, "eip-1"))
    assert eips.waiting() == {}
    assert [str(repair) for repair in told] == [f"EipNotBound eip/{POD}: {LOOSE[POD]}"]


def test_one_that_was_bound_again_before_it_was_told_of_is_a_repair_too(shared, told):
    LooseEips(shared, told.append).found(LOOSE)

    assert len(told) == 1


def test_one_whose_pod_goes_is_forgotten(shared, told):
    eips = LooseEips(shared, told.append)
    unbind(shared)
    eips.found(LOOSE)

    shared.become(shared.current.changed(replace(shared.current.addresses[IP], eip=None)))

    assert (eips.waiting(), told) == ({}, [])
