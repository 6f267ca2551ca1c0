"""Pods of one node on two ENIs whose subnets differ: who reaches whom, and as whom he is seen."""

import contextlib
import subprocess

import pytest

from testbed import masquerade
from testbed.probes import SourceReporter, seen_source
from tests.agent.conftest import AgentBed
from tests.net import kube_proxy
from tests.net.kube_proxy import Entry

ZONE = "ap-guangzhou-3"
TWO_SUBNETS = {
    "vpc": {
        "subnets": [
            {"subnet_id": "subnet-demo0001", "cidr": "10.0.1.0/28", "zone": ZONE},
            {"subnet_id": "subnet-demo0002", "cidr": "10.0.2.0/28", "zone": ZONE},
        ]
    },
    # Five Pods for each ENI, and twelve CPUs: room for two EIPs.
    "instance_types": [{"name": "S5.TWO", "cpu": 16, "memory_gib": 16, "enis": 3, "ips_per_eni": 6}],
    "instances": [{"instance_type": "S5.TWO", "public_ip": True}, {"instance_type": "S5.TWO"}],
}
SERVICES = {"near": "172.16.252.1", "far": "172.16.252.2"}
PORT = 8080


class Node(AgentBed):
    """A node with an EIP Pod and a plain one on each of two ENIs."""

    def __init__(self, directory):
        super().__init__(directory)
        self.sandboxes, self.addresses, self.eips = {}, {}, {}

    def populate(self, stack, *options):
        self.begin("--pod-subnets=subnet-demo0001,subnet-demo0002", *options, region=TWO_SUBNETS, warm=5)
        masquerade.install(self.node.netns, vpc_cidrs=self.region["vpc_cidrs"])
        for eni, number in (("first", 5), ("second", 2)):
            self._add(f"{eni}-eip", eip=True)
            for index in range(number - 1):
                self._add(f"{eni}-plain" if index == 0 else f"{eni}-{index}")
        self.other = self.region["instances"][1]
        for name in ("first-plain", "second-plain", "first-eip", "second-eip"):
            stack.enter_context(SourceReporter(self.sandboxes[name].netns))
        stack.enter_context(SourceReporter(self.other["netns"]))
        stack.enter_context(SourceReporter(self.internet_netns))
        return self

    def _add(self, name, *, eip=False):
        if eip:
            _, sandbox, self.eips[name] = self.pod_with_eip(name)
        else:
            _, sandbox = self.pod_and_sandbox(name)
        code, result = self.call("add", sandbox)
        assert code == 0, result
        self.sandboxes[name] = sandbox
        self.addresses[name] = result["ips"][0]["address"].removesuffix("/32")

    def run(self, *command, stdin=None):
        """What `kube_proxy.install` asks of a namespace."""
        argv = ["ip", "netns", "exec", self.node.netns, *command]
        subprocess.run(argv, check=True, capture_output=True, text=True, input=stdin)

    def seen(self, name, host):
        return seen_source(self.sandboxes[name].netns, host, port=PORT)


@pytest.fixture(scope="module", params=["node", "eni"])
def place(request, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        bed = stack.enter_context(Node(tmp_path_factory.mktemp("subnets")))
        yield bed.populate(stack, f"--pod-egress={request.param}", "--direct-cidrs=172.16.252.0/22")


@pytest.fixture(autouse=True)
def nothing_spoofed(place):
    """The VPC drops no packet of any test."""
    before = place.admin.get("/spoof-drops")
    yield
    assert place.admin.get("/spoof-drops") == before


PLAIN = ("first-plain", "second-plain")
WITH_EIP = ("first-eip", "second-eip")


def test_the_two_enis_lie_in_different_subnets(place):
    subnets = {entry["subnetId"] for entry in place.ctl("enis")["enis"]}
    pods = place.pods()

    assert subnets == {"subnet-demo0001", "subnet-demo0002"}
    assert len({pods[name]["eniId"] for name in PLAIN}) == 2
    assert {pods[f"{eni}-eip"]["eniId"] == pods[f"{eni}-plain"]["eniId"] for eni in ("first", "second")} == {
        True
    }


@pytest.mark.parametrize("client", [*PLAIN, *WITH_EIP])
def test_pods_see_each_other_with_their_own_addresses(place, client):
    servers = [name for name in (*PLAIN, *WITH_EIP) if name != client]
    assert {name: place.seen(client, place.addresses[name]) for name in servers} == dict.fromkeys(
        servers, place.addresses[client]
    )


@pytest.mark.parametrize("pod", [*PLAIN, *WITH_EIP])
def test_a_cvm_of_the_vpc_and_a_pod_see_each_other(place, pod):
    other = place.other
    assert place.seen(pod, other["private_ip"]) == place.addresses[pod]
    assert seen_source(other["netns"], place.addresses[pod]) == other["private_ip"]


@pytest.mark.parametrize("pod", WITH_EIP)
def test_a_pod_with_eip_is_seen_with_it_and_reached_by_it(place, pod):
    eip = place.eips[pod].public_ip
    assert place.seen(pod, place.internet_hosts[0]) == eip
    assert seen_source(place.internet_netns, eip) == place.internet_hosts[0]


@pytest.mark.parametrize("pod", PLAIN)
def test_a_pod_without_eip_leaves_as_its_node_or_by_its_eni_alone(place, pod):
    """With --pod-egress=eni the VPC has no way to the internet for it: there is no NAT gateway."""
    egress = "" if "--pod-egress=eni" in place.options else place.node.public_ip
    assert place.seen(pod, place.internet_hosts[0]) == egress


@pytest.fixture(scope="module")
def services(place):
    """One whose backend is a Pod on the second ENI, and one, masqueraded, whose backend is elsewhere."""
    kube_proxy.install(
        place,
        "iptables",
        [
            Entry(SERVICES["near"], PORT, f"{place.addresses['second-plain']}:{PORT}", masqueraded=False),
            Entry(SERVICES["far"], PORT, f"{place.other['private_ip']}:{PORT}"),
        ],
    )


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize("pod", ["first-plain", *WITH_EIP])
def test_a_service_leads_from_either_eni_to_a_pod_on_the_other_and_out(place, pod):
    own = place.addresses[pod]
    assert {name: place.seen(pod, ip) for name, ip in SERVICES.items()} == {"near": own, "far": own}


@pytest.mark.usefixtures("services")
def test_a_pod_reaches_itself_by_its_service_as_its_node(place):
    assert place.seen("second-plain", SERVICES["near"]) == place.node.private_ip
