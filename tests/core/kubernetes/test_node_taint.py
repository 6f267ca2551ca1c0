"""The taint of Nodes without addresses: known by its key, written together with the taints of others."""

import pytest

from ipamd.core.kubernetes import node_taint, nodes

OURS = {"key": "tke.cloud.tencent.com/eni-ip-unavailable", "value": "true", "effect": "NoSchedule"}
OTHER = {"key": "dedicated", "value": "db", "effect": "NoExecute"}


def node(*taints, **spec):
    return {
        "metadata": {"name": "node-a", "resourceVersion": "7"},
        "spec": {**spec, **({"taints": list(taints)} if taints else {})},
    }


@pytest.mark.parametrize("taint", [OURS, {**OURS, "value": ""}, {"key": OURS["key"], "effect": "NoExecute"}])
def test_the_taint_is_known_by_its_key(taint):
    assert node_taint.is_tainted(node(OTHER, taint))
    assert node_taint.without(node(OTHER, taint, OTHER))["spec"] == {"taints": [OTHER, OTHER]}


def test_the_last_taint_leaves_no_empty_list():
    assert node_taint.without(node(OURS))["spec"] == {"taints": None}


def test_other_taints_stay_when_ours_is_added():
    assert node_taint.added(node(OTHER))["spec"] == {"taints": [OTHER, OURS]}


@pytest.mark.parametrize("patch", [node_taint.without, node_taint.added])
def test_a_patch_is_for_the_version_that_was_read(patch):
    assert patch(node(OTHER))["metadata"] == {"resourceVersion": "7"}


@pytest.mark.parametrize(
    "hostile", [{}, {"spec": None}, {"spec": {"taints": "x"}}, {"spec": {"taints": [1]}}]
)
def test_a_node_that_is_no_node_has_no_taint(hostile):
    assert not node_taint.is_tainted(hostile)


def test_trimmed_nodes_tell_the_same_of_taint_and_addresses():
    obj = node(OTHER, OURS, unschedulable=True)
    obj["status"] = {"allocatable": {"cpu": "4", "tke.cloud.tencent.com/eni-ip": "27"}}

    trimmed = nodes.trim(obj)

    assert nodes.view(trimmed) == nodes.view(obj)
    assert (nodes.view(obj).tainted, nodes.view(obj).has_addresses) == (True, True)
    assert trimmed["spec"] == {"taints": [{"key": OURS["key"]}]}
    assert trimmed["status"]["allocatable"] == {"tke.cloud.tencent.com/eni-ip": "27"}


@pytest.mark.parametrize("offered", [{}, {"tke.cloud.tencent.com/eni-ip": "0"}, {"cpu": "4"}])
def test_a_node_whose_addresses_a_kubelet_set_to_zero_has_none(offered):
    obj = {**node(), "status": {"allocatable": offered}}

    assert not nodes.view(nodes.trim(obj)).has_addresses
