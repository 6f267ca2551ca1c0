"""What a Pod's user is told when the cloud or the node has no more to give."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testbed.bed import Bed
from testbed.runtime import Sandbox

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

StartBed = Callable[..., Bed]


@pytest.fixture
def start_bed(tmp_path) -> Iterator[StartBed]:
    with Bed(tmp_path) as bed:

        def start(config: dict[str, Any], *, warm: int = 3) -> Bed:
            bed.start_region({"instances": [{"instance_type": "S5.2XLARGE16", "public_ip": True}], **config})
            bed.start_controller()
            bed.start_agent(options=["--add-timeout", "5s", "--ip-cooldown", "1s"])
            bed.wait_until_ready(warm=warm)
            return bed

        yield start


def _events(bed: Bed, pod: str) -> str:
    return "\n".join(
        f"{event['reason']}: {event['message']}" for event in bed.workloads.events(regarding=pod)
    )


def _retry(bed: Bed, sandbox: Sandbox) -> Sandbox:
    """What kubelet does after a failed ADD: DEL, and a new sandbox for the same Pod."""
    bed.runtime.run("DEL", sandbox).result()
    bed.runtime.remove_sandbox(sandbox)
    return bed.runtime.new_sandbox(pod=bed.workloads.pod(sandbox.pod_name))


def test_without_eip_quota_the_pod_is_told_the_code_of_the_cloud(start_bed: StartBed):
    bed = start_bed({"quotas": {"total_eips": 1}})
    first, granted = bed.add_pod("first", annotations={"eip-attributes": ""}, eip=True)
    granted.result()

    second, outcome = bed.add_pod("second", annotations={"eip-attributes": ""}, eip=True)

    error = outcome.error()
    assert error.code == 11
    assert "AddressQuotaLimitExceeded" in error.message
    assert "default/second" in error.message
    bed.wait_until("an Event", lambda: "AddressQuotaLimitExceeded" in _events(bed, "second"))
    bed.delete_pod(first)
    bed.delete_pod(second)
    bed.wait_until("the first Pod's EIP released", lambda: not bed.workloads.claims())


def test_without_cam_permission_the_policy_to_grant_is_named(start_bed: StartBed):
    bed = start_bed({})
    bed.admin.post("/policies/demo", {"allow": ["*"], "deny": ["cvm:AllocateAddresses"]})

    sandbox, outcome = bed.add_pod("denied", annotations={"eip-attributes": ""}, eip=True)

    error = outcome.error()
    assert error.code == 11
    assert "UnauthorizedOperation" in error.message
    assert "QcloudAccessForIPAMDRoleInQcloudAllocateEIP" in error.message
    bed.wait_until("an Event", lambda: "cvm:AllocateAddresses" in _events(bed, "denied"))
    bed.delete_pod(sandbox)
    bed.wait_until("the claim gone", lambda: not bed.workloads.claims())


def test_a_full_subnet_is_named(start_bed: StartBed):
    # 8 addresses less gateway, network, broadcast, node and ENI leave few for Pods.
    bed = start_bed({"vpc": {"subnets": [{"cidr": "10.0.1.0/28"}]}}, warm=1)
    sandboxes = []
    outcomes = []
    for number in range(14):
        sandbox, outcome = bed.add_pod(f"full-{number}")
        sandboxes.append(sandbox)
        outcomes.append(outcome)
        if outcome.exit_code:
            break

    error = outcomes[-1].error()
    assert error.code == 11
    assert "subnet-demo0001" in error.message
    assert f"default/{sandboxes[-1].pod_name}" in error.message
    for sandbox in sandboxes:
        bed.delete_pod(sandbox)


def test_a_full_node_is_named_and_takes_a_pod_again_when_one_has_left(start_bed: StartBed):
    # One secondary ENI with five Pod addresses.
    bed = start_bed({"instances": [{"instance_type": "S5.SMALL2", "public_ip": True}]})
    sandboxes = [bed.add_pod(f"pod-{number}")[0] for number in range(5)]

    late, outcome = bed.add_pod("late")

    error = outcome.error()
    assert error.code == 11
    assert "the node is full: all 5 addresses for Pods are taken" in error.message
    # The scheduler knows it; nobody need be woken.
    assert any("the node is full" in notice for notice in bed.status()["notices"])
    assert bed.status()["problems"] == []
    # An error here would make the Node NotReady, and its running Pods would be evicted.
    assert bed.runtime.run("STATUS", late).exit_code == 0

    bed.delete_pod(sandboxes.pop())
    late = _retry(bed, late)
    bed.runtime.run("ADD", late).result()
    for sandbox in (late, *sandboxes):
        bed.delete_pod(sandbox)
