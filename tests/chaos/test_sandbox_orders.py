"""Verbs of one sandbox, and of sandboxes of one Pod, in orders that runtimes and operators make.

An ADD for a new sandbox before the DEL of the old one, a late ADD, a DEL while the ADD waits, a queue
of DELs that is older than the ADD: what is asked for one sandbox ends no other.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.verbs import bound_at
from tests.testkit.eventually import comes_about

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        assert comes_about(lambda: len(cluster.nodes[0].ledger.available) >= 6, 10.0)
        yield cluster
        cluster.settle()
        assert cluster.verdicts.sentences() == []


def test_late_add_of_a_sandbox_without_namespace_ends_no_other(with_eip):
    scene = with_eip
    assert scene.call("add", 0).code == 0
    [eip] = bound_at(scene, 0)

    for verb in ("late add", "add second"):
        assert scene.call(verb, 1).code == 1

    assert scene.owners() == {0}
    assert bound_at(scene, 0) == [eip]
    scene.check()


def test_sandbox_that_comes_with_another_namespace_or_interface_stays_as_it_is(scene):
    assert scene.call("add", 0).code == 0

    for verb in ("add elsewhere", "late add", "add second"):
        assert scene.call(verb, 0).code == 1

    assert scene.owners() == {0}
    scene.check()


def test_sandbox_ends_whatever_its_network_is_called_by_now(scene):
    assert scene.call("add", 0).code == 0

    assert scene.call("del renamed", 0).code == 0

    assert scene.owners() == set()


def test_add_and_del_of_one_sandbox_at_once_end_in_one_state(scene):
    for _ in range(20):
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(scene.call, verb, 0) for verb in ("add", "del")]
            assert calls[1].result().code == 0
        assert comes_about(lambda: (0 in scene.owners()) == bool(scene.links()), 5.0)
        scene.check()


def test_del_while_its_add_waits_for_an_eip_ends_the_wait(with_eip):
    scene = with_eip
    outage = scene.around.add_faults([{"kind": "timeout_before", "action": "*", "count": None}])
    with ThreadPoolExecutor(1) as pool:
        add = pool.submit(scene.call, "add", 0)
        assert comes_about(lambda: 0 in scene.owners(), 5.0)

        assert scene.call("del", 0).code == 0

        assert add.result(timeout=5.0).code == 1
    scene.around.remove_faults(outage)
    assert scene.owners() == set()


def test_new_sandbox_that_comes_before_the_del_of_the_old_keeps_address_and_eip(with_eip):
    scene = with_eip
    assert scene.call("add", 0).code == 0
    [eip] = bound_at(scene, 0)

    assert scene.call("add", 1).code == 0
    assert scene.call("del", 0).code == 0

    assert scene.results[1]["ips"] == scene.results[0]["ips"]
    assert bound_at(scene, 1) == [eip]
    scene.check()


def test_add_that_gives_up_while_the_bind_succeeds_leaves_the_eip_to_the_next_one(with_eip):
    """The deadline of the caller falls into each part of the bind in turn."""
    scene = with_eip
    for tenths in range(1, 8):
        scene.call("add", 0, timeout=0.5 + tenths / 10)
        scene.call("del", 0)

    assert comes_about(lambda: scene.call("add", 1).code == 0, 20.0)

    assert len(bound_at(scene, 1)) == 1
    pod = scene.pods[0]["metadata"]["name"]
    assert [e["AddressId"] for e in bound_at(scene, 1)] == [
        scene.around.claims()[pod]["status"]["address"]["id"]
    ]


def test_garbage_collection_spares_the_sandbox_whose_add_is_under_way(with_eip):
    scene = with_eip
    outage = scene.around.add_faults([{"kind": "timeout_before", "action": "*", "count": None}])
    with ThreadPoolExecutor(1) as pool:
        add = pool.submit(scene.call, "add", 0)
        assert comes_about(lambda: 0 in scene.owners(), 5.0)

        assert scene.call("gc", 0, listed=[]).code == 0

        assert scene.owners() == {0}
        scene.around.remove_faults(outage)
        assert add.result(timeout=20.0).code == 0 or comes_about(lambda: scene.call("add", 0).code == 0, 10.0)


def test_queued_del_of_a_sandbox_that_is_added_again_does_not_end_it(scene):
    assert scene.call("add", 0).code == 0
    scene.node.stop()
    assert scene.call("del", 0).code == 0
    [queued] = scene.node.pending.glob("*.del")
    content = queued.read_bytes()
    scene.node.start()
    assert scene.owners() == set()
    # As if it had failed then: it stays in the queue.
    queued.write_bytes(content)

    assert scene.call("add", 0).code == 0

    assert not queued.exists()
    scene.node.agent.sandboxes.pending_deletes.drain()
    assert scene.owners() == {0}
    scene.check()


def test_dels_of_before_a_reboot_free_nothing_of_after_it(scene):
    assert scene.call("add", 0).code == 0
    first = scene.results[0]["ips"]
    scene.node.kill()
    scene.sandboxes[0].remove()
    scene.node.reboot()
    scene.node.start()

    assert scene.call("add", 1).code == 0
    for _ in range(2):
        assert scene.call("del", 0).code == 0

    assert scene.results[1]["ips"] == first
    assert scene.owners() == {1}
    scene.check()
