"""What nobody owns is taken out of the kernel, also while somebody has the turn of another address."""

import time

import pytest

from ipamd.agent.enis import NodeEnis
from ipamd.agent.node.repair import Repairing
from ipamd.agent.shared_ledger import AddressBook
from ipamd.agent.turns import Turns
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Cooling, Occupied, Warm
from ipamd.core.timing.boottime import Boottime
from ipamd.core.timing.deadline import Deadline
from ipamd.store.database import Database

pytestmark = pytest.mark.netns
LEFT, FREE = "10.0.1.100", "10.0.1.101"
LONG_AGO = Boottime(1.0)


def test_the_turn_of_an_address_whose_occupant_left_does_not_hold_up_the_rest(world, tmp_path, caplog):
    world.add_pod(FREE)
    occupied = Occupied(host_interface="eni0123456789a", pod=None, since=LONG_AGO)
    states = {LEFT: occupied, FREE: Warm(since=LONG_AGO)}
    ledger = Ledger.of(
        Address(ip=ip, eni_id="eni-1", state=state, added_at=LONG_AGO) for ip, state in states.items()
    )
    with Database(tmp_path / "ipamd.db") as database:
        book, turns = AddressBook(database, ledger), Turns()
        repairing = Repairing(
            book=book,
            # Nobody in this ledger has a sandbox, so no ENI is asked for.
            enis=NodeEnis(instance=None, adapters=None),
            dataplane=world.dataplane,
            turns=turns,
            are_under_way=lambda _: False,
            cooldown=30.0,
        )
        with turns.of_address(LEFT, Deadline.after(1.0, time.monotonic)):
            found = world.on_node(repairing.repair)

        assert found.removed == 1
        assert world.snapshot().links == ()
        assert book.ledger.addresses[LEFT].state == occupied
        assert f"{LEFT}, whose occupant has left, could not be freed" in caplog.text
        world.on_node(repairing.repair)
        assert isinstance(book.ledger.addresses[LEFT].state, Cooling)
