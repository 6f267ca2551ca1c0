"""What a runtime repeats: ADD after a failure, DEL at any time, and a daemon that is away."""

import pytest

from testbed import leaks, probes
from testbed.bed import Bed

pytestmark = [pytest.mark.scenario, pytest.mark.netns]


def _annotation(bed: Bed, pod: str, name: str) -> str:
    """What was written back to the Pod, which happens beside the ADD."""
    key = f"tke.cloud.tencent.com/{name}"
    bed.wait_until(f"{key} of {pod}", lambda: key in bed.workloads.pod(pod)["metadata"]["annotations"])
    return str(bed.workloads.pod(pod)["metadata"]["annotations"][key])


def test_add_repeated_for_the_same_sandbox_gives_the_same_result(bed: Bed):
    sandbox, first = bed.add_pod("again")

    second = bed.runtime.run("ADD", sandbox)

    assert second.result() == first.result()
    bed.delete_pod(sandbox)


def test_delete_twice_and_delete_of_the_unknown_succeed(bed: Bed):
    sandbox, outcome = bed.add_pod("twice")
    outcome.result()

    assert bed.runtime.run("DEL", sandbox).exit_code == 0
    assert bed.runtime.run("DEL", sandbox).exit_code == 0
    assert bed.runtime.run("DEL", bed.runtime.new_sandbox()).exit_code == 0
    bed.delete_pod(sandbox)


def test_delete_after_the_netns_is_gone_leaves_nothing_in_the_kernel(bed: Bed):
    before = leaks.kernel_state(bed.node.netns)
    sandbox, outcome = bed.add_pod("vanished")
    outcome.result()
    bed.runtime.remove_sandbox(sandbox)

    bed.delete_pod(sandbox)

    assert leaks.left_behind(before, leaks.kernel_state(bed.node.netns)) == {}


def test_a_new_sandbox_of_the_same_pod_resumes_with_its_addresses(bed: Bed):
    first, outcome = bed.add_pod("resumed", annotations={"eip-attributes": ""}, eip=True)
    before = _annotation(bed, "resumed", "eip-id")
    bed.runtime.run("DEL", first).result()
    bed.runtime.remove_sandbox(first)

    second = bed.runtime.new_sandbox(pod=bed.workloads.pod("resumed"))
    again = bed.runtime.run("ADD", second)

    assert again.ip() == outcome.ip()
    assert _annotation(bed, "resumed", "eip-id") == before
    bed.delete_pod(second)


def test_pods_keep_their_traffic_and_deletes_wait_on_disk_while_the_agent_is_dead(bed: Bed):
    stays, outcome = bed.add_pod("stays", annotations={"eip-attributes": ""}, eip=True)
    leaves, _ = bed.add_pod("leaves")
    outcome.result()
    public_ip = _annotation(bed, "stays", "eip-public-ip")
    assert bed.agent is not None
    bed.kill(bed.agent)

    late = bed.runtime.new_sandbox(pod=bed.workloads.create_pod("late", node=bed.node.name))
    error = bed.runtime.run("ADD", late).error()
    deleted = bed.runtime.run("DEL", leaves)
    with probes.SourceReporter(bed.internet_netns):
        seen = probes.seen_source(stays.netns, bed.internet_hosts[0])

    assert error.code == 11
    assert str(bed.socket) in error.message
    assert deleted.exit_code == 0
    assert len(list(bed.pending_deletes.glob("*.del"))) == 1
    assert seen == public_ip

    bed.workloads.remove_pod("leaves")
    bed.start_agent()
    bed.wait_until_ready()
    assert list(bed.pending_deletes.glob("*.del")) == []
    assert {pod["name"] for pod in bed.ctl("pods")["pods"]} == {"stays"}
    assert bed.runtime.run("ADD", late).exit_code == 0
    bed.delete_pod(late)
    bed.delete_pod(stays)


def test_capacity_that_somebody_removes_from_the_node_comes_back(bed: Bed):
    eip = "tke.cloud.tencent.com/eip"
    expected = bed.workloads.node(bed.node.name)["status"]["allocatable"][eip]

    bed.workloads.set_capacity(bed.node.name, eip, "0")

    bed.wait_until(
        "capacity re-asserted",
        lambda: bed.workloads.node(bed.node.name)["status"]["allocatable"].get(eip) == expected,
    )
