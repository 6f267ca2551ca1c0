"""Pods with an ENI of their own on a node with a real agent: how they get it, keep it, and give it back."""

import subprocess

import pytest

from testbed.probes import SourceReporter, seen_source
from tests.agent.conftest import AgentBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

DIRECT = {"networks": "tke-direct-eni"}
NODE_OPTIONS = ["--direct-eni", "--service-cidrs=172.16.252.0/22"]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with AgentBed(tmp_path_factory.mktemp("exclusive")) as bed:
        yield bed.begin(*NODE_OPTIONS)


def links(netns):
    shown = subprocess.run(
        ["ip", "-n", netns, "-o", "link"], check=True, capture_output=True, text=True
    ).stdout
    return {line.split(": ")[1].partition("@")[0]: line for line in shown.splitlines()}


def mtu(link):
    return link.split(" mtu ")[1].split()[0]


def extended(node):
    """The exclusive ENIs of the node, by their primary address."""
    listed = node.cloud.describe_enis(node.node.instance_id)
    return {eni.primary_ip: eni for eni in listed if eni.extended}


def put_away(node, ip):
    """Whether the ENI of an address is on the node, down, without a Pod."""
    eni = extended(node).get(ip)
    mac = eni.mac if eni else ""
    found = links(node.node.netns).get(f"tke{mac.replace(':', '')}", "")
    return "state DOWN" in found


def stop(node):
    node._children.stop(node.agent)


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


class Given:
    """A Pod that has its ENI."""

    def __init__(self, node, name, **annotations):
        self.node = node
        self.pod, self.sandbox = node.pod_and_sandbox(name, annotations={**DIRECT, **annotations})
        self.add()

    def add(self):
        code, self.result = self.node.call("add", self.sandbox)
        assert code == 0, self.result
        self.ip = ip_of(self.result)

    def delete(self):
        assert self.node.call("del", self.sandbox)[0] == 0
        self.node.runtime.remove_sandbox(self.sandbox)

    def end(self):
        self.node.workloads.remove_pod(self.pod["metadata"]["name"])
        self.delete()


@pytest.fixture
def given(node, request):
    name = request.node.name.replace("_", "-")[5:55].strip("-[]")
    made = Given(node, name)
    yield made
    made.end()


def test_the_pod_has_the_eni_s_address_and_the_eni(node, given):
    eni = extended(node)[given.ip]
    inside = links(given.sandbox.netns)

    assert set(inside) == {"lo", "eth0", "veth1"}
    assert eni.mac in inside["eth0"]
    assert mtu(inside["eth0"]) == mtu(inside["veth1"]) == mtu(links(node.node.netns)["eth0"])
    (interface,) = [i for i in given.result["interfaces"] if i.get("sandbox")]
    assert interface["mac"] == eni.mac
    assert given.result["ips"][0]["gateway"].endswith(".1")


def test_check_finds_it_right_and_names_what_is_not(node, given):
    conf = {"prevResult": given.result}
    assert node.call("check", given.sandbox, conf=conf)[0] == 0
    subprocess.run(["ip", "-n", given.sandbox.netns, "link", "set", "eth0", "down"], check=True)

    code, error = node.call("check", given.sandbox, conf=conf)

    assert code != 0
    assert "interface eth0 of the Pod is down" in str(error)


def test_node_and_pod_reach_each_other_and_the_metadata_service_is_closed(node, given):
    with SourceReporter(given.sandbox.netns):
        assert seen_source(node.node.netns, given.ip) == node.node.private_ip
    with SourceReporter(node.node.netns):
        assert seen_source(given.sandbox.netns, node.node.private_ip) == given.ip
    assert seen_source(given.sandbox.netns, "169.254.0.23", port=80, seconds=0.5) == ""


@pytest.fixture
def node_local_dns(node):
    """What NodeLocal DNSCache makes on a node: a link of its own with a link-local address."""
    inside = ("ip", "-n", node.node.netns)
    subprocess.run([*inside, "link", "add", "nodelocaldns", "type", "bridge"], check=True)
    subprocess.run([*inside, "addr", "add", "169.254.20.10/32", "dev", "nodelocaldns"], check=True)
    yield "169.254.20.10"
    subprocess.run([*inside, "link", "del", "nodelocaldns"], check=True)


def test_node_local_dns_is_reached_at_its_address(node, given, node_local_dns):
    with SourceReporter(node.node.netns):
        assert seen_source(given.sandbox.netns, node_local_dns) == given.ip
        assert seen_source(node.node.netns, node_local_dns) == node_local_dns
    with SourceReporter(given.sandbox.netns):
        assert seen_source(node.node.netns, given.ip) == node.node.private_ip


def test_both_modes_live_on_one_node(node, given):
    _, sandbox = node.pod_and_sandbox("shared")
    code, result = node.call("add", sandbox)
    assert code == 0
    with SourceReporter(sandbox.netns):
        assert seen_source(given.sandbox.netns, ip_of(result)) == given.ip
    with SourceReporter(given.sandbox.netns):
        assert seen_source(sandbox.netns, given.ip) == ip_of(result)
    node.delete_pod(sandbox)


def test_after_del_the_eni_waits_for_the_next_pod(node, given):
    calls = node.admin.get("/audit")["calls"].get("DetachNetworkInterface", 0)
    given.delete()

    assert put_away(node, given.ip)
    node.eventually("one that is free", lambda: len(extended(node)) >= 1)
    assert node.admin.get("/audit")["calls"].get("DetachNetworkInterface", 0) == calls


def test_a_runtime_that_destroys_the_namespace_first_loses_no_eni(node, given):
    node.runtime.remove_sandbox(given.sandbox)
    assert node.call("del", given.sandbox)[0] == 0

    node.eventually("the ENI is put away", lambda: put_away(node, given.ip))


def test_an_eni_that_was_taken_out_of_a_pod_is_given_back(node, given):
    mac = extended(node)[given.ip].mac
    subprocess.run(["ip", "-n", given.sandbox.netns, "link", "set", "eth0", "down"], check=True)
    inside = ("ip", "-n", given.sandbox.netns, "link", "set")
    subprocess.run([*inside, "eth0", "netns", node.node.netns, "name", "taken"], check=True)

    node.eventually("eth0 is back", lambda: mac in links(given.sandbox.netns).get("eth0", ""))
    node.eventually(
        "it is right", lambda: node.call("check", given.sandbox, conf={"prevResult": given.result})[0] == 0
    )


def test_a_second_add_of_the_sandbox_changes_nothing(node, given):
    before = links(given.sandbox.netns)

    given.add()

    assert links(given.sandbox.netns).keys() == before.keys()


def test_the_next_sandbox_of_the_pod_has_the_same_eni(node, given):
    newer = node.runtime.new_sandbox(pod=given.pod)
    code, result = node.call("add", newer)

    assert code == 0, result
    assert ip_of(result) == given.ip
    assert set(links(newer.netns)) == {"lo", "eth0", "veth1"}
    assert node.call("check", newer, conf={"prevResult": result})[0] == 0
    given.delete()
    assert node.call("check", newer, conf={"prevResult": result})[0] == 0, (
        "the older sandbox's DEL took nothing"
    )
    given.sandbox = newer


def test_a_restarted_agent_leaves_the_pod_its_network(node, given):
    stop(node)
    with SourceReporter(given.sandbox.netns):
        assert seen_source(node.node.netns, given.ip) == node.node.private_ip
    node.start_again()

    assert node.call("check", given.sandbox, conf={"prevResult": given.result})[0] == 0
    with SourceReporter(given.sandbox.netns):
        assert seen_source(node.node.netns, given.ip) == node.node.private_ip


def test_after_a_lost_store_the_pod_keeps_its_eni(node, given):
    stop(node)
    node.store.unlink()
    node.start_again()

    node.eventually("it is known again", lambda: given.pod["metadata"]["name"] in str(node.pods()))
    given.delete()
    node.eventually("the ENI is put away", lambda: put_away(node, given.ip))


def test_the_node_offers_what_it_may_have(node):
    def offered():
        status = node.kube.get(f"/api/v1/nodes/{node.node.name}")["status"]
        return status["allocatable"].get("tke.cloud.tencent.com/direct-eni")

    node.eventually("the resource", lambda: offered() == "39")


def test_an_eip_is_bound_to_the_eni_s_address_and_stays_over_a_new_sandbox(node):
    pod, sandbox = node.pod_and_sandbox("with-eip", annotations={**DIRECT, "eip-attributes": ""}, eip=True)
    eip = node.allocate("with-eip")
    node.claim(pod, eip=eip)

    code, result = node.call("add", sandbox)
    assert code == 0, result
    bound = node.eip(eip.eip_id)
    assert (bound.private_ip, bound.eni_id) == (ip_of(result), extended(node)[ip_of(result)].eni_id)
    with SourceReporter(node.internet_netns):
        assert seen_source(sandbox.netns, node.internet_hosts[0]) == eip.public_ip
    with SourceReporter(sandbox.netns):
        assert seen_source(node.internet_netns, eip.public_ip) in node.internet_hosts

    before = node.admin.get("/audit")["calls"]
    assert node.call("del", sandbox)[0] == 0
    node.runtime.remove_sandbox(sandbox)
    newer = node.runtime.new_sandbox(pod=pod)
    code, again = node.call("add", newer)
    assert (code, ip_of(again)) == (0, ip_of(result))
    after = node.admin.get("/audit")["calls"]
    for action in ("AssociateAddress", "DisassociateAddress"):
        assert after.get(action, 0) == before.get(action, 0), "an EIP call for a mere new sandbox"

    node.workloads.remove_pod("with-eip")
    node.delete_claim("with-eip")
    assert node.call("del", newer)[0] == 0
    node.runtime.remove_sandbox(newer)
    node.eventually("the EIP is unbound", lambda: not node.eip(eip.eip_id).private_ip)


def test_a_node_without_the_mode_refuses_with_a_reason(own_node):
    own_node.begin()
    _, sandbox = own_node.pod_and_sandbox("web-0", annotations=DIRECT)

    code, error = own_node.call("add", sandbox)

    assert code != 0
    assert "--direct-eni" in str(error)
    assert extended(own_node) == {}


def test_a_mode_that_is_switched_off_gives_its_enis_back(own_node):
    # Two: with TKE's two minutes between them the second would not go in time.
    own_node.begin(
        "--direct-eni", "--eni-release-interval=1s", "--eni-min-warm-target=2", "--eni-max-warm-target=2"
    )
    own_node.eventually("warm ENIs", lambda: len(extended(own_node)) == 2)
    stop(own_node)
    own_node.options = [o for o in own_node.options if o != "--direct-eni"]
    own_node.start_again()

    own_node.eventually("none is left", lambda: extended(own_node) == {}, seconds=40)

    resource = "tke.cloud.tencent.com/direct-eni"
    own_node.eventually(
        "none is offered",
        lambda: (
            own_node.kube.get(f"/api/v1/nodes/{own_node.node.name}")["status"]["capacity"].get(resource)
            == "0"
        ),
    )


def test_an_eni_with_the_address_of_one_that_was_just_given_back_is_the_next_pod_s(own_node):
    """The region gives out the lowest free address, so the new ENI has that of the one before."""
    none_warm = ("--eni-min-warm-target=0", "--eni-max-warm-target=0", "--eni-release-interval=1s")
    own_node.begin(*NODE_OPTIONS, *none_warm, "--add-timeout=30s", "--cloud-check-interval=60s")
    before = Given(own_node, "before")
    before.end()
    own_node.eventually("its ENI is given back", lambda: not extended(own_node), seconds=40)

    after = Given(own_node, "after")

    assert after.ip == before.ip
    assert set(extended(own_node)) == {after.ip}
