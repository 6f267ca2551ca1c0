"""A node whose Pods were wired by a release before goes on: nothing is renamed, and no Pod notices.

0.1 named a link by namespace and Pod, and counted the network to the identity of a sandbox. The release after
it named a link by its sandbox. Both made the MACs of a veth from the Pod's address, wrote no address beside
the link, and let a Pod's packets in by its route alone.
"""

import re
import sqlite3

import pytest

from ipamd.core import names
from ipamd.store import schema
from testbed import probes

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.executed]

POD = "of-before"
NAMED_BY_POD, NAMED_BY_SANDBOX = 2, 3
"""The schemas of the stores of those releases."""


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def host_link(result):
    return next(i["name"] for i in result["interfaces"] if not i.get("sandbox"))


def links(node):
    lines = node.on_node("ip", "-o", "link").splitlines()
    return {name for line in lines if (name := line.split()[1].split("@")[0].rstrip(":")).startswith("eni")}


def wire_as_before(node, sandbox, result, link):
    """Wire the Pod again as those releases did, by the commands that say the same; return ADD's result."""
    ip = ip_of(result)
    tail = "{:02x}:{:02x}:{:02x}:{:02x}".format(*map(int, ip.split(".")))
    host_mac, pod_mac = f"0a:e0:{tail}", f"0a:e1:{tail}"
    new, inside = host_link(result), ("netns", "exec", sandbox.netns, "ip")
    shown = node.on_node("ip", "-o", "link", "show", new)
    (alias,) = re.findall(r"alias (\S+ \S+ eth0 \S+ \S+)", shown)
    (mtu,) = re.findall(r"mtu (\d+)", shown)
    node.on_node("ip", "link", "del", new)
    node.on_node(
        *("ip", "link", "add", link, "mtu", mtu, "address", host_mac, "type", "veth"),
        *("peer", "name", "eth0", "mtu", mtu, "address", pod_mac, "netns", sandbox.netns),
    )
    node.on_node("sysctl", "-qw", f"net.ipv6.conf.{link}.disable_ipv6=1")
    node.on_node("ip", *inside[:3], "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    node.on_node("ip", *inside, "link", "set", "eth0", "up")
    node.on_node("ip", *inside, "address", "add", f"{ip}/32", "dev", "eth0")
    node.on_node("ip", *inside, "route", "add", "169.254.1.1", "dev", "eth0", "scope", "link", "proto", "116")
    node.on_node(
        *("ip", *inside, "route", "add", "default", "via", "169.254.1.1", "dev", "eth0"),
        *("onlink", "proto", "116"),
    )
    node.on_node(
        *("ip", *inside, "neighbour", "replace", "169.254.1.1", "dev", "eth0"),
        *("lladdr", host_mac, "nud", "permanent"),
    )
    node.on_node("ip", "link", "set", link, "up", "alias", alias)
    node.on_node("ip", "route", "replace", f"{ip}/32", "dev", link, "scope", "link", "proto", "116")
    node.on_node("ip", "neighbour", "add", "proxy", "169.254.1.1", "dev", link)
    node.on_node("nft", "flush", "chain", "ip", "tke_eni", "sources")
    node.on_node("nft", "delete", "set", "ip", "tke_eni", "pod_sources")
    by_route = 'iifname "eni*" fib saddr . iif oif missing drop'
    node.on_node("nft", "add", "rule", "ip", "tke_eni", "sources", by_route)
    interfaces = [
        interface | ({"mac": pod_mac} if interface.get("sandbox") else {"name": link, "mac": host_mac})
        for interface in result["interfaces"]
    ]
    return result | {"interfaces": interfaces}


def rewrite_the_store(node, version):
    """Bring the store back to the schema of an earlier release."""
    assert len(schema.MIGRATIONS) == 4, "later steps have to be undone here, too"
    with sqlite3.connect(node.store) as store:
        store.execute("ALTER TABLE leases DROP COLUMN host_mac")
        if version == NAMED_BY_POD:
            first = schema.MIGRATIONS[0]
            table = first[first.index("CREATE TABLE leases") : first.index("CREATE TABLE intents")]
            store.executescript(f"ALTER TABLE leases RENAME TO newer; {table}")
            columns = "ip, network, container_id, ifname, namespace, name, uid, netns, by_name"
            store.execute(f"INSERT INTO leases SELECT {columns}, NULL FROM newer")
            store.execute("DROP TABLE newer")
        store.execute("DELETE FROM migrations WHERE version > ?", (version,))
    store.close()


@pytest.fixture(params=[NAMED_BY_POD, NAMED_BY_SANDBOX], ids=["0.1", "named by sandbox"])
def upgraded(request, own_node):
    """A node and a running Pod that a release before had wired; this release's agent is not started yet."""
    node = own_node.begin()
    pod, sandbox = node.pod_and_sandbox(POD)
    code, result = node.call("add", sandbox)
    assert code == 0
    node.stop(node.agent)
    by_pod = names.host_veth_of_pod("default", POD)
    link = by_pod if request.param == NAMED_BY_POD else names.host_veth(sandbox.container_id, "eth0")
    result = wire_as_before(node, sandbox, result, link)
    rewrite_the_store(node, request.param)
    return node, pod, sandbox, result


def as_the_pod_sees_it(node, sandbox, result):
    """Both ends with their indexes, MACs and how often they were down, and the Pod's gateway."""
    inside = ("ip", "netns", "exec", sandbox.netns, "ip")
    return (
        node.on_node("ip", "-d", "-o", "link", "show", host_link(result)),
        node.on_node("cat", f"/sys/class/net/{host_link(result)}/carrier_changes"),
        node.on_node(*inside, "-d", "-o", "link", "show", "eth0"),
        node.on_node(*inside, "neighbour"),
        node.on_node(*inside, "route"),
    )


def is_whole(node, sandbox, result):
    assert node.call("check", sandbox, conf={"prevResult": result}) == (0, {})
    with probes.SourceReporter(sandbox.netns):
        assert probes.seen_source(node.node.netns, ip_of(result))


def test_pod_of_a_release_before_runs_on_and_its_del_leaves_nothing(upgraded):
    node, _, sandbox, result = upgraded
    before = as_the_pod_sees_it(node, sandbox, result)

    node.start_again()

    node.ctl("repair")
    assert as_the_pod_sees_it(node, sandbox, result) == before
    assert "repaired: " not in node.log()
    is_whole(node, sandbox, result)
    assert links(node) == {host_link(result)}
    assert node.pods()[POD]["hostInterface"] == host_link(result)
    assert node.call("del", sandbox) == (0, {})
    node.eventually("the link is gone", lambda: links(node) == set())
    assert node.traces(ip_of(result)) == []


def test_repeated_add_of_such_a_sandbox_gives_what_it_has(upgraded):
    node, _, sandbox, result = upgraded
    node.start_again()
    before = as_the_pod_sees_it(node, sandbox, result)

    assert node.call("add", sandbox) == (0, result)

    assert as_the_pod_sees_it(node, sandbox, result) == before


def test_such_a_pod_whose_link_was_taken_away_gets_it_back_with_the_macs_that_it_had(upgraded):
    node, _, sandbox, result = upgraded
    node.start_again()
    node.on_node("ip", "link", "del", host_link(result))

    assert node.call("add", sandbox) == (0, result)

    is_whole(node, sandbox, result)


def test_such_a_pod_has_back_what_somebody_has_taken_from_the_node(upgraded):
    node, _, sandbox, result = upgraded
    node.start_again()
    node.on_node("ip", "route", "del", ip_of(result))
    node.on_node("nft", "flush", "ruleset")

    node.ctl("repair")

    is_whole(node, sandbox, result)


def test_next_sandbox_of_such_a_pod_gets_a_link_of_its_own_beside_the_old_one(upgraded):
    node, pod, sandbox, result = upgraded
    node.start_again()
    new = node.runtime.new_sandbox(pod=pod)

    code, second = node.call("add", new)

    assert (code, ip_of(second)) == (0, ip_of(result))
    end = names.host_end(new.container_id, "eth0")
    assert [(i["name"], i["mac"]) for i in second["interfaces"]] == [end, ("eth0", names.pod_mac(end.mac))]
    node.eventually("the old link is gone", lambda: links(node) == {end.name})
    assert node.call("del", sandbox) == (0, {})
    is_whole(node, new, second)


@pytest.mark.parametrize("lost", ["the store", "the store and the route"])
def test_lost_store_finds_such_links_by_what_they_say_of_themselves(upgraded, lost):
    node, _, sandbox, result = upgraded
    lose_the_store(node)
    if lost == "the store and the route":
        node.on_node("ip", "route", "del", ip_of(result))

    node.start_again()

    assert node.pods()[POD]["hostInterface"] == host_link(result)
    checked = lambda: node.call("check", sandbox, conf={"prevResult": result})[0]  # noqa: E731
    node.eventually("what was taken is back", lambda: checked() == 0)
    is_whole(node, sandbox, result)
    assert node.call("del", sandbox) == (0, {})
    node.eventually("the link is gone", lambda: links(node) == set())


def test_lost_store_and_route_of_a_pod_of_this_release_are_found_by_what_stands_beside_its_link(own_node):
    node = own_node.begin()
    _, sandbox = node.pod_and_sandbox("of-now")
    _, result = node.call("add", sandbox)
    node.stop(node.agent)
    lose_the_store(node)
    node.on_node("ip", "route", "del", ip_of(result))

    node.start_again()

    assert node.pods()["of-now"]["hostInterface"] == host_link(result)
    is_whole(node, sandbox, result)


def lose_the_store(node):
    for suffix in ("", "-wal", "-shm"):
        node.store.with_name(node.store.name + suffix).unlink(missing_ok=True)
