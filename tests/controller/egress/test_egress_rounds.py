"""Which claims a round judges, and what it asks the cloud for; without threads, under a clock of the test."""

import time

import pytest

from ipamd.controller.claims.in_flight import InFlight
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.controller.egress.condition import EgressChecks
from ipamd.controller.egress.routes import EgressRoutes
from ipamd.controller.events import ClaimEvents
from ipamd.core.claim import eipclaim
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.events import EventRecorder
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.resources import EIPCLAIMS
from simulator.cloud import InstanceOrder
from tests.vpc_console import NAT, VpcConsole

INTERVAL = 600.0


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Fence:
    leading = True

    def deadline(self):
        if not self.leading:
            raise NotLeaderError("another replica leads")
        return Deadline.after(5, time.monotonic)


class Rounds:
    """A leader's checks, and claims that agents have bound."""

    def __init__(self, world):
        self.world = world
        self.clock, self.fence = Clock(), Fence()
        self.cloud = world.new_controller().cloud
        ports = Ports(
            fence=self.fence,
            cloud=self.cloud,
            writer=ClaimWriter(world.client),
            teller=ClaimEvents(EventRecorder(world.client, "test")),
            in_flight=InFlight(),
            on_freed=lambda _: None,
            release_stopped=str,
        )
        routes = EgressRoutes(self.cloud, monotonic=self.clock)
        self.checks = EgressChecks(routes, ports, claims=self.claims, interval=INTERVAL, monotonic=self.clock)
        world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
        (self.eni,) = world.region.snapshot()["enis"]

    def claims(self):
        return [eipclaim.read(obj) for obj in self.world.client.list(EIPCLAIMS).items]

    def bind(self, name, *, eni=None, bound="True"):
        where = {"node": "node-a", "eniID": eni or self.eni, "privateIP": "10.0.1.9"}
        spec = {
            "attributes": {"bandwidthMbps": 1, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"},
            "deletePolicy": "Delete",
        }
        metadata = {"namespace": "default", "name": name}
        self.world.client.create(EIPCLAIMS, {"metadata": metadata, "spec": spec})
        status = {"binding": where, "conditions": [{"type": "Bound", "status": bound}]}
        self.world.client.patch(EIPCLAIMS, name, {"status": status}, "default", subresource="status")

    def said(self, name):
        claim = self.world.claim(name)
        return eipclaim.condition(claim.conditions, "EgressThroughEIP").get("status")

    def asked(self):
        return self.world.region.audit.calls().get("DescribeRouteTables", 0)


@pytest.fixture
def rounds(world):
    return Rounds(world)


@pytest.fixture
def nat(world):
    gateway = world.region.add_nat_gateway().nat_gateway_id
    return lambda: VpcConsole(world.cloud_url).add_route("rtb-demo0001", "0.0.0.0/0", NAT, gateway)


def test_nothing_new_costs_nothing_until_the_interval_is_over(rounds):
    rounds.bind("web-0")
    assert rounds.checks.check() == INTERVAL
    rounds.clock.now += INTERVAL - 1

    assert rounds.checks.check() == 1.0
    assert rounds.asked() == 1

    rounds.clock.now += 1
    rounds.checks.check()
    assert rounds.asked() == 2


def test_a_new_binding_has_all_claims_judged_by_routes_that_are_read_again(rounds, nat):
    rounds.bind("web-0")
    rounds.checks.check()
    nat()
    rounds.bind("web-1")

    rounds.checks.check()

    assert (rounds.said("web-0"), rounds.said("web-1")) == ("False", "False")
    assert rounds.asked() == 2


def test_a_claim_whose_agent_is_binding_it_is_looked_at_soon_and_not_written(rounds):
    rounds.bind("web-0", bound="False")

    assert rounds.checks.check() <= 5
    assert rounds.said("web-0") is None


def test_an_eni_that_does_not_exist_leaves_its_claim_alone_and_the_others_judged(rounds):
    rounds.bind("web-0", eni="eni-00000000")
    rounds.bind("web-1")

    rounds.checks.check()

    assert (rounds.said("web-0"), rounds.said("web-1")) == (None, "True")


def test_who_does_not_lead_writes_nothing(rounds):
    rounds.bind("web-0")
    rounds.fence.leading = False

    with pytest.raises(NotLeaderError):
        rounds.checks.check()

    assert rounds.said("web-0") is None
