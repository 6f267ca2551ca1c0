"""A node whose Pods were wired by the release before goes on: nothing is renamed, and no Pod notices.

That release named a link by namespace and Pod, and counted the network to the identity of a sandbox.
"""

import sqlite3

import pytest

from ipamd.core import names
from ipamd.store import schema
from testbed import probes

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

POD = "of-before"


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def host_link(result):
    return next(i["name"] for i in result["interfaces"] if not i.get("sandbox"))


def old_name():
    return names.host_veth_of_pod("default", POD)


def links(node):
    lines = node.on_node("ip", "-o", "link").splitlines()
    return {name for line in lines if (name := line.split()[1].split("@")[0].rstrip(":")).startswith("eni")}


def rename_the_link(node, result):
    """Give a Pod's link the name that the release before gave."""
    new, ip = host_link(result), ip_of(result)
    node.on_node("ip", "link", "set", new, "down")
    node.on_node("ip", "link", "set", new, "name", old_name())
    node.on_node("ip", "link", "set", old_name(), "up")
    node.on_node("ip", "route", "replace", f"{ip}/32", "dev", old_name(), "scope", "link", "proto", "116")
    for interface in result["interfaces"]:
        if interface["name"] == new:
            interface["name"] = old_name()


def rewrite_the_store(node):
    """Bring the store back to the schema in which no link was named and the network was part of the key."""
    with sqlite3.connect(node.store) as store:
        before = len(schema.MIGRATIONS) - next(
            n for n, step in enumerate(reversed(schema.MIGRATIONS)) if "leases_by_network" in step
        )
        assert before == len(schema.MIGRATIONS), "later steps have to be undone here, too"
        first = schema.MIGRATIONS[0]
        table = first[first.index("CREATE TABLE leases") : first.index("CREATE TABLE intents")]
        store.executescript(f"ALTER TABLE leases RENAME TO newer; {table}")
        columns = "ip, network, container_id, ifname, namespace, name, uid, netns, by_name"
        store.execute(f"INSERT INTO leases SELECT {columns}, NULL FROM newer")
        store.execute("DROP TABLE newer")
        store.execute("DELETE FROM migrations WHERE version = ?", (before,))
    store.close()


@pytest.fixture
def upgraded(own_node):
    """A node and a running Pod that the release before had wired; this release's agent is not started yet."""
    node = own_node.begin()
    pod, sandbox = node.pod_and_sandbox(POD)
    code, result = node.call("add", sandbox)
    assert code == 0
    node.stop(node.agent)
    rename_the_link(node, result)
    return node, pod, sandbox, result


def is_whole(node, sandbox, result):
    assert node.call("check", sandbox, conf={"prevResult": result}) == (0, {})
    with probes.SourceReporter(sandbox.netns):
        assert probes.seen_source(node.node.netns, ip_of(result))


def test_pod_of_the_release_before_runs_on_and_its_del_leaves_nothing(upgraded):
    node, _, sandbox, result = upgraded
    rewrite_the_store(node)

    node.start_again()

    is_whole(node, sandbox, result)
    node.ctl("repair")
    assert links(node) == {old_name()}
    assert node.pods()[POD]["hostInterface"] == old_name()
    is_whole(node, sandbox, result)
    assert node.call("del", sandbox) == (0, {})
    node.eventually("the link is gone", lambda: links(node) == set())
    assert node.traces(ip_of(result)) == []


def test_next_sandbox_of_such_a_pod_gets_a_link_of_its_own_beside_the_old_one(upgraded):
    node, pod, sandbox, result = upgraded
    rewrite_the_store(node)
    node.start_again()
    new = node.runtime.new_sandbox(pod=pod)

    code, second = node.call("add", new)

    assert (code, ip_of(second)) == (0, ip_of(result))
    assert host_link(second) == names.host_veth(new.container_id, "eth0")
    node.eventually("the old link is gone", lambda: links(node) == {host_link(second)})
    assert node.call("del", sandbox) == (0, {})
    is_whole(node, new, second)


def test_lost_store_finds_links_of_either_name_by_what_stands_beside_them(upgraded):
    node, _, sandbox, result = upgraded
    for suffix in ("", "-wal", "-shm"):
        node.store.with_name(node.store.name + suffix).unlink(missing_ok=True)

    node.start_again()

    assert node.pods()[POD]["hostInterface"] == old_name()
    is_whole(node, sandbox, result)
    assert node.call("del", sandbox) == (0, {})
    node.eventually("the link is gone", lambda: links(node) == set())
