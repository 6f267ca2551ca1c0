"""Security groups of ENIs that single Pods have: kept as they are configured, also under running Pods."""

import pytest

from tests.agent.exclusive.test_exclusive_pods import NODE_OPTIONS, Given, extended
from tests.agent.pool.test_node_config import CLOSED, OPEN, SECOND, Node

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
REGION = {
    "security_groups": [
        {"security_group_id": OPEN},
        {"security_group_id": SECOND, "ingress": ["10.0.0.0/8"]},
        {"security_group_id": CLOSED, "ingress": []},
    ]
}


@pytest.fixture
def node(tmp_path):
    with Node(tmp_path) as bed:
        yield bed.begin(*NODE_OPTIONS, region=REGION)


def test_groups_that_are_configured_reach_the_eni_of_a_running_pod_and_warm_ones(node):
    given = Given(node, "game-0")
    node.eventually("a warm one", lambda: len(extended(node)) == 2)

    node.configure(securityGroups=[SECOND, OPEN])

    node.eventually(
        "all have them",
        lambda: all(set(eni.security_groups) == {SECOND, OPEN} for eni in extended(node).values()),
    )
    assert given.ip in extended(node)
    assert node.call("check", given.sandbox, conf={"prevResult": given.result})[0] == 0


def test_a_node_that_is_told_to_leave_groups_alone_leaves_those_too(node):
    node.eventually("a warm one", lambda: len(extended(node)) == 1)
    before = [eni.security_groups for eni in extended(node).values()]
    node.configure(syncSecurityGroups=False, securityGroups=[CLOSED])
    source = lambda: node.settings().get("securityGroups", ("", ""))[1]  # noqa: E731
    node.eventually("it is in force", lambda: source().startswith("NodeENIConfig"))

    given = Given(node, "game-0")
    # A new ENI has them, those that were there do not.
    node.eventually("another one", lambda: len(extended(node)) == 2)

    assert extended(node)[given.ip].security_groups in before
    assert (CLOSED,) in [eni.security_groups for eni in extended(node).values()]
