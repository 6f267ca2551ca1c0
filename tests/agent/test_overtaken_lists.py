"""A list of ENIs that may be older than what the node has learned since changes nothing of that."""

from types import SimpleNamespace

import pytest

from ipamd.agent.departures import LAG_SECONDS, Departures
from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model, tags
from ipamd.core.ledger import fixed_addresses
from ipamd.core.ledger.fixed_addresses import FixedHold
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Binding, BindStage, Unbinding
from ipamd.core.timing.boottime import Boottime
from ipamd.store.database import Database
from tests.testkit.pods import pod_ref

INSTANCE, CLUSTER, UID, IP = "ins-1", "cls-1", "claim-1", "10.0.1.50"
LISTED = model.Eni(
    eni_id="eni-1",
    mac="52:54:00:00:00:01",
    vpc_id="vpc-1",
    subnet_id="subnet-1",
    primary=False,
    state=model.EniState.AVAILABLE,
    instance_id=INSTANCE,
    addresses=(model.EniAddress(ip=IP, primary=True, state=model.IpState.AVAILABLE),),
    tags=tags.of_vpc_ip_claim(CLUSTER, UID),
    extended=True,
)
LEAVING = Address(
    ip=IP,
    eni_id="eni-1",
    state=Unbinding(since=1.0),
    added_at=0.0,
    eip=Binding(
        eip_id="eip-1",
        public_ip="203.0.113.1",
        stage=BindStage.BOUND,
        claim="default/web-0",
        retained=True,
    ),
    exclusive=True,
    fixed=UID,
)
NO_KERNEL = SimpleNamespace(
    await_link=lambda _: None, put_away_eni=lambda _: None, forget_others=lambda: (), enis=[], node_ip=""
)


class Cloud:
    """Lists the ENI as it was; what happens meanwhile happens when it is asked for something."""

    def __init__(self):
        self.meanwhile = {}

    def describe_enis(self, _instance_id, _deadline):
        return [LISTED]

    def describe_subnets(self, subnet_ids, _deadline):
        self._happens("DescribeSubnets")
        return [SimpleNamespace(subnet_id=subnet_id, cidr="10.0.1.0/24") for subnet_id in subnet_ids]

    def describe_eips(self, **_):
        self._happens("DescribeAddresses")
        return []

    def _happens(self, action):
        self.meanwhile.pop(action, lambda: None)()


class Node:
    """The ENIs of a node; one of them is a claim's and leaves."""

    def __init__(self, database):
        self.cloud, self.database, self.now = Cloud(), database, Boottime(100.0)
        self.begins(Ledger())

    def begins(self, ledger):
        """An agent starts, with the ledger that the store has."""
        database = self.database
        self.ledger = SharedLedger(database, ledger, clock=lambda: self.now)
        departures = Departures(database, self.ledger.now)
        self.exclusive = ExclusiveEnis(
            cluster_id=CLUSTER,
            instance_id=INSTANCE,
            dataplane=NO_KERNEL,
            database=database,
            departures=departures,
        )
        self.enis = NodeEnis(
            SimpleNamespace(instance_id=INSTANCE),
            cloud=self.cloud,
            dataplane=NO_KERNEL,
            shared_ledger=self.ledger,
            database=database,
            unknown_owners=SimpleNamespace(find=dict),
            exclusive=self.exclusive,
            departures=departures,
        )

    def has(self, address):
        self.exclusive.take_in([LISTED], {}, 0, Ledger(), self.now)
        self.ledger.apply(lambda current: current.changed(address))

    def detaches(self):
        """As `OwnEniDetachment.detach`, once the cloud has done it."""
        self.enis.departures.note_eni("eni-1")
        self.ledger.apply(lambda current: fixed_addresses.detached(current, IP, UID))
        self.exclusive.forget("eni-1")

    def comes_back(self):
        """As `OwnEniAttachment.attach`, until the cloud is asked."""
        self.detaches()
        with self.exclusive.expecting(LISTED, "10.0.1.1"):
            hold = FixedHold(claim_uid=UID, pod=pod_ref(), until=Boottime(200.0))
            self.ledger.apply(
                lambda current: fixed_addresses.begin_assign(
                    current, IP, "eni-1", hold, self.now, exclusive=True
                )
            )


@pytest.fixture
def node(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Node(database)


@pytest.mark.parametrize("moment", ["DescribeSubnets", "DescribeAddresses"])
def test_an_eni_that_is_detached_while_it_is_listed_stays_away(node, moment):
    node.has(LEAVING)
    node.cloud.meanwhile[moment] = node.detaches

    node.enis.look(None)

    assert node.cloud.meanwhile == {}, "it was detached meanwhile"
    assert node.ledger.current.addresses == {}
    assert node.exclusive.enis == {}


def test_an_agent_that_starts_after_the_detach_does_not_take_it_from_a_list_that_lags(node):
    node.has(LEAVING)
    node.detaches()
    node.begins(Ledger())

    node.enis.look(None)

    assert node.ledger.current.addresses == {}
    assert node.exclusive.enis == {}
    node.now += LAG_SECONDS
    node.enis.look(None)
    assert IP in node.ledger.current.addresses, "somebody has attached it again"


def test_one_that_comes_back_is_not_there_because_a_list_shows_it_from_before(node):
    """It was listed, then detached and is being attached again: no Pod may have it before it has come."""
    node.has(LEAVING)
    node.cloud.meanwhile["DescribeSubnets"] = node.comes_back

    node.enis.look(None)

    assert node.cloud.meanwhile == {}
    assert node.ledger.current.addresses[IP].quarantined
