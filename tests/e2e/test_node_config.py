"""Nodes that differ: NodeENIConfigs on a real cluster, followed by running agents, refused where wrong."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.cluster.observation import ClusterError
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.test_capacity import allocatable
from tests.e2e.workloads import ENI_IP, eip_pod

CONFIGS = "/apis/networking.tke.cloud.tencent.com/v1/nodeeniconfigs"
STATE = "networking.tke.cloud.tencent.com/eni-state"
GROUP = "e2e-group"
LABEL = "example.com/pool"


def config(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.tke.cloud.tencent.com/v1",
        "kind": "NodeENIConfig",
        "metadata": {"name": name},
        "spec": spec,
    }


def group(**spec: Any) -> dict[str, Any]:
    return config(GROUP, nodeSelector={"matchLabels": {LABEL: "game"}}, **spec)


def state(cluster: ClusterUnderTest, node: str) -> dict[str, Any]:
    annotations = cluster.must_get(f"/api/v1/nodes/{node}")["metadata"].get("annotations", {})
    found: dict[str, Any] = json.loads(annotations.get(STATE, "{}"))
    return found


def in_force(cluster: ClusterUnderTest, node: str, field: str) -> Any:
    return state(cluster, node).get("values", {}).get(field)


@pytest.fixture
def node(cluster: ClusterUnderTest) -> Iterator[str]:
    """A node of the group; at the end no object is left."""
    name = cluster.nodes[0].name
    cluster.kubectl("label", "node", name, f"{LABEL}=game", "--overwrite")
    yield name
    cluster.kubectl("label", "node", name, f"{LABEL}-")
    cluster.kubectl("delete", "nodeeniconfigs", "--all")
    cluster.wait("the flags hold again", lambda: in_force(cluster, name, "maxRouteENI") is None)


def test_a_group_and_an_object_of_the_node_are_followed_while_a_pod_with_eip_runs(
    cluster: ClusterUnderTest, namespace: str, node: str
):
    cluster.apply(eip_pod("steady", node=node), namespace=namespace)
    cluster.wait_for_pod(namespace, "steady")
    eip = cluster.must_get_claim(namespace, "steady")["status"]["address"]["ip"]
    before = int(allocatable(cluster, node)[ENI_IP])

    cluster.apply(group(maxIPPerENI=7, maxRouteENI=2, minWarmTarget=2, maxWarmTarget=3))
    cluster.wait("the node offers what the group says", lambda: allocatable(cluster, node)[ENI_IP] == "14")
    # The Node's annotation and its resources are two writes.
    chosen = [2, f"NodeENIConfig {GROUP}"]
    cluster.wait("who says so", lambda: in_force(cluster, node, "maxRouteENI") == chosen)

    cluster.apply(config(node, maxRouteENI=1))
    cluster.wait("the node's own object is over it", lambda: allocatable(cluster, node)[ENI_IP] == "7")
    own = [1, f"NodeENIConfig {node}"]
    cluster.wait("who says so now", lambda: in_force(cluster, node, "maxRouteENI") == own)
    assert in_force(cluster, node, "maxIPPerENI") == [7, f"NodeENIConfig {GROUP}"]
    told = cluster.wait("its status", lambda: own_status(cluster, node))
    assert told["limit"] == 7
    assert {"field": "maxRouteENI", "value": "1", "source": f"NodeENIConfig {node}"} in told["values"]
    other = cluster.nodes[1].name
    assert int(allocatable(cluster, other)[ENI_IP]) > 14

    cluster.kubectl("delete", "nodeeniconfigs", "--all")
    cluster.wait("as before", lambda: int(allocatable(cluster, node)[ENI_IP]) == before)
    assert cluster.must_get_claim(namespace, "steady")["status"]["address"]["ip"] == eip
    assert cluster.exec(namespace, "steady", "wget", "-qO-", "http://localhost/").strip() == "steady"


def own_status(cluster: ClusterUnderTest, node: str) -> dict[str, Any] | None:
    status = cluster.must_get(f"{CONFIGS}/{node}").get("status", {})
    own: dict[str, Any] = status.get("node", {})
    return own if own.get("limit") == 7 else None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"minWarmTarget": 5, "maxWarmTarget": 4}, "choose the warm targets with 0 <= minWarmTarget"),
        ({"subnets": ["subnet-12345678"], "subnetTags": {"a": "b"}}, "at most one of subnets"),
        ({"maxRouteENI": -1}, "spec.maxRouteENI"),
        ({"securityGroups": ["sg-12345678", "sg-12345678"]}, "each security group can be named once"),
        ({"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, "values are needed"),
    ],
)
def test_what_is_wrong_is_refused_by_the_api_server(cluster: ClusterUnderTest, spec: Any, words: str):
    with pytest.raises(ClusterError) as refusal:
        cluster.apply(config("wrong", **spec))

    assert words in str(refusal.value)


def test_groups_that_contradict_each_other_are_told_and_change_nothing(cluster: ClusterUnderTest, node: str):
    cluster.apply(group(maxRouteENI=2))
    cluster.wait(
        "it is followed", lambda: in_force(cluster, node, "maxRouteENI") == [2, f"NodeENIConfig {GROUP}"]
    )

    cluster.apply(config("e2e-rival", nodeSelector={}, maxRouteENI=1))

    def refused() -> str:
        conditions = cluster.must_get(f"{CONFIGS}/e2e-rival").get("status", {}).get("conditions", [])
        return next((str(c["message"]) for c in conditions if c["reason"] == "Contradiction"), "")

    message = cluster.wait("the object says so", lambda: refused() or None)
    assert f"NodeENIConfig {GROUP} and NodeENIConfig e2e-rival both match node {node}" in message
    assert in_force(cluster, node, "maxRouteENI") == [2, f"NodeENIConfig {GROUP}"]
