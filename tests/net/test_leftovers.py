"""What nobody owns is taken out of the kernel, also while somebody has the turn of another address."""

import contextlib
import time

import pytest

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.enis import NodeEnis
from ipamd.agent.node.repair import Repair
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Cooling, Occupied, Warm
from ipamd.core.model import SandboxKey
from ipamd.core.timing.boottime import Boottime
from ipamd.core.timing.deadline import Deadline
from ipamd.net import links
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.runtime import failpoints
from ipamd.store.database import Database
from tests.net.world import end_of

pytestmark = pytest.mark.netns
LEFT, FREE = "10.0.1.100", "10.0.1.101"
LONG_AGO = Boottime(1.0)


@pytest.fixture
def book_of(tmp_path):
    """Gives a ledger with addresses in the states that are named."""
    with contextlib.ExitStack() as stack:

        def made(states):
            database = stack.enter_context(Database(tmp_path / "ipamd.db"))
            known = (
                Address(ip=ip, eni_id="eni-1", state=state, added_at=LONG_AGO) for ip, state in states.items()
            )
            return SharedLedger(database, Ledger.of(known))

        yield made


def repairing_of(world, shared_ledger, *, locks=None, pending=None):
    return Repair(
        shared_ledger=shared_ledger,
        # Nobody in these ledgers has a sandbox, so no ENI is asked for.
        enis=NodeEnis(
            instance=None,
            cloud=None,
            dataplane=world.dataplane,
            shared_ledger=shared_ledger,
            database=None,
            unknown_owners=None,
            exclusive=None,
            departures=None,
        ),
        dataplane=world.dataplane,
        locks=locks or PodLocks(),
        pending=pending or PendingAdds(),
        cooldown=30.0,
    )


def link_names(world):
    return [link.name for link in world.snapshot().links]


def test_the_turn_of_an_address_whose_occupant_left_does_not_hold_up_the_rest(world, book_of, caplog):
    world.add_pod(FREE)
    occupied = Occupied(
        host_interface="eni0123456789a", host_mac="0a:e2:01:02:03:04", pod=None, since=LONG_AGO
    )
    shared_ledger, locks = book_of({LEFT: occupied, FREE: Warm(since=LONG_AGO)}), PodLocks()
    repairing = repairing_of(world, shared_ledger, locks=locks)
    with locks.of_address(LEFT, Deadline.after(1.0, time.monotonic)):
        found = world.on_node(repairing.repair)

    assert found.removed == 1
    assert world.snapshot().links == ()
    assert shared_ledger.current.addresses[LEFT].state == occupied
    assert f"{LEFT}, whose occupant has left, could not be freed" in caplog.text
    world.on_node(repairing.repair)
    assert isinstance(shared_ledger.current.addresses[LEFT].state, Cooling)


@pytest.mark.parametrize("alias", ["", f"tke-eni pod-{FREE} eth0 default/web-0 uid {FREE}"])
def test_a_link_that_nothing_leads_to_and_nobody_has_is_removed(world, book_of, alias):
    world.add_pod(FREE, alias=alias)
    world.node.run("ip", "route", "del", FREE)

    found = world.on_node(repairing_of(world, book_of({FREE: Warm(since=LONG_AGO)})).repair)

    assert world.snapshot().links == ()
    assert world.snapshot().pod_marks == {}
    assert found.removed == (1 if alias else 2), "without an alias the address is cleared by itself"


@pytest.mark.parametrize("tells", ["route", "alias"])
def test_a_link_of_an_address_that_the_ledger_lacks_may_be_alive_and_stays(world, book_of, tells):
    world.add_pod(FREE, alias=f"tke-eni pod-{FREE} eth0 default/web-0 uid {FREE}" if tells == "alias" else "")
    if tells == "alias":
        world.node.run("ip", "route", "del", FREE)

    found = world.on_node(repairing_of(world, book_of({LEFT: Warm(since=LONG_AGO)})).repair)

    assert found.removed == 0
    assert link_names(world) == [end_of(FREE).name]
    assert set(world.snapshot().pod_marks) == {FREE}


def test_a_link_that_an_add_is_making_stays_whatever_the_ledger_has(world, book_of):
    wiring = world.wiring(world.sandbox(), FREE)
    pending = PendingAdds()
    repairing = repairing_of(world, book_of({FREE: Warm(since=LONG_AGO)}), pending=pending)
    key = SandboxKey(container_id=f"pod-{FREE}", ifname="eth0")

    def repaired_meanwhile():
        with pending.begun(key, lambda: False, LONG_AGO), world.dataplane.prepared_pod(wiring):
            repairing.repair()
            return [link.name for link in world.dataplane.snapshot().links]

    assert world.on_node(repaired_meanwhile) == [wiring.host_veth]


class FirstLink:
    """Sees what stands beside a link right after it was made."""

    def __init__(self) -> None:
        self.alias = ""

    def before(self, step: str) -> None:
        """Nothing is there yet."""

    def after(self, step: str, seconds: float, error: BaseException | None) -> None:
        with NetlinkSocket(ROUTE) as channel:
            found = [link for link in links.listed(channel) if link.name == end_of(FREE).name]
        if found and not self.alias:
            self.alias = found[0].alias or "none"


def test_a_link_tells_its_sandbox_from_its_first_moment(world):
    """A process that dies while it wires a Pod leaves no link that does not tell whose it is."""
    alias = f"tke-eni pod-{FREE} eth0 default/web-0 uid {FREE}"
    first = FirstLink()
    leave = failpoints.listen(first)
    try:
        world.add_pod(FREE, alias=alias)
    finally:
        leave()

    assert first.alias == alias
