"""The ENI of a claim is attached step by step; each step that fails leaves what the next attempt needs."""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.fixed.attach import OwnEniAttachment
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.ledger import acquisition
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Assigned, Held
from ipamd.core.model import EniState, SandboxKey
from ipamd.core.timing.boottime import Boottime
from ipamd.core.vpc_ip.attach_actions import AttachEni
from ipamd.store.database import Database
from tests.testkit.own_enis import own_eni
from tests.testkit.pods import pod_ref
from tests.testkit.vpc_ip_claims import ADDRESS, ON_A, UID, vpc_ip_claim

ENI, IP, INSTANCE = "eni-own", "10.0.3.7", "ins-1"
POD = pod_ref("web-0", "pod-1")
CLAIM = vpc_ip_claim(exclusive=True, address=replace(ADDRESS, ip=IP, eni_id=ENI))
BEGUN = replace(CLAIM, binding=replace(ON_A, eni_id=ENI))


class Cloud:
    """Has the ENI, loose at first, and notes what it is asked."""

    def __init__(self):
        self.eni, self.refuses = own_eni(), None
        self.asked: list[tuple[object, ...]] = []

    def describe_eni(self, eni_id, deadline):
        assert not deadline.expired
        assert eni_id == ENI
        return self.eni

    def attach_eni(self, eni_id, instance_id, deadline):
        self.asked.append(("attach", eni_id, instance_id))
        if self.refuses:
            raise self.refuses
        self.eni = replace(self.eni, instance_id=instance_id)
        return self.eni

    def associate_security_groups(self, eni_ids, groups, deadline):
        self.asked.append(("groups", *eni_ids, *groups))


class Node:
    def __init__(self, database):
        self.shared_ledger = SharedLedger(database, Ledger(), clock=lambda: Boottime(1000.0))
        self.cloud, self.now, self.is_frozen = Cloud(), 5.0, False
        self.groups: list[str] = []
        self.told: list[tuple[object, ...]] = []
        exclusive = SimpleNamespace(
            expecting=self.expecting, arrived=lambda eni: self.tell("arrived", eni.eni_id)
        )
        self.attachment = OwnEniAttachment(
            instance_id=lambda: INSTANCE,
            cloud=self.cloud,
            enis=SimpleNamespace(exclusive=exclusive, gateway_for=lambda *_: "10.0.3.1"),
            turns=SimpleNamespace(turn=lambda *_: contextlib.nullcontext()),
            frozen=lambda: self.is_frozen,
            security_groups=lambda: self.groups,
            shared_ledger=self.shared_ledger,
            announcer=SimpleNamespace(
                begin=lambda claim, pod, eni_id: self.tell("begun", pod.uid, eni_id) or claim,
                assigned=lambda claim, pod, eni_id, took: self.tell("assigned", pod.uid, eni_id, took),
                lost=lambda claim, text: self.tell("lost", text),
            ),
            hold=300.0,
            monotonic=lambda: self.now,
        )

    def tell(self, *what):
        self.told.append(what)

    @contextlib.contextmanager
    def expecting(self, eni, gateway):
        self.tell("expected", eni.eni_id, gateway)
        try:
            yield
        finally:
            self.tell("expected no more")

    @property
    def address(self):
        return self.shared_ledger.current.addresses.get(IP)

    @property
    def steps(self):
        return [what for what, *_ in self.told]

    def attach(self, claim=CLAIM):
        self.attachment.attach(AttachEni(claim=claim, pod=POD, ip=IP, eni_id=ENI))


@pytest.fixture
def node(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Node(database)


def test_a_loose_eni_is_told_expected_attached_and_told_again(node):
    node.attach()

    assert node.cloud.asked == [("attach", ENI, INSTANCE)]
    assert node.told == [
        ("begun", "pod-1", ENI),
        ("expected", ENI, "10.0.3.1"),
        ("arrived", ENI),
        ("expected no more",),
        ("assigned", "pod-1", ENI, ", took 0.0 s"),
    ]
    assert (node.address.eni_id, node.address.fixed, node.address.exclusive) == (ENI, UID, True)
    assert isinstance(node.address.state, Held)
    assert node.address.state.until == Boottime(1300.0)


def test_one_that_is_attached_here_already_is_not_asked_for_again(node):
    node.cloud.eni = own_eni(instance_id=INSTANCE)
    node.groups = ["sg-1"]

    node.attach()

    assert node.cloud.asked == []
    assert node.steps[-1] == "assigned"


def test_one_that_is_on_its_way_here_is_seen_through(node):
    node.cloud.eni = own_eni(instance_id=INSTANCE, state=EniState.ATTACHING)
    node.groups = ["sg-1"]

    node.attach()

    assert node.cloud.asked == [("attach", ENI, INSTANCE)], "its groups are kept in step as ever"


@pytest.mark.parametrize(
    ("has", "groups", "given"),
    [
        ((), ["sg-1", "sg-2"], ("sg-1", "sg-2")),
        (("sg-1",), ["sg-1", "sg-2"], ("sg-2",)),
        (("sg-1", "sg-9"), ["sg-1"], None),
        (("sg-1",), [], None),
        ((), [], None),
    ],
)
def test_the_groups_that_it_lacks_are_given_before_a_packet_can_come(node, has, groups, given):
    node.cloud.eni, node.groups = replace(own_eni(), security_groups=has), groups

    node.attach()

    first = [("groups", ENI, *given)] if given else []
    assert node.cloud.asked == [*first, ("attach", ENI, INSTANCE)]


def test_a_frozen_pool_attaches_none(node):
    node.is_frozen = True

    with pytest.raises(TryAgainError, match=f"{ENI} is not attached, as the pool is frozen"):
        node.attach()

    assert (node.told, node.cloud.asked, node.address) == ([], [], None)


@pytest.mark.parametrize("eni", [own_eni(claim_uid="claim-2"), own_eni(ip="10.0.3.8")])
def test_one_that_is_not_the_claims_is_left_alone(node, eni):
    node.cloud.eni = eni

    with pytest.raises(IpamError, match="so it is not that of VpcIPClaim default/web-0") as said:
        node.attach()

    assert "restore the tag" in said.value.advice
    assert (node.told, node.cloud.asked, node.address) == ([], [], None)


QUOTA = cloud_error("AttachNetworkInterface", "LimitExceeded", "too many public IPs")
THROTTLED = cloud_error("AttachNetworkInterface", "RequestLimitExceeded", "too many")


def test_what_is_refused_for_certain_takes_no_place(node):
    node.cloud.refuses = QUOTA
    assert not QUOTA.kind.policy.needs_look

    with pytest.raises(CloudError) as said:
        node.attach()

    assert said.value is QUOTA, "without an EIP there is nothing to add"
    assert node.address is None
    assert node.steps == ["begun", "expected", "expected no more"]


def test_what_may_have_been_accepted_stays_written_down(node):
    node.cloud.refuses = cloud_error("AttachNetworkInterface", "ClientTaskFailed", "its task failed")
    assert node.cloud.refuses.kind.policy.needs_look

    with pytest.raises(CloudError):
        node.attach()

    assert node.address.eni_id == ENI


def test_one_that_is_refused_with_its_eip_says_what_the_eip_has_to_do_with_it(node):
    node.cloud.eni, node.cloud.refuses = own_eni(eip_id="eip-1"), QUOTA

    with pytest.raises(CloudError, match=f"{ENI} was not attached to {INSTANCE}: .*eip-1 stays at it"):
        node.attach()


@pytest.mark.parametrize("refusal", [THROTTLED, cloud_error("AttachNetworkInterface", "InternalError", "no")])
def test_other_refusals_say_nothing_of_the_eip(node, refusal):
    node.cloud.eni, node.cloud.refuses = own_eni(eip_id="eip-1"), refusal

    with pytest.raises(CloudError) as said:
        node.attach()

    assert said.value is refusal


def test_one_that_is_not_seen_is_waited_for_15_seconds_before_it_is_believed_to_be_gone(node):
    node.cloud.eni = None
    for now in (5.0, 19.9):
        node.now = now
        with pytest.raises(TryAgainError, match=f"ENI {ENI} of VpcIPClaim default/web-0 is not listed"):
            node.attach(BEGUN)
    assert node.told == []

    node.now = 20.0
    with pytest.raises(TryAgainError, match="the controller makes another one, if the address is free"):
        node.attach(BEGUN)

    (told,) = node.told
    assert told == ("lost", f"ENI {ENI} of VpcIPClaim default/web-0 does not exist, and {IP} with it")


def test_one_that_was_seen_in_between_is_waited_for_anew(node):
    found, node.cloud.eni = node.cloud.eni, None
    with pytest.raises(TryAgainError):
        node.attach(BEGUN)
    node.cloud.eni, node.now = found, 15.0
    node.attach(BEGUN)
    node.cloud.eni, node.now = None, 25.0

    with pytest.raises(TryAgainError, match="is not listed"):
        node.attach(BEGUN)


def test_one_that_no_agent_has_begun_with_is_not_given_up_by_this_one(node):
    node.cloud.eni = None
    for node.now in (5.0, 500.0):
        with pytest.raises(TryAgainError, match="is not listed"):
            node.attach(CLAIM)

    assert node.told == []


def test_a_pod_that_has_the_address_of_one_that_is_gone_is_to_be_deleted(node):
    node.attach()
    attachment = acquisition.Attachment(
        key=SandboxKey(container_id="c1", ifname="eth0"), pod=POD, exclusive=True, fixed_ip=IP
    )
    node.shared_ledger.apply(lambda current: acquisition.acquire(current, attachment, 30.0, Boottime(1000.0)))
    node.cloud.eni = None
    node.told.clear()
    with pytest.raises(TryAgainError):
        node.attach(BEGUN)
    node.now += 15.0

    with pytest.raises(IpamError, match=f"ENI {ENI} of VpcIPClaim default/web-0 does not exist") as said:
        node.attach(BEGUN)

    assert "delete the Pod" in said.value.advice
    assert node.told == [], "another one is made when nobody has the address any more"
    assert isinstance(node.address.state, Assigned)
