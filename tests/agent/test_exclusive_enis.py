"""Which ENIs single Pods of the node have or may have: as listed, as remembered, and as the metrics tell."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.departures import LAG_SECONDS, Departures
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.core import tags
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Unassigning, Warm
from ipamd.core.model import Eni, EniState
from ipamd.core.timing.boottime import Boottime
from ipamd.store.database import Database
from tests.testkit.addresses import assigned

GATEWAYS = {"subnet-1": "10.0.1.1"}
ASSIGNED = assigned(netns="/n")


def eni(number=1, *, state=EniState.AVAILABLE, of="ins-1", primary=False, subnet_id="subnet-1"):
    return Eni(
        eni_id=f"eni-{number}",
        mac=f"52:54:00:00:00:{number:02x}",
        vpc_id="vpc-1",
        subnet_id=subnet_id,
        primary=primary,
        state=state,
        instance_id="ins-1",
        addresses=(),
        security_groups=("sg-1",),
        tags={tags.EXCLUSIVE_NODE: of} if of else {},
        extended=True,
    )


def ledger_with(*numbers, state=None):
    return Ledger.of(
        Address(
            ip=f"10.0.1.{number}",
            eni_id=f"eni-{number}",
            state=state or Warm(since=1.0),
            added_at=0.0,
            exclusive=True,
        )
        for number in numbers
    )


class Plane:
    """The kernel's side: what was put away, and what was to be brought back from where."""

    def __init__(self):
        self.enis = [SimpleNamespace(mtu=1450), SimpleNamespace(mtu=9000)]
        self.node_ip = "10.0.0.4"
        self.away: list[str] = []
        self.back: list[tuple[str, str]] = []
        self.awaited = ""
        self.error: TryAgainError | None = None

    def await_link(self, mac):
        if self.error:
            raise self.error
        self.awaited = mac

    def put_away_eni(self, mac):
        if self.error:
            raise self.error
        self.away.append(mac)

    def bring_back_eni(self, mac, netns):
        self.back.append((mac, netns))
        return True


class Scene:
    def __init__(self, database):
        self.database, self.plane, self.now = database, Plane(), 100.0
        self.enis = self.again()

    def again(self):
        """The next agent of the node."""
        self.departures = Departures(self.database, lambda: Boottime(self.now))
        return ExclusiveEnis(
            cluster_id="cls-1",
            instance_id="ins-1",
            dataplane=self.plane,
            database=self.database,
            departures=self.departures,
        )

    def take_in(self, *listed, ledger=None, foreign=0, gateways=GATEWAYS):
        return self.enis.take_in(listed, gateways, foreign, ledger or Ledger(), self.now)

    @property
    def metrics(self):
        return [dict(metric.samples) for metric in self.enis.metrics()]


@pytest.fixture
def scene(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Scene(database)


@pytest.mark.parametrize(
    ("listed", "ours"),
    [(eni(), True), (eni(of="ins-2"), False), (eni(of=""), False), (eni(primary=True), False)],
)
def test_ours_are_those_that_were_made_for_this_very_instance(scene, listed, ours):
    assert scene.enis.is_ours(listed) is ours


def test_what_is_listed_is_known_and_its_link_put_away_once(scene):
    assert scene.take_in(eni()) == (eni(),)
    scene.take_in(eni(), eni(2))

    known = scene.enis.enis["eni-1"]
    assert (known.mac, known.subnet_id, known.gateway) == (eni().mac, "subnet-1", "10.0.1.1")
    assert (known.is_listed, known.condition, known.security_groups) == (True, "AVAILABLE", ("sg-1",))
    assert scene.plane.away == [eni().mac, eni(2).mac]


def test_one_that_the_cloud_is_still_working_on_is_no_address_yet(scene):
    pending = eni(2, state=EniState.PENDING)

    assert scene.take_in(eni(), pending) == (eni(),)
    assert scene.enis.enis["eni-2"].condition == "MISSING"
    assert scene.enis.attached == 2, "it takes its place at the instance already"


def test_a_link_that_cannot_be_put_away_stops_nothing(scene):
    scene.plane.error = TryAgainError("busy")

    assert scene.take_in(eni(), eni(2)) == (eni(), eni(2))


def test_one_that_is_listed_no_more_stays_known_as_long_as_the_ledger_has_its_address(scene):
    scene.take_in(eni(), eni(2))

    scene.take_in(ledger=ledger_with(1))

    assert list(scene.enis.enis) == ["eni-1"]
    assert scene.enis.attached == 0, "it takes no place at the instance"
    gone = scene.enis.enis["eni-1"]
    assert (gone.mac, gone.gateway, gone.is_listed, gone.security_groups) == (
        eni().mac,
        "10.0.1.1",
        False,
        (),
    )
    scene.take_in()
    assert scene.enis.enis == {}


@pytest.mark.parametrize(("state", "told"), [(None, 1), (Unassigning(since=1.0), 0)])
def test_a_loss_is_told_once_and_one_that_we_give_back_is_none(scene, caplog, state, told):
    scene.take_in(eni())
    for _ in range(2):
        scene.take_in(ledger=ledger_with(1, state=state))

    assert sum("does not list it" in record.getMessage() for record in caplog.records) == told


def test_the_next_agent_knows_them_before_the_cloud_is_asked(scene):
    scene.take_in(eni(), eni(2))
    scene.take_in(eni(), eni(2), eni(3))
    before = {eni_id: replace(known, security_groups=()) for eni_id, known in scene.enis.enis.items()}

    scene.enis = scene.again()

    assert scene.enis.enis == before
    assert scene.enis.attached == 3
    assert scene.metrics == [{("ready",): 3, ("missing",): 0, ("foreign",): 0}]


def test_one_that_has_left_does_not_come_back_by_a_listing_that_lags(scene):
    scene.departures.note_eni("eni-1")

    assert scene.take_in(eni(), eni(2)) == (eni(2),)
    assert list(scene.enis.enis) == ["eni-2"]
    scene.now += LAG_SECONDS
    assert scene.take_in(eni(), eni(2)) == (eni(), eni(2)), "it is here again"


def test_of_one_that_has_left_and_is_back_a_listing_that_lags_says_nothing(scene):
    scene.take_in(eni())
    scene.departures.note_eni("eni-1")
    before = dict(scene.enis.enis)

    scene.take_in(ledger=ledger_with(1))

    assert scene.enis.enis == before


def test_new_are_those_that_were_not_known_before(scene):
    scene.take_in(eni())

    assert scene.enis.new([eni(), eni(2)]) == [eni(2)]


def test_a_pod_s_link_has_the_mtu_of_the_primary_eni_the_gateway_and_what_goes_by_the_node(scene):
    scene.take_in(eni(), eni(2, subnet_id="subnet-2"))
    scene.enis.reaches_by_node(lambda: ["172.16.0.0/16"])

    link = scene.enis.link("eni-1")

    assert (link.mac, link.mtu, link.gateway) == (eni().mac, 1450, "10.0.1.1")
    assert link.by_node == ("172.16.0.0/16",)
    assert (link.ifindex, link.table, link.mark, link.name) == (0, 0, 0, "")
    assert scene.enis.link("eni-2") is None, "its gateway is not known"
    assert scene.enis.link("eni-9") is None
    scene.plane.enis = []
    assert scene.enis.link("eni-1") is None, "no ENI tells the MTU yet"


def test_a_link_is_brought_back_from_its_pod_s_namespace(scene):
    scene.take_in(eni())
    used, free = (ledger_with(1, state=state).addresses["10.0.1.1"] for state in (ASSIGNED, Warm(since=1.0)))

    for address in (used, free, replace(used, eni_id="eni-9")):
        scene.enis.bring_back(address)

    assert scene.plane.back == [(eni().mac, "/n"), (eni().mac, "")]


def test_the_metrics_count_them_and_are_not_there_where_there_are_none(scene):
    assert scene.metrics == []
    scene.take_in(eni(), eni(2), eni(3), foreign=4)
    scene.take_in(eni(), ledger=ledger_with(1, 2, 3), foreign=4)

    (counted,) = scene.metrics
    assert counted == {("ready",): 1, ("missing",): 2, ("foreign",): 4}
    assert scene.enis.foreign == 4


def claimed(number=1, *, state=EniState.AVAILABLE):
    """An ENI of a VpcIPClaim."""
    ours = {tags.CLUSTER_ID: "cls-1", tags.VPC_IP_CLAIM_UID: f"claim-{number}"}
    return replace(eni(number, state=state), tags=ours)


@pytest.mark.parametrize(
    ("listed", "claim"),
    [
        (claimed(), "claim-1"),
        (replace(claimed(), tags={**claimed().tags, tags.CLUSTER_ID: "cls-2"}), ""),
        (replace(claimed(), tags={tags.VPC_IP_CLAIM_UID: "claim-1"}), ""),
        (replace(claimed(), tags={tags.CLUSTER_ID: "cls-1"}), ""),
    ],
)
def test_ours_are_also_those_of_this_cluster_s_claims(scene, listed, claim):
    assert scene.enis.claim_of(listed) == claim
    assert scene.enis.is_ours(listed) is bool(claim)


def test_one_that_came_as_a_claim_s_stays_it_whatever_becomes_of_its_tags(scene):
    scene.take_in(claimed())
    stripped = replace(claimed(), tags={})

    for enis in (scene.enis, scene.again()):
        assert enis.claim_of(stripped) == "claim-1"


def test_a_claim_s_eni_is_known_while_it_is_being_attached_though_no_listing_has_it(scene):
    with scene.enis.expecting(claimed(), "10.0.1.1"):
        scene.take_in(eni(3))

        coming = scene.enis.enis["eni-1"]
        assert (coming.mac, coming.subnet_id, coming.gateway) == (claimed().mac, "subnet-1", "10.0.1.1")
        assert (coming.claim, coming.condition) == ("claim-1", "MISSING")
        assert scene.enis.attached == 2, "its place at the instance is taken already"
        assert set(scene.again().enis) == {"eni-1", "eni-3"}

    scene.take_in(eni(3))
    assert list(scene.enis.enis) == ["eni-3"]


def test_a_listing_says_more_of_an_eni_that_is_expected(scene):
    with scene.enis.expecting(claimed(), "10.0.1.1"):
        scene.take_in(claimed())

        assert scene.enis.enis["eni-1"].condition == "AVAILABLE"


def test_an_eni_that_was_lost_and_is_expected_again_takes_its_place(scene):
    scene.take_in(claimed())
    scene.take_in(ledger=ledger_with(1))
    assert scene.enis.attached == 0

    with scene.enis.expecting(claimed(), "10.0.1.1"):
        assert scene.enis.attached == 1


def test_one_that_has_arrived_is_ready_with_its_link_out_of_the_way(scene):
    with scene.enis.expecting(claimed(), "10.0.1.1"):
        scene.enis.arrived(claimed())

    arrived = scene.enis.enis["eni-1"]
    assert (scene.plane.awaited, scene.plane.away) == (claimed().mac, [claimed().mac])
    assert (arrived.condition, arrived.security_groups, arrived.claim) == ("AVAILABLE", ("sg-1",), "claim-1")
    assert scene.enis.attached == 1


def test_a_link_that_does_not_come_has_not_arrived(scene):
    scene.plane.error = TryAgainError("no such link")
    with scene.enis.expecting(claimed(), "10.0.1.1"):
        with pytest.raises(TryAgainError):
            scene.enis.arrived(claimed())

        assert scene.enis.enis["eni-1"].condition == "MISSING"


def test_one_that_is_forgotten_is_not_known_to_the_next_agent_either(scene):
    scene.take_in(claimed(), eni(2), eni(3))

    scene.enis.forget("eni-1")
    scene.enis.forget("eni-3")

    assert list(scene.enis.enis) == list(scene.again().enis) == ["eni-2"]


def test_the_next_agent_knows_which_claim_an_eni_is_of(scene):
    scene.take_in(claimed(), eni(2))

    assert {eni_id: known.claim for eni_id, known in scene.again().enis.items()} == {
        "eni-1": "claim-1",
        "eni-2": "",
    }
