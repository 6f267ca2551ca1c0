"""A list of ENIs that was asked for before one of them went brings nothing of it back."""

from types import SimpleNamespace

import pytest

from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model, tags
from ipamd.core.ledger import fixed_addresses
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Binding, BindStage, Unbinding
from ipamd.core.timing.boottime import Boottime
from ipamd.store.database import Database

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
        self.cloud, self.database = Cloud(), database
        self.ledger = SharedLedger(database, Ledger(), clock=lambda: Boottime(100.0))
        self.exclusive = ExclusiveEnis(
            cluster_id=CLUSTER, instance_id=INSTANCE, dataplane=NO_KERNEL, database=database
        )
        self.enis = NodeEnis(
            SimpleNamespace(instance_id=INSTANCE),
            cloud=self.cloud,
            dataplane=NO_KERNEL,
            shared_ledger=self.ledger,
            database=database,
            unknown_owners=SimpleNamespace(find=dict),
            exclusive=self.exclusive,
        )

    def has(self, address):
        self.exclusive.take_in([LISTED], {}, 0, Ledger())
        self.ledger.apply(lambda current: current.changed(address))

    def detaches(self):
        """As `OwnEniDetachment.detach`, once the cloud has done it."""
        self.exclusive.gone("eni-1")
        self.ledger.apply(lambda current: fixed_addresses.detached(current, IP, UID))
        self.exclusive.forget("eni-1")


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
