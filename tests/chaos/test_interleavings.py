"""Verbs of one sandbox, of sandboxes of one Pod, and of several Pods at once and in every order.

A runtime may call DEL while ADD is under way, ADD for a new sandbox before the DEL of the old one, and either
twice; an ADD may come when its namespace is gone, or with another namespace or interface than before; a DEL
after the operator has renamed the network; a list for GC may be older than an ADD. Whatever happens, the
kernel and the ledger tell the same, what is asked for one sandbox ends no other, and after the last DEL
nothing is left.
"""

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chaos.cluster import Cluster
from tests.chaos.pause import a_verb, paused, the_repair
from tests.chaos.pod_lives import Kind
from tests.chaos.verbs import ADDS, SANDBOXES, Scene
from tests.testkit.eventually import comes_about

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        assert comes_about(lambda: len(cluster.nodes[0].ledger.available) >= 6, 10.0)
        yield cluster
        cluster.settle()
        assert cluster.verdicts.sentences() == []


NONE: frozenset[int] = frozenset()
verbs = st.sampled_from(
    ["add", "add", "add", "del", "del", "del renamed", "late add", "add elsewhere", "add second"]
)
calls = st.tuples(verbs, st.integers(0, SANDBOXES - 1), st.just(NONE))
collections_of_garbage = st.tuples(
    st.just("gc"), st.just(0), st.frozensets(st.integers(0, SANDBOXES - 1), max_size=SANDBOXES)
)
threads = st.lists(
    st.lists(st.one_of(calls, calls, calls, calls, collections_of_garbage), min_size=1, max_size=4),
    min_size=2,
    max_size=3,
)


def ends(call, number):
    """Whether a call may end a sandbox."""
    if call.verb == "gc":
        return number not in call.listed
    return call.verb in ("del", "del renamed") and call.sandbox == number


def disturbs(call, added, done):
    """Whether a call may have taken its address from a sandbox that was added.

    So does the end of that very sandbox, and a newer sandbox of its Pod: one whose ADD has succeeded, or was
    about to when its own end came.
    """
    if ends(call, added.sandbox):
        return True
    if call.verb not in ADDS or call.sandbox == added.sandbox or call.sandbox // 2 != added.sandbox // 2:
        return False
    return call.code == 0 or any(ends(other, call.sandbox) and other.ended > call.began for other in done)


@pytest.mark.parametrize("kind", [Kind.PLAIN, Kind.OWN, Kind.FIXED], ids=lambda kind: kind.value)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=threads)
def test_whatever_order_the_verbs_come_in_kernel_and_ledger_agree(cluster, kind, plan):
    scene = Scene(cluster, kind)
    try:
        start = threading.Barrier(len(plan))

        def follow(steps):
            start.wait(10)
            return [scene.call(*step) for step in steps]

        with ThreadPoolExecutor(len(plan)) as pool:
            done = [call for calls in pool.map(follow, plan) for call in calls]

        scene.check()
        owners = scene.owners()
        for call in done:
            assert not (call.verb == "late add" and call.code == 0), f"{call}; {done}"
            if call.verb not in ADDS or call.code:
                continue
            later = [other for other in done if other.ended > call.began and other is not call]
            disturbed = any(disturbs(other, call, done) for other in later)
            assert disturbed or call.sandbox in owners, f"{call} lost its address; {done}"
        for call in done:
            if call.verb in ("del", "del renamed"):
                again = [o for o in done if o.verb in ADDS and o.sandbox == call.sandbox]
                if not any(o.ended > call.began for o in again):
                    assert call.sandbox not in owners, f"{call} left the address; {done}"
    finally:
        scene.end()


NODE_SIDE = "netlink.newlink+newroute+newneigh"
"""The datagram that leads an address to its link."""
STEPS_OF_AN_ADD = [
    ("store.commit.assigned", "before"),
    ("store.commit.assigned", "after"),
    ("netlink.newlink", "after"),
    (NODE_SIDE, "after"),
    ("nft.add.pod_sources", "after"),
]


@pytest.mark.parametrize(("step", "when"), STEPS_OF_AN_ADD)
def test_nothing_is_assigned_after_a_del_that_came_in_any_step_of_the_add(scene, step, when):
    with ThreadPoolExecutor(2) as pool, paused(step, when, by=a_verb) as pause:
        add = pool.submit(scene.call, "add", 0)
        assert pause.reached.wait(5)
        delete = pool.submit(scene.call, "del", 0)
        # Lets the DEL come as far as it can while the ADD stands still.
        wait([delete], 0.3)
        pause.over.set()

        assert delete.result(10).code == 0
        assert scene.owners() == set()
        assert add.result(10).code == 1
    assert scene.owners() == set()
    assert comes_about(lambda: not scene.links(), 5.0)


def test_elements_do_not_come_back_when_a_pod_is_deleted_while_it_is_mended(shared_scene):
    """The repair has seen that an element is gone, and adds it again in the very moment of the DEL."""
    assert shared_scene.call("add", 0).code == 0
    ip = shared_scene.results[0]["ips"][0]["address"].removesuffix("/32")
    argv = ["nft", "delete", "element", "ip", "tke_eni", "pods", f"{{ {ip} }}"]
    with (
        ThreadPoolExecutor(1) as pool,
        paused(NODE_SIDE, "after", by=the_repair) as before,
        paused("nft.add.pods", "after", by=the_repair) as added,
    ):
        shared_scene.node.on_node(lambda: subprocess.run(argv, check=True))
        assert before.reached.wait(10)
        delete = pool.submit(shared_scene.call, "del", 0)
        wait([delete], 1.0)
        before.over.set()
        assert added.reached.wait(5)

        too_late = delete.done() and ip in shared_scene.node.pods_in_kernel()[1]
        added.over.set()

        assert not too_late
        assert delete.result(10).code == 0
    assert ip not in shared_scene.node.pods_in_kernel()[1]


def test_sandbox_that_gets_an_address_while_it_is_cleaned_is_wired_all_the_same(shared_scene):
    """The repair removes what is left of a free address, and in that moment the address is given."""
    ip = min(shared_scene.node.ledger.available, key=lambda a: (a.state.since, a.ip)).ip
    chain = shared_scene.node.on_node(a_pod_chain)
    argv = ["nft", "add", "element", "ip", "tke_eni", "pods", f"{{ {ip} : goto {chain} }}"]
    with ThreadPoolExecutor(1) as pool, paused("nft.delete.pods", "before", by=the_repair) as pause:
        shared_scene.node.on_node(lambda: subprocess.run(argv, check=True))
        assert pause.reached.wait(10)
        add = pool.submit(shared_scene.call, "add", 0)
        wait([add], 1.0)
        pause.over.set()
        assert add.result(10).code == 0

    assert shared_scene.results[0]["ips"][0]["address"] == f"{ip}/32"
    shared_scene.check()


def a_pod_chain():
    """The name of a chain that packets of Pods of some ENI go to."""
    argv = ["nft", "list", "table", "ip", "tke_eni"]
    listed = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return next(word for word in listed.split() if word.startswith("pod_0x"))


def test_a_repair_that_looked_before_an_add_does_not_give_the_eni_back_once_more(cluster):
    scene = Scene(cluster, Kind.OWN)
    agent = scene.node.agent
    assert comes_about(lambda: agent.ledger.current.available_enis, 20.0)
    before = scene.node.on_node(agent.dataplane.listing)
    try:
        assert scene.call("add", 0).code == 0

        assert scene.node.on_node(lambda: agent._parts.repair.exclusive.mend(before)) == 0
        scene.check()
    finally:
        scene.end()
