"""A node whose ENIs for single Pods are configured while its agent runs; Pods that run keep theirs."""

import pytest

from tests.agent.exclusive.test_exclusive_pods import DIRECT, NODE_OPTIONS, Given, extended
from tests.agent.pool.test_node_config import TKE, Node

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture
def node(tmp_path):
    with Node(tmp_path) as bed:
        yield bed.begin(*NODE_OPTIONS, "--eni-release-interval=1s")


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


def offered(node):
    return node.workloads.node(node.node.name)["status"]["allocatable"].get(TKE + "direct-eni")


def test_targets_and_limit_of_a_node_eni_config_are_followed_at_once(node):
    given = Given(node, "game-0")
    node.eventually("a warm one", lambda: len(extended(node)) == 2)

    node.configure(minWarmENITarget=2, maxWarmENITarget=3)
    node.eventually("two are warm", lambda: len(extended(node)) == 3, seconds=60.0)
    told = [2, "NodeENIConfig test"]
    node.eventually("the Node says so", lambda: node.state()["values"]["minWarmENITarget"] == told)

    node.configure(minWarmENITarget=2, maxWarmENITarget=3, maxDirectENI=1)
    node.eventually("one is offered", lambda: offered(node) == "1")
    node.eventually("those too many go", lambda: set(extended(node)) == {given.ip}, seconds=60.0)
    _, late = node.pod_and_sandbox("game-1", annotations=DIRECT)
    code, refusal = node.call("add", late)
    assert code != 0
    assert "all 1 ENIs that Pods of this node may have are in use" in refusal["msg"]
    assert node.call("check", given.sandbox, conf={"prevResult": given.result})[0] == 0


def test_tkes_annotations_of_the_node_are_over_the_object_and_what_is_wrong_changes_nothing(node):
    node.configure(maxDirectENI=3, maxWarmENITarget=2)
    node.annotate({TKE + "direct-eni-max-attach": "2"})
    node.eventually("the annotation holds", lambda: offered(node) == "2")

    node.annotate({TKE + "direct-eni-min-warm-target": "3"})

    node.eventually("it is refused", lambda: "minWarmENITarget 3" in node.state().get("refused", ""))
    words = "maxWarmENITarget is 2 by NodeENIConfig test, and minWarmENITarget 3 by annotation "
    assert words + TKE + "direct-eni-min-warm-target" in node.state()["refused"]
    assert node.state()["values"]["minWarmENITarget"] == [1, "default of --eni-min-warm-target"]


def test_an_eni_that_a_lagging_listing_shows_after_its_end_is_not_taken_in_again(tmp_path):
    with Node(tmp_path) as node:
        node.begin(*NODE_OPTIONS, "--eni-release-interval=1s", "--cloud-check-interval=10s")
        node.eventually("a warm one", lambda: len(extended(node)) == 1)
        lag = {"kind": "stale_read", "count": None, "seconds": 60.0}
        # The simulator remembers the past while some fault needs it.
        node.admin.post("/faults", {"add": [{**lag, "action": "DescribeVpcs"}]})
        node.configure(minWarmENITarget=0, maxWarmENITarget=0)
        node.eventually("it is gone", lambda: extended(node) == {} and not own(node), seconds=60.0)

        node.admin.post("/faults", {"add": [{**lag, "action": "DescribeNetworkInterfaces"}]})
        assert len(extended(node)) == 1, "the listing is to be older than the end of the ENI"
        looks = listings(node)
        node.eventually("two looks", lambda: listings(node) >= looks + 2, seconds=40.0)

        assert not own(node)


def own(node):
    return [eni for eni in node.ctl("enis")["enis"] if eni["exclusive"]]


def listings(node):
    return node.admin.get("/audit")["calls"]["DescribeNetworkInterfaces"]
