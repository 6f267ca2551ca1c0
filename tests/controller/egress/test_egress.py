"""The condition EgressThroughEIP: what the controller says about NAT gateways in front of EIPs, and when."""

import time

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.timing.deadline import Deadline
from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.cloud import InstanceOrder
from simulator.kube import Fault, FaultKind
from tests.vpc_console import EIP, NAT, VpcConsole

RTB = "rtb-demo0001"
ALL = "0.0.0.0/0"


@pytest.fixture
def console(world):
    return VpcConsole(world.cloud_url)


@pytest.fixture
def gateway(world):
    return world.region.add_nat_gateway().nat_gateway_id


@pytest.fixture
def port(world):
    world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
    (eni,) = world.region.snapshot()["enis"].values()
    return {"eni_id": eni["eni_id"], "ip": next(iter(eni["addresses"]))}


def condition(world, name="web-0"):
    claim = world.claim(name)
    return eipclaim.condition(claim.conditions, "EgressThroughEIP") if claim else {}


def status(world, wanted):
    return lambda: condition(world).get("status") == wanted and condition(world)


def bind_pod(world, port, name="web-0"):
    world.create_pod(name)
    world.wait_provisioned(name)
    world.bind(name, **port)


def test_without_a_nat_gateway_the_claim_says_that_the_eip_is_used(world, port):
    world.start_controller()
    bind_pod(world, port)

    told = world.wait(status(world, "True"))

    assert told["reason"] == "EIPFirst"
    assert RTB in told["message"]
    assert world.claim_object("web-0")["status"]["phase"] == "Bound"
    assert world.events("NATGatewayFirst") == []


def test_a_nat_route_is_told_on_claim_and_pod_with_what_to_add(world, port, console, gateway):
    console.add_route(RTB, ALL, NAT, gateway)
    world.start_controller()
    bind_pod(world, port)

    told = world.wait(status(world, "False"))

    assert told["reason"] == "NATGatewayFirst"
    for named in (RTB, ALL, gateway, "subnet-demo0001", "GatewayType EIP, GatewayId 0"):
        assert named in told["message"]
    world.wait(lambda: len(world.events("NATGatewayFirst")) == 2)
    events = world.events("NATGatewayFirst")
    assert {event["involvedObject"]["kind"] for event in events} == {"Pod", "EIPClaim"}
    assert {(event["type"], event["message"]) for event in events} == {("Warning", told["message"])}


def test_claims_are_counted_by_what_their_pods_leave(world, port, console, gateway):
    replica = world.start_controller(egress_check_interval=1.0)

    def paths():
        (found,) = (m for m in replica.leader.metrics() if m.name == "tke_eni_claims_egress")
        return {by: count for (by,), count in found.samples.items()}

    assert paths() == {"eip": 0, "other": 0, "unknown": 0}
    bind_pod(world, port)
    world.wait(lambda: paths() == {"eip": 1, "other": 0, "unknown": 0})

    console.add_route(RTB, ALL, NAT, gateway)

    world.wait(lambda: paths() == {"eip": 0, "other": 1, "unknown": 0})


def test_routes_that_change_later_are_noticed(world, port, console, gateway):
    world.start_controller(egress_check_interval=1.0)
    bind_pod(world, port)
    world.wait(status(world, "True"))

    console.add_route(RTB, ALL, NAT, gateway)
    world.wait(status(world, "False"))
    console.add_route(RTB, ALL, EIP)
    world.wait(status(world, "True"))

    assert [event["count"] for event in world.events("NATGatewayFirst")] == [1, 1]


def test_one_request_serves_all_claims(world, console, gateway):
    world.region.create_instance(InstanceOrder(instance_type="S5.4XLARGE32"))
    replica = world.start_controller()
    (eni,) = world.region.snapshot()["enis"].values()
    soon = Deadline.after(10, time.monotonic)
    ips = replica.cloud.assign_ips(eni["eni_id"], 3, "token", soon)
    for number, ip in enumerate(ips):
        bind_pod(world, {"eni_id": eni["eni_id"], "ip": ip}, f"web-{number}")

    world.wait(lambda: all(condition(world, f"web-{number}") for number in range(len(ips))))

    calls = world.region.audit.calls()
    # Once when the controller began, and once more for the new bindings unless they came before.
    assert calls["DescribeSubnets"] <= 2
    assert calls["DescribeRouteTables"] <= 2


def test_an_unbound_claim_says_nothing_of_a_way_out(world, port):
    world.start_controller()
    world.create_pod("web-0", never=True)
    world.wait_provisioned("web-0")
    world.bind("web-0", **port)
    world.wait(status(world, "True"))

    world.remove_pod("web-0")
    world.unbind("web-0")

    world.wait(lambda: not condition(world))


def test_without_the_right_to_read_routes_the_rest_goes_on_and_it_is_told_once(
    world, port, console, gateway, caplog
):
    console.add_route(RTB, ALL, NAT, gateway)
    world.region.accounts.set_policy("demo", deny=("vpc:DescribeRouteTables",))
    world.start_controller(egress_check_interval=1.0)
    bind_pod(world, port)

    def told():
        return [r for r in caplog.records if "vpc:DescribeRouteTables" in r.getMessage()]

    def asked():
        return world.region.audit.calls().get("DescribeRouteTables")

    world.wait(lambda: asked() and told())
    world.create_pod("web-1")
    world.wait_provisioned("web-1")
    assert condition(world) == {}
    assert [r.levelname for r in told() if r.levelname == "WARNING"] == ["WARNING"]


def test_an_error_leaves_what_was_said(world, port, console, gateway):
    console.add_route(RTB, ALL, NAT, gateway)
    world.start_controller(egress_check_interval=1.0)
    bind_pod(world, port)
    before = world.wait(status(world, "False"))

    world.region.faults.add(
        CloudFault(kind=CloudFaultKind.HTTP_500, action="DescribeRouteTables", count=None)
    )
    world.wait(world.region.faults.injected)

    assert condition(world) == before
    world.region.faults.clear()
    console.add_route(RTB, ALL, EIP)
    world.wait(status(world, "True"))


def test_a_claim_that_changed_meanwhile_is_judged_again(world, port, console, gateway):
    console.add_route(RTB, ALL, NAT, gateway)
    world.start_controller()
    world.create_pod("web-0")
    world.wait(lambda: world.wait_provisioned("web-0").pod)
    conflict = Fault(
        kind=FaultKind.STATUS,
        code=409,
        resource="eipclaims/status",
        user_agent="ctl-1",
        verb="patch",
        times=1,
    )
    world.kube.inject(conflict)
    world.bind("web-0", **port)

    world.wait(status(world, "False"))
    assert world.kube.faults.hits(FaultKind.STATUS) == 1


def test_only_the_leader_judges(world, port):
    first = world.start_controller()
    world.wait(lambda: first.election.leading)
    second = world.start_controller()
    bind_pod(world, port)
    world.wait(status(world, "True"))

    assert not second.election.leading
    assert world.kube.traffic.count(verb="patch", resource="eipclaims/status", user_agent=second.name) == 0
