"""Whatever the cloud or the API server does to a request, a Pod ends with one EIP and, gone, with none."""

import pytest

from ipamd.core import tags
from ipamd.core.model import EipOrder
from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.kube import Fault, FaultKind
from tests.controller.replica import Replica


@pytest.fixture
def controller(world):
    return world.start_controller()


def whole_life(world):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    assert len(world.eips()) == 1
    assert world.orders() == 1
    world.age_claim("web-0")
    world.remove_pod("web-0")
    world.wait_gone("web-0")
    assert world.eips() == {}


CLOUD_FAULTS = [
    CloudFault(kind=kind, action=action, seconds=seconds, count=count)
    for action in ("AllocateAddresses", "DescribeAddresses", "ReleaseAddresses")
    for kind, seconds, count in (
        (CloudFaultKind.TIMEOUT_BEFORE, 0.1, 2),
        (CloudFaultKind.TIMEOUT_AFTER, 0.1, 2),
        (CloudFaultKind.TIMEOUT_AFTER, 3.0, 1),
        (CloudFaultKind.BROKEN_JSON, 0.0, 2),
        (CloudFaultKind.HTTP_500, 0.0, 2),
        (CloudFaultKind.THROTTLE, 0.0, 3),
        (CloudFaultKind.BUSY, 0.0, 3),
        (CloudFaultKind.ERROR, 0.0, 1),
    )
]


@pytest.mark.parametrize("fault", CLOUD_FAULTS, ids=lambda f: f"{f.action}-{f.kind}-{f.seconds}")
def test_a_fault_of_the_cloud_doubles_and_leaks_nothing(world, controller, fault):
    world.region.faults.add(fault)

    whole_life(world)

    assert world.region.faults.injected()


def test_old_lists_double_and_leak_nothing(world, controller):
    world.region.faults.add(
        CloudFault(kind=CloudFaultKind.STALE_READ, action="DescribeAddresses", seconds=2.0, count=6)
    )

    whole_life(world)


def test_an_order_that_is_accepted_and_fails_is_given_anew_with_another_token(world, controller):
    world.region.faults.add(CloudFault(kind=CloudFaultKind.TASK_FAILURE, action="AllocateAddresses"))
    world.create_pod("web-0")

    world.wait_provisioned("web-0")

    tokens = [
        entry.params["ClientToken"]
        for entry in world.region.audit.writes()
        if entry.action == "AllocateAddresses"
    ]
    assert len(set(tokens)) == 2
    assert len(world.eips()) == 1


def test_a_failed_order_whose_end_the_cloud_does_not_tell_is_given_up_after_a_while(world, controller):
    world.region.accounts.set_policy("demo", deny=("*:DescribeTaskResult",))
    world.region.faults.add(CloudFault(kind=CloudFaultKind.TASK_FAILURE, action="AllocateAddresses"))
    world.create_pod("web-0")
    world.wait(world.orders)

    world.skip_attempt_window("web-0")

    assert world.wait_provisioned("web-0").address
    assert len(world.eips()) == 1


def test_a_delivery_failure_gets_a_new_token(world, controller):
    world.region.faults.add(
        CloudFault(
            kind=CloudFaultKind.ERROR,
            action="AllocateAddresses",
            code="UnsupportedOperation.DeliveryFailed",
            message="delivery failed, renew the ClientToken",
        )
    )

    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    assert world.claim("web-0").allocation.attempt == 2
    assert len(world.eips()) == 1


KUBE_FAULTS = [
    Fault(kind=kind, verb=verb, resource=resource, times=times, every=2, user_agent="ctl-")
    for verb, resource in (
        ("create", "eipclaims"),
        ("patch", "eipclaims/status"),
        ("patch", "eipclaims"),
        ("delete", "eipclaims"),
        ("get", "eipclaims"),
        ("get", "pods"),
    )
    for kind, times in ((FaultKind.STATUS, 3), (FaultKind.LOST_ANSWER, 2), (FaultKind.CLOSE, 2))
] + [Fault(kind=FaultKind.CONFLICT, resource="eipclaims/status", every=2, times=6, user_agent="ctl-")]


@pytest.mark.parametrize("fault", KUBE_FAULTS, ids=lambda f: f"{f.verb}-{f.resource}-{f.kind.value}")
def test_a_fault_of_the_api_server_doubles_and_leaks_nothing(world, controller, fault):
    world.kube.inject(fault)

    whole_life(world)


def test_an_outage_of_the_api_server_is_survived(world, controller):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    outage = world.kube.inject(Fault(kind=FaultKind.STATUS, code=503, user_agent=controller.name))
    world.kube.cut_watches()
    world.create_pod("web-1")
    world.remove_pod("web-0")
    world.wait(lambda: world.kube.faults.hits(FaultKind.STATUS) >= 5)
    assert len(world.eips()) == 1
    world.kube.heal(outage)
    if controller.leader.lost.is_set():
        world.stop_controller(controller)
        world.start_controller()

    world.wait_provisioned("web-1")
    world.wait_gone("web-0")
    assert set(world.eips()) == {world.claim("web-1").address.eip_id}


def test_two_eips_with_the_claim_s_tag_stop_it_until_a_person_chose(world):
    controller = world.start_controller()
    world.region.accounts.set_policy("demo", deny=("*AllocateAddresses",))
    world.create_pod("web-0")
    world.wait(lambda: world.condition("web-0").get("reason"))
    claim = world.claim("web-0")
    world.stop_controller(controller)
    world.region.accounts.set_policy("demo")
    controller = Replica(world, "by-hand")
    twins = [
        controller.cloud.allocate_eip(EipOrder(), tags.of_claim("cls-test", claim.uid), f"twin-{n}").eip_id
        for n in range(2)
    ]
    for eip_id in twins:
        world.wait_eip(eip_id, "UNBIND")

    watching = world.start_controller()
    world.wait(lambda: world.condition("web-0").get("reason") == "AmbiguousEIP")
    assert world.claim("web-0").address is None
    assert set(world.eips()) == set(twins)
    for eip_id in twins:
        assert eip_id in world.condition("web-0")["message"]
    world.stop_controller(watching)

    controller.cloud.release_eip(twins[0])
    world.wait(lambda: twins[0] not in world.eips())
    controller.stop()
    world.start_controller()
    assert world.wait_provisioned("web-0").address.eip_id == twins[1]


def test_a_lost_answer_to_the_release_of_a_young_eip_only_delays_the_claim_s_end(world, controller):
    world.region.faults.add(
        CloudFault(kind=CloudFaultKind.TIMEOUT_AFTER, action="ReleaseAddresses", seconds=3.0)
    )
    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    world.remove_pod("web-0")
    world.wait(lambda: not world.eips())
    assert world.claim("web-0").held

    world.age_claim("web-0")
    world.stop_controller(controller)
    world.start_controller()
    world.wait_gone("web-0")


def test_a_wrong_clock_is_said_in_the_claim_once_and_the_claim_goes_on_when_it_is_right(world, controller):
    said = "Signature expired: the timestamp 17959868{} is more than 300 seconds away from 17959832{}."
    for number in range(10, 16):
        world.region.faults.add(
            CloudFault(
                kind=CloudFaultKind.ERROR,
                action="DescribeAddresses",
                code="AuthFailure.SignatureExpire",
                message=said.format(number, number),
            )
        )
    world.create_pod("web-0")

    refusal = world.wait(lambda: world.condition("web-0"))
    assert refusal["reason"] == "ClockWrong"
    assert "compare the node's clock" in refusal["message"]
    assert world.claim_object("web-0")["status"]["phase"] == "Failed"
    world.wait_provisioned("web-0")
    kinds = [event["involvedObject"]["kind"] for event in world.events("FailedDescribeEIP")]
    assert sorted(kinds) == ["EIPClaim", "Pod"]
