"""DEL beside an ADD of its sandbox: what that acquires on its way ends, and nobody else is waited for."""

import threading
import time

import pytest

from ipamd.agent.cni.delete import Delete
from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.release import SandboxRelease
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cni import netconf
from ipamd.core.cni.errors import CniError
from ipamd.core.cni.requests import DelRequest
from ipamd.core.errors import KernelError
from ipamd.core.ledger.holds import HoldTimes
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Cooling, Warm, moved
from ipamd.core.model import SandboxKey
from ipamd.core.timing.boottime import Boottime
from ipamd.core.timing.deadline import Deadline
from ipamd.store.database import Database
from tests.testkit.pods import pod_ref

IP = "10.0.1.10"
KEY = SandboxKey(container_id="c1", ifname="eth0")
OWNED = Assigned(
    key=KEY, pod=pod_ref(), since=1.0, host_interface="veth", host_mac="0a:e2:00:00:00:01", netns="/n"
)
FREE = Warm(since=1.0)
REQUEST = DelRequest(
    conf=netconf.parse(b'{"cniVersion": "1.1.0", "name": "n", "type": "tke-route-eni"}'),
    key=KEY,
    pod=None,
)


def soon(seconds=10.0):
    return Deadline.after(seconds, time.monotonic)


class Plane:
    """The kernel's side: which addresses were cut off, and whether it refuses that."""

    def __init__(self):
        self.cut: list[str] = []
        self.error: KernelError | None = None

    def cut_pod(self, ip, host_end):
        assert host_end == OWNED.host_end
        if self.error:
            raise self.error
        self.cut.append(ip)


class Locks(PodLocks):
    """Locks in front of which a DEL waits until an ADD has had its turn, if a test says what that does."""

    def __init__(self):
        super().__init__()
        self.turn_before = None

    def of_sandbox(self, key, deadline):
        if self.turn_before:
            self.turn_before()
        return super().of_sandbox(key, deadline)


class NoPods:
    """A watch that has not shown anything."""

    has_synced = False

    def known(self, pod):
        return None


class Node:
    def __init__(self, database, state=FREE):
        self.plane, self.locks, self.pending = Plane(), Locks(), PendingAdds()
        address = Address(ip=IP, eni_id="eni-1", state=state, added_at=0.0)
        self.ledger = SharedLedger(database, Ledger.of([address]), clock=lambda: Boottime(100.0))
        self.verb = Delete(
            shared_ledger=self.ledger,
            releasing=SandboxRelease(
                shared_ledger=self.ledger,
                dataplane=self.plane,
                pods=NoPods(),
                exclusive=None,
                locks=self.locks,
                holds=HoldTimes(pod=0.0, retained=0.0),
                cooldown=30.0,
            ),
            locks=self.locks,
            pending=self.pending,
        )

    @property
    def address(self):
        return self.ledger.current.addresses[IP]

    def assign(self):
        self.ledger.apply(lambda current: current.changed(moved(self.address, OWNED)))


@pytest.fixture
def database(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield database


def test_an_address_is_cut_off_and_let_go(database):
    node = Node(database, OWNED)

    node.verb.delete(REQUEST, soon())

    assert node.plane.cut == [IP]
    assert node.address.state == Cooling(until=130.0)


def test_what_an_add_acquires_while_the_del_waits_for_its_turn_is_let_go_too(database):
    node = Node(database)
    node.locks.turn_before = node.assign

    with node.pending.begun(KEY, lambda: False, 1.0) as add:
        node.verb.delete(REQUEST, soon())

    assert add.is_over
    assert node.plane.cut == [IP]
    assert node.address.state == Cooling(until=130.0)


def test_a_sandbox_of_which_nothing_is_here_waits_for_nobody(database):
    node = Node(database)

    with node.locks.of_sandbox(KEY, soon()):
        node.verb.delete(REQUEST, soon(0.0))

    assert (node.plane.cut, node.address.state) == ([], FREE)


def test_an_add_that_waits_for_an_address_hears_at_once_that_its_sandbox_is_deleted(database):
    node, looks, patience = Node(database), [], soon(20.0)

    with node.pending.begun(KEY, lambda: False, 1.0) as add:
        deleting = threading.Thread(target=node.verb.delete, args=(REQUEST, soon()))

        def over(_):
            looks.append(add.is_over)
            if len(looks) == 1:
                deleting.start()
            return looks[-1]

        assert node.ledger.wait(over, patience)
        deleting.join(10)

    assert looks == [False, True]
    assert patience.remaining() > 0, "it was woken, and did not look because its time was over"


def test_a_kernel_that_refuses_has_the_runtime_come_again(database):
    node = Node(database, OWNED)
    node.plane.error = KernelError("the link is busy", errno=16)

    with pytest.raises(CniError, match="DEL of Pod default/web-0: unwiring the Pod: the link is busy"):
        node.verb.delete(REQUEST, soon())

    assert node.address.state == OWNED
