"""What cloud-init, DHCP or an operator put in the way of Pods' packets is noticed, mended or told."""

import pytest

from testbed import probes

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


@pytest.fixture
def pod(node, request):
    _, sandbox = node.pod_and_sandbox(f"intruded-{abs(hash(request.node.name))}")
    code, result = node.call("add", sandbox)
    assert code == 0
    yield sandbox, ip_of(result)
    node.delete_pod(sandbox)


def addresses(node):
    return node.on_node("ip", "-4", "-o", "address")


@pytest.mark.parametrize("link", ["eth1", "eth0", "lo"])
def test_a_pods_address_on_a_link_of_the_node_is_taken_off(node, pod, link):
    sandbox, ip = pod
    own = addresses(node)
    node.on_node("ip", "address", "add", f"{ip}/24", "dev", link)

    node.eventually("taken off", lambda: addresses(node) == own)

    assert f"{ip} is an address for Pods and was on {link}" in node.log()
    with probes.SourceReporter(node.node.netns):
        node.eventually("traffic", lambda: probes.seen_source(sandbox.netns, node.node.private_ip) == ip)


def test_an_address_of_the_pool_is_taken_off_before_a_pod_has_it(node):
    own = addresses(node)
    _, sandbox = node.pod_and_sandbox("first-of-two")
    _, result = node.call("add", sandbox)
    node.delete_pod(sandbox)
    node.on_node("ip", "address", "add", f"{ip_of(result)}/32", "dev", "eth1")

    node.eventually("taken off", lambda: addresses(node) == own)


def test_a_foreign_rule_that_takes_a_pods_packets_is_told_and_left(node, pod):
    _, ip = pod
    rule = ("from", ip, "lookup", "99", "priority", "100")
    node.on_node("ip", "rule", "add", *rule)

    def problems():
        return [problem for problem in node.status()["problems"] if "lookup 99" in problem]

    node.eventually("told", problems)
    assert ip in problems()[0]
    assert "'100: from " in node.log()
    assert node.call("status") == (0, {}), "no reason to take the node out of service"
    assert f"from {ip} lookup 99" in node.on_node("ip", "rule")
    node.on_node("ip", "rule", "del", *rule)
    node.eventually("told no more", lambda: not problems())
