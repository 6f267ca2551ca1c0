"""What operators see and do of Pods that have an ENI of their own: `ipamctl` against a real agent."""

import subprocess

import pytest

from tests.agent.conftest import AgentBed
from tests.agent.exclusive.test_exclusive_pods import NODE_OPTIONS, Given, extended, links
from tests.agent.findings.holding_bed import HoldingBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with AgentBed(tmp_path_factory.mktemp("operators")) as bed:
        yield bed.begin(*NODE_OPTIONS)


@pytest.fixture
def given(node, request):
    made = Given(node, request.node.name.replace("_", "-")[5:55].strip("-[]"))
    yield made
    made.end()


def listed(node):
    """The exclusive ENIs, as `ipamctl enis` has them."""
    return {eni["eniId"]: eni for eni in node.ctl("enis")["enis"] if eni["exclusive"]}


def test_enis_tell_which_pod_has_each_and_which_are_warm(node, given):
    name = f"default/{given.pod['metadata']['name']}"
    mine = extended(node)[given.ip]
    node.eventually("a warm one", lambda: any(eni["use"] == "free" for eni in listed(node).values()))

    enis = listed(node)

    assert (enis[mine.eni_id]["pod"], enis[mine.eni_id]["use"]) == (name, "pod")
    assert enis[mine.eni_id]["interface"] == "", "its link is the Pod's"
    (warm,) = (eni for eni in enis.values() if eni["use"] == "free")
    assert warm["interface"] in links(node.node.netns)


def test_status_counts_them_apart_from_addresses(node, given):
    shown = node.status()

    assert shown["exclusiveEnis"]["inUse"] == 1
    assert shown["exclusiveEnis"]["limit"] == 39
    assert int(shown["capacity"]["direct-eni"]) == 39
    assert shown["pool"]["inUse"] == 0
    assert node.pods()[given.pod["metadata"]["name"]]["exclusive"]


def test_a_trace_to_the_internet_leaves_by_the_eni(node, given):
    found = node.ctl("trace", f"default/{given.pod['metadata']['name']}")

    assert (found["link"], found["source"]) == ("eth0", given.ip)
    assert "the Pod's ENI (eth0)" in found["verdict"]


def test_a_trace_to_the_node_goes_by_the_second_link(node, given):
    found = node.ctl("trace", f"default/{given.pod['metadata']['name']}", "--to", node.node.private_ip)

    assert "dev veth1" in found["steps"][0]["what"]
    assert found["seenAs"] == "pod"


def test_check_names_an_eni_that_is_out_of_its_pod_and_fix_gives_it_back(tmp_path):
    with HoldingBed(tmp_path) as node:
        conf = node.directory / "net.d" / "10-tke-eni.conflist"
        node.begin(*NODE_OPTIONS, "--repair-interval=1h", f"--cni-conf={conf}", "--no-port-mapping")
        given = Given(node, "game-0")
        node.eventually("all is well", lambda: node.problems() == [])
        node.held.touch()

        def take_out():
            inside = ("ip", "-n", given.sandbox.netns, "link", "set", "eth0")
            subprocess.run([*inside, "down"], check=True)
            subprocess.run([*inside, "netns", node.node.netns, "name", "taken"], check=True)

        take_out()
        # A round that began before the kernel was silenced may have mended it.
        if node.is_well():
            take_out()
        problems = node.problems()
        assert [found["code"] for found in problems] == ["PodInside"], problems
        (finding,) = problems

        assert (finding["code"], finding["pods"]) == ("PodInside", ["default/game-0"])
        assert "is on the node, not in the Pod" in finding["text"]
        assert node.check("--fix")[0] == 0
        assert extended(node)[given.ip].mac in links(given.sandbox.netns)["eth0"]


def test_drain_gives_back_warm_enis_and_names_those_of_pods(own_node):
    own_node.begin(*NODE_OPTIONS)
    given = Given(own_node, "game-0")
    own_node.eventually("a warm one", lambda: len(extended(own_node)) == 2)
    mine = extended(own_node)[given.ip].eni_id

    own_node.ctl("drain", "--timeout", "60")

    assert [eni.eni_id for eni in extended(own_node).values()] == [mine]
    assert list(listed(own_node)) == [mine]
    given.end()
