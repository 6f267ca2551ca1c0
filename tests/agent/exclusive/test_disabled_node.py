"""A node that is disabled has no ENIs for Pods either; those that run keep theirs."""

import pytest

from tests.agent.exclusive.test_exclusive_pods import DIRECT, NODE_OPTIONS, Given, extended
from tests.agent.pool.test_node_config import TKE, Node

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture
def node(tmp_path):
    with Node(tmp_path) as bed:
        yield bed.begin(*NODE_OPTIONS)


def test_a_disabled_node_makes_no_eni_gives_back_free_ones_and_keeps_those_of_pods(node):
    given = Given(node, "game-0")
    node.eventually("a warm one", lambda: len(extended(node)) == 2)

    node.annotate({TKE + "disable-node-eni": "yes"})

    node.eventually("only the Pod's is left", lambda: set(extended(node)) == {given.ip}, seconds=60.0)
    node.eventually(
        "none is offered",
        lambda: node.workloads.node(node.node.name)["status"]["allocatable"].get(TKE + "direct-eni") == "0",
    )
    _, late = node.pod_and_sandbox("game-1", annotations=DIRECT)
    code, refusal = node.call("add", late)
    assert code != 0
    assert f"it is disabled by annotation {TKE}disable-node-eni" in refusal["msg"]
    assert node.call("check", given.sandbox, conf={"prevResult": given.result})[0] == 0

    node.annotate({TKE + "disable-node-eni": None})
    node.eventually("there is a warm one again", lambda: len(extended(node)) == 2, seconds=60.0)
