"""Places for ENIs of claims on a node: kept free, made, or said to be wanting."""

import pytest

from tests.agent.fixed.own_eni_bed import OPTIONS, OwnEniBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(300)]

SMALL = {
    "instance_types": [
        {"name": "TWO.LARGE", "cpu": 16, "memory_gib": 32, "enis": 4, "ips_per_eni": 10, "extended_enis": 2}
    ],
    "instances": [{"instance_type": "TWO.LARGE"}],
}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with OwnEniBed(tmp_path_factory.mktemp("own-eni-room")) as bed:
        yield bed.begin(*OPTIONS, region=SMALL)


@pytest.fixture(scope="module")
def shared_only(tmp_path_factory):
    with OwnEniBed(tmp_path_factory.mktemp("shared-only")) as bed:
        yield bed.begin()


def pooled(node, name):
    """A Pod with an ENI of the pool."""
    pod, sandbox = node.pod_and_sandbox(name, annotations={"networks": "tke-direct-eni"})
    code, result = node.call("add", sandbox)
    assert code == 0, result
    return pod, sandbox


def test_a_warm_eni_makes_room_and_where_pods_have_all_it_is_told(node):
    node.settled()
    _, first = pooled(node, "pooled-0")
    node.settled()  # another one is warm, so the node has all that it may have
    before = node.writes()

    _, sandbox, eni = node.own_given("room-0")

    writes = node.new_writes(before)
    assert (writes["DetachNetworkInterface"], writes["DeleteNetworkInterface"]) == (1, 1)
    assert node.at(eni.eni_id) == node.node.instance_id

    pod, _ = node.own_pod("room-1")
    other = node.own_claim(pod)

    def told():
        return str(node.read_fixed("room-1").conditions)

    node.eventually("it is told", lambda: "there is no place for its ENI at the node" in told())
    assert "all 2 ENIs that Pods of this node may have are in use" in told()
    assert "let Pods request tke.cloud.tencent.com/direct-eni" in told()
    assert node.at(other.eni_id) == ""
    node.workloads.remove_pod("room-1")
    node.ended("room-0", sandbox)
    node.ended("pooled-0", first)


def test_without_the_mode_claim_and_pod_are_told_what_to_do(shared_only):
    pod, sandbox = shared_only.own_pod("off-0")
    eni = shared_only.own_claim(pod)

    code, error = shared_only.call("add", sandbox)

    assert code != 0
    assert "start the agents with --direct-eni" in str(error)

    def told():
        return str(shared_only.read_fixed("off-0").conditions)

    shared_only.eventually("it is told", lambda: "gives no Pod an ENI of its own" in told())
    assert "start the agents with --direct-eni" in told()
    assert shared_only.at(eni.eni_id) == ""
    assert shared_only.binding("off-0") is None


def test_a_frozen_pool_attaches_none(node):
    node.settled()
    node.ctl("pool", "freeze")
    pod, sandbox = node.own_pod("frozen-0")
    eni = node.own_claim(pod)
    code, error = node.call("add", sandbox)
    assert code != 0
    assert "frozen" in str(error)
    assert node.at(eni.eni_id) == ""
    node.ctl("pool", "thaw")
    node.added(sandbox, eni)
    node.ended("frozen-0", sandbox)
