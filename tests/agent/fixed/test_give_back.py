"""A fixed address is given back only when nobody wants it here, and its binding leaves the claim last."""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.fixed.give_back import FixedReturn
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import acquisition, fixed_addresses
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Assigned, Binding, BindStage, Held, Unassigning
from ipamd.core.model import Eni, EniAddress, EniState, IpState, SandboxKey
from ipamd.core.timing.boottime import Boottime
from ipamd.core.vpc_ip.attach_actions import DetachEni, LetGo, UnassignFixed
from ipamd.store.database import Database
from tests.testkit.pods import pod_ref
from tests.testkit.vpc_ip_claims import ADDRESS, IP, ON_B, UID, told_claim

POD = pod_ref("web-0", "pod-1")
ENI = "eni-1"
WANTED = told_claim()
ELSEWHERE = told_claim(pod=ClaimPod(uid="pod-2", node="node-b"))


class Cloud:
    def __init__(self):
        self.eni, self.taken_off = None, []

    def describe_eni(self, eni_id):
        return self.eni if self.eni is not None and self.eni.eni_id == eni_id else None

    def unassign_ips(self, eni_id, ips, deadline):
        assert not deadline.expired
        self.taken_off.append((eni_id, ips))


class Node:
    """A node that holds the claim's address for its Pod; a test says what claim and cloud have."""

    def __init__(self, database):
        self.shared_ledger = SharedLedger(database, Ledger(), clock=lambda: Boottime(1000.0))
        self.cloud, self.claim, self.asked = Cloud(), WANTED, []
        self.told: list[tuple[object, ...]] = []
        self.turns: list[str] = []
        self.give_back = FixedReturn(
            node="node-a",
            cloud=self.cloud,
            enis=SimpleNamespace(
                enis={ENI: "ours"},
                look=lambda _: self.told.append(("look",)),
                departures=SimpleNamespace(note_addresses=lambda *what: self.told.append(("left", *what))),
            ),
            turns=SimpleNamespace(turn=self.turn),
            shared_ledger=self.shared_ledger,
            claims=SimpleNamespace(live=self.live),
            announcer=SimpleNamespace(withdraw=self.withdraw),
            detachment=SimpleNamespace(
                detach=lambda action: self.told.append(("detach", action.address.ip)),
                see_gone=lambda claim: self.told.append(("see gone", claim.uid)),
                see_eip_told=lambda claim: self.told.append(("see EIP told", claim.uid)),
            ),
            monotonic=lambda: 5.0,
        )
        hold = fixed_addresses.FixedHold(claim_uid=UID, pod=POD, until=Boottime(1300.0))
        self.change(lambda now: fixed_addresses.begin_assign(now, IP, ENI, hold, Boottime(900.0)))
        self.change(lambda now: fixed_addresses.confirm_assigned(now, IP, UID))

    def change(self, transition):
        return self.shared_ledger.apply(transition)

    @contextlib.contextmanager
    def turn(self, eni_id, deadline):
        self.turns.append(eni_id)
        yield

    def live(self, namespace, name):
        self.asked.append((namespace, name))
        return self.claim

    def withdraw(self, claim, is_here):
        self.told.append(("withdrawn", claim.uid, is_here(claim)))

    @property
    def address(self):
        return self.shared_ledger.current.addresses.get(IP)

    def let_go(self, *, certain=False):
        self.give_back.let_go(LetGo(address=self.address, why="nobody wants it", certain=certain))

    def unassign(self):
        self.let_go(certain=True)
        self.give_back.unassign(UnassignFixed(address=self.address))

    def lists(self, *ips, instance_id="ins-1", eni_id=ENI):
        self.cloud.eni = Eni(
            eni_id=eni_id,
            mac="20:90:6f:00:00:01",
            vpc_id="vpc-1",
            subnet_id="subnet-a",
            primary=False,
            state=EniState.AVAILABLE,
            instance_id=instance_id,
            addresses=tuple(EniAddress(ip=ip, primary=False, state=IpState.AVAILABLE) for ip in ips),
            tags={},
        )


@pytest.fixture
def node(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Node(database)


def test_what_is_known_to_be_unwanted_is_let_go_without_a_look_at_the_claim(node):
    node.let_go(certain=True)

    assert node.asked == []
    assert isinstance(node.address.state, Unassigning)


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param(None, id="it is gone"),
        pytest.param(replace(WANTED, uid="claim-2"), id="another has its name"),
        pytest.param(replace(WANTED, deleting=True), id="it is being deleted"),
        pytest.param(replace(WANTED, address=None), id="it has no address any more"),
        pytest.param(replace(WANTED, address=replace(ADDRESS, ip="10.0.1.99")), id="it has another address"),
        pytest.param(ELSEWHERE, id="its Pod is elsewhere"),
    ],
)
def test_what_may_be_unwanted_is_let_go_once_the_live_claim_does_not_want_it_here(node, claim):
    node.claim = claim

    node.let_go()

    assert node.asked == [("default", "web-0")]
    assert isinstance(node.address.state, Unassigning)


def test_what_the_live_claim_wants_here_is_held_on(node):
    with pytest.raises(TryAgainError, match=f"{IP} is held on, as its VpcIPClaim wants it here"):
        node.let_go()

    assert isinstance(node.address.state, Held)


@pytest.mark.parametrize(
    ("claim", "stage"),
    [
        pytest.param(ELSEWHERE, BindStage.BOUND, id="it goes with the ENI to the next node"),
        pytest.param(replace(ELSEWHERE, deleting=True), BindStage.UNBINDING, id="the claim is being deleted"),
        pytest.param(None, BindStage.UNBINDING, id="the claim is gone"),
    ],
)
def test_the_eip_at_an_address_goes_along_if_a_claim_is_left_to_have_it(node, claim, stage):
    eip = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.BOUND, claim="default/web-0")
    whole = replace(node.address, exclusive=True, eip=eip)
    node.change(lambda now: now.changed(whole))
    node.claim = claim

    node.let_go()

    assert node.address.eip.stage is stage


def test_what_a_pod_has_by_now_stays_its_own(node):
    held = node.address
    attachment = acquisition.Attachment(
        key=SandboxKey(container_id="c1", ifname="eth0"), pod=POD, fixed_ip=IP
    )
    node.change(lambda now: acquisition.acquire(now, attachment, 30.0, Boottime(1000.0)))

    node.give_back.let_go(LetGo(address=held, why="nobody wants it", certain=True))

    assert isinstance(node.address.state, Assigned)


def test_an_address_is_taken_off_in_its_enis_turn_and_is_noted_as_gone_before_it_is_forgotten(node):
    node.unassign()

    assert node.turns == [ENI]
    assert node.cloud.taken_off == [(ENI, (IP,))]
    assert node.told == [("left", ENI, IP)]
    assert node.address is None


def test_the_binding_is_withdrawn_without_a_look_after_this_process_has_taken_the_address_off(node):
    node.unassign()
    node.lists(IP)  # a list that lags
    node.told.clear()

    node.give_back.withdraw(WANTED)

    assert node.told == [("withdrawn", UID, False)]


def test_that_is_known_once_and_of_that_address_only(node):
    node.unassign()
    node.lists("10.0.1.99")
    other = replace(WANTED, address=replace(ADDRESS, ip="10.0.1.99"))
    with pytest.raises(TryAgainError):
        node.give_back.withdraw(other)

    node.give_back.withdraw(WANTED)

    node.lists(IP)
    with pytest.raises(TryAgainError):
        node.give_back.withdraw(WANTED)


@pytest.mark.parametrize(("kept", "is_seen"), [({UID}, False), ({"claim-2"}, True)])
def test_that_is_forgotten_with_its_claim(node, kept, is_seen):
    node.unassign()
    node.lists(IP)

    node.give_back.keep_only(kept)

    with pytest.raises(TryAgainError) if is_seen else contextlib.nullcontext():
        node.give_back.withdraw(WANTED)


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param((), id="the ENI has no address"),
        pytest.param(("10.0.1.51", "10.0.1.52"), id="it has others"),
        pytest.param(None, id="there is no such ENI"),
    ],
)
def test_the_binding_is_withdrawn_once_the_eni_is_seen_without_the_address(node, listed):
    if listed is not None:
        node.lists(*listed)

    node.give_back.withdraw(WANTED)

    assert node.told == [("withdrawn", UID, True)], "what the ledger has is for the writer to judge"


@pytest.mark.parametrize("changes", [{"binding": None}, {"address": None}])
def test_a_claim_that_names_no_eni_or_no_address_has_nothing_to_be_seen(node, changes):
    node.lists(IP)

    node.give_back.withdraw(replace(WANTED, **changes))

    assert [what for what, *_ in node.told] == ["withdrawn"]


def test_an_address_that_is_still_at_an_eni_of_the_node_is_recorded_first(node):
    node.lists("10.0.1.51", IP)

    with pytest.raises(TryAgainError, match=f"{IP} of VpcIPClaim default/web-0 is at {ENI}: recorded now"):
        node.give_back.withdraw(WANTED)

    assert node.told == [("look",)]
    assert node.cloud.taken_off == []


def test_an_address_at_an_eni_that_no_cvm_has_is_taken_off_in_the_place_of_the_one_that_had_it(node):
    claim = replace(WANTED, binding=ON_B)
    node.lists(IP, instance_id="", eni_id=ON_B.eni_id)

    with pytest.raises(TryAgainError, match=f"is taken off {ON_B.eni_id}, which no CVM has"):
        node.give_back.withdraw(claim)

    assert node.cloud.taken_off == [(ON_B.eni_id, (IP,))]
    assert node.told == []


def test_an_address_at_an_eni_of_another_cvm_is_waited_for(node):
    claim = replace(WANTED, binding=ON_B)
    node.lists(IP, instance_id="ins-9", eni_id=ON_B.eni_id)

    with pytest.raises(TryAgainError, match=f"is at {ON_B.eni_id} of ins-9"):
        node.give_back.withdraw(claim)

    assert (node.cloud.taken_off, node.told) == ([], [])


def test_an_eni_of_a_claims_own_is_seen_gone_by_who_detaches_it_and_after_its_eip(node):
    own = replace(WANTED, exclusive=True)

    node.give_back.withdraw(own)

    assert node.told == [("see gone", UID), ("see EIP told", UID), ("withdrawn", UID, True)]


def test_an_eni_that_this_process_has_detached_needs_no_look(node):
    node.give_back.detach(DetachEni(address=node.address))

    node.give_back.withdraw(replace(WANTED, exclusive=True))

    assert node.told == [("detach", IP), ("see EIP told", UID), ("withdrawn", UID, True)]
