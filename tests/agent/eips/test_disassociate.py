"""An address gets rid of its EIP only when the cloud is seen to be done with it, and keeps what is wanted."""

from types import SimpleNamespace

import pytest

from ipamd.agent.eips.associate import SETTLE
from ipamd.agent.eips.disassociate import Disassociation
from ipamd.agent.eips.ownership import Disposal
from ipamd.agent.eips.record import EipRecord
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.eip.binding_plan import Disassociate
from ipamd.core.ledger import acquisition, eip_records, ledger
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Binding, BindStage, Cooling, Unbinding
from ipamd.core.model import EipStatus, SandboxKey
from ipamd.core.timing.boottime import Boottime
from ipamd.store.database import Database
from tests.testkit.eips import listed_eip
from tests.testkit.pods import pod_ref

IP, ENI, EIP = "10.0.1.5", "eni-a", "eip-1"
KEY = SandboxKey(container_id="c1", ifname="eth0")
HERE = listed_eip(EIP, EipStatus.BIND, eni_id=ENI, private_ip=IP)
LOOSE = listed_eip(EIP)
ELSEWHERE = listed_eip(EIP, EipStatus.BIND, eni_id="eni-b", private_ip="10.0.2.9")


class Cloud:
    """Shows the EIP as a test says, one look after another, each a second later; the last one stays."""

    def __init__(self):
        self.now, self.shows, self.task_id = 5.0, [HERE], "7"
        self.asked: list[str] = []
        self.waits: list[tuple[str, str, bool]] = []

    def disassociate_eip(self, eip_id, deadline):
        assert not deadline.expired
        self.asked.append(eip_id)
        return self.task_id

    def look(self, _eip_id, _deadline):
        self.now += 1.0
        return self.shows.pop(0) if len(self.shows) > 1 else self.shows[0]

    def wait(self, eip_id, done, deadline, *, action, task_id, certain=False):
        self.waits.append((action, task_id, certain))
        for _ in range(20):
            seen = self.look(eip_id, deadline)
            if done(seen):
                return seen
        raise AssertionError(f"{action} is waited for without an end")


class Node:
    """Its Pod went, and the address waits for its EIP to be unbound."""

    def __init__(self, database):
        self.shared_ledger = SharedLedger(database, Ledger(), clock=lambda: Boottime(1000.0))
        self.cloud = Cloud()
        self.disposal, self.judged = Disposal.UNBIND, 0
        now = self.shared_ledger.now()
        self.shared_ledger.apply(lambda current: ledger.adopt(current, ENI, [IP], now))
        record = Binding(eip_id=EIP, public_ip="198.18.0.1", stage=BindStage.BINDING)
        attachment = acquisition.Attachment(key=KEY, pod=pod_ref())
        for change in (
            lambda current: acquisition.acquire(current, attachment, 30.0, now),
            lambda current: eip_records.begin_bind(current, IP, record),
            lambda current: eip_records.confirm_bound(current, IP, EIP),
            lambda current: ledger.release(current, KEY, None, 30.0, now),
        ):
            self.shared_ledger.apply(change)
        self.disassociation = Disassociation(
            cloud=self.cloud,
            confirmation=self.cloud,
            ownership=SimpleNamespace(disposal=self.judge),
            record=EipRecord(self.shared_ledger, SimpleNamespace(), PodLocks(), cooldown=30.0),
            monotonic=lambda: self.cloud.now,
        )

    def judge(self, address, record):
        assert (address.ip, record.eip_id) == (IP, EIP)
        self.judged += 1
        return self.disposal

    @property
    def address(self):
        return self.shared_ledger.current.addresses[IP]

    def disassociate(self, *, certain=True, address=None):
        action = Disassociate(address=address or self.address, why="nobody wants it", certain=certain)
        self.disassociation.disassociate(action)


@pytest.fixture
def node(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Node(database)


def test_the_address_is_free_of_it_once_the_task_is_over_and_the_cloud_shows_it_gone(node):
    node.cloud.shows = [HERE, HERE, HERE, LOOSE]

    node.disassociate()

    assert node.cloud.asked == [EIP]
    assert node.cloud.waits == [("DisassociateAddress", "7", True)]
    assert node.address.eip is None
    assert isinstance(node.address.state, Cooling)
    assert node.judged == 0, "nobody is asked about what is certain"


@pytest.mark.parametrize(
    ("disposal", "is_left"), [(Disposal.KEEP, True), (Disposal.UNBIND, False), (Disposal.FORGET, False)]
)
def test_what_is_not_certain_is_judged_first(node, disposal, is_left):
    node.disposal = disposal
    node.cloud.shows = [HERE, LOOSE]

    node.disassociate(certain=False)

    assert node.judged == 1
    assert (node.address.eip is not None) is is_left
    assert node.cloud.asked == ([EIP] if disposal is Disposal.UNBIND else [])


def test_an_address_that_has_another_owner_by_now_is_left_alone(node):
    before = node.address
    changed = SimpleNamespace(**{name: getattr(before, name) for name in ("ip", "eni_id", "eip")})
    changed.pod = pod_ref("former")

    node.disassociate(address=changed)

    assert node.cloud.asked == []
    assert node.address == before


def test_an_address_without_an_eip_has_nothing_to_unbind(node):
    before = node.address
    bare = SimpleNamespace(ip=IP, eni_id=ENI, eip=None, pod=None)

    node.disassociate(address=bare)

    assert (node.cloud.asked, node.address) == ([], before)


@pytest.mark.parametrize("shown", [LOOSE, ELSEWHERE, None])
def test_one_that_is_not_seen_here_is_not_unbound_and_is_looked_at_until_no_request_can_be_under_way(
    node, shown
):
    node.cloud.shows = [shown]
    began = node.cloud.now

    node.disassociate()

    assert node.cloud.asked == [], "it may be somebody else's by now"
    assert node.cloud.waits == [("AssociateAddress", "", False)]
    assert node.cloud.now == began + 1.0 + SETTLE, "after the first look, and no longer"
    assert node.address.eip is None


def test_one_that_appears_here_meanwhile_is_unbound_after_all(node):
    node.cloud.shows = [LOOSE, LOOSE, HERE, HERE, LOOSE]

    node.disassociate()

    assert node.cloud.asked == [EIP]
    assert [action for action, *_ in node.cloud.waits] == ["AssociateAddress", "DisassociateAddress"]
    assert node.address.eip is None


def test_where_the_cloud_was_not_asked_its_answer_is_not_believed_at_once(node):
    node.cloud.task_id = ""
    node.cloud.shows = [HERE, LOOSE]

    node.disassociate()

    assert [action for action, *_ in node.cloud.waits] == ["DisassociateAddress", "AssociateAddress"]
    assert node.address.eip is None


def test_until_then_the_record_says_that_it_is_being_unbound(node):
    class LostError(Exception):
        pass

    def lost(*_, **__):
        raise LostError

    node.cloud.disassociate_eip = lost

    with pytest.raises(LostError):
        node.disassociate()

    assert node.address.eip.stage is BindStage.UNBINDING
    assert isinstance(node.address.state, Unbinding), "no Pod gets it"
