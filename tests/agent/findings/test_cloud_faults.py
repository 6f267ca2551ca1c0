"""What goes wrong beyond the node is one finding with its cause and the next step: cloud, account, start.

Agent and controller are real processes; what is wrong is done to the simulated region as a person would do
it. The agent looks at the cloud each second here, each 30 s by default.
"""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ipamd.core import model
from tests.agent.findings.checked_bed import NO_AGENT, CheckedBed
from tests.vpc_console import NAT, VpcConsole

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

ROLE = "/policies/IPAMDofTKE_QCSRole"
CONTROLLER = "/policies/demo"
CONTROLLER_OPTIONS = ["--egress-check-interval", "10s"]
BOUND = (model.EipStatus.BIND, model.EipStatus.BIND_ENI)
ALL = "0.0.0.0/0"
ROUTE_TABLE = "rtb-demo0001"
WALL_CLOCK_LAUNCHER = Path(__file__).parents[1] / "node" / "wall_clock_launcher.py"


class KubeletBed(CheckedBed):
    """A node with a controller, which provides EIPs."""

    def begin(self, *options, **kwargs):
        super().begin(*options, **kwargs)
        self.start_controller(options=CONTROLLER_OPTIONS)
        return self

    def pod_that_wants_an_eip(self, name):
        return self.workloads.create_pod(
            name, node=self.node.name, annotations={"eip-attributes": ""}, eip=True
        )

    def forgetful_controller(self):
        """Start the controller anew: what the cloud has refused is not asked again for one or two minutes."""
        self.stop(self.controller)
        self.start_controller(options=CONTROLLER_OPTIONS)

    def goes(self, pod):
        """Delete a Pod that never had a sandbox."""
        name = pod["metadata"]["name"]
        self.workloads.delete_pod(name)
        self.workloads.remove_pod(name)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A node with a Pod that has an EIP, and one without."""
    with KubeletBed(tmp_path_factory.mktemp("cloud")) as node:
        node.begin(region=REGION)
        _, outcome = node.add_pod("with-eip", annotations={"eip-attributes": ""}, eip=True)
        outcome.result()
        node.add_pod("without")[1].result()
        yield node


@pytest.fixture
def node(begun):
    """The node in order before and after the test."""
    begun.eventually("all is well before", begun.is_well, seconds=40)
    yield begun
    begun.admin.post("/faults", {"clear": True})
    begun.eventually("all is well after", begun.is_well, seconds=60)


@pytest.fixture
def own(tmp_path):
    """A node for one test; to be begun by it."""
    with CheckedBed(tmp_path) as bed:
        yield bed


REGION: dict[str, Any] = {
    "instances": [{"instance_type": "S5.16XLARGE256", "public_ip": True}],
    "nat_gateways": [{"nat_gateway_id": "nat-demo0001"}],
    "quotas": {"total_eips": 4, "daily_eip_applications": 200},
}


def test_cam_that_denies_the_creation_of_eips(node):
    since = time.monotonic()
    node.admin.post(CONTROLLER, {"allow": ["*"], "deny": ["*:AllocateAddresses"]})
    pod = node.pod_that_wants_an_eip("uncreated")
    try:
        finding = node.only_finding("CAM denies the creation of EIPs", "CamDenied", since=since)
    finally:
        node.admin.post(CONTROLLER, {"allow": ["*"]})
        node.goes(pod)
        node.forgetful_controller()

    assert "AllocateAddresses" in finding["text"]
    assert finding["pods"] == ["default/uncreated"]


def test_a_quota_of_eips_that_is_used_up(node):
    console = VpcConsole(node.endpoints.cloud)
    taken = [console.allocate_eip() for _ in range(REGION["quotas"]["total_eips"] - len(bought(node)))]
    since = time.monotonic()
    pod = node.pod_that_wants_an_eip("late")
    try:
        finding = node.only_finding("the quota of EIPs used up", "EipQuota", since=since)
    finally:
        node.goes(pod)
        for eip_id in taken:
            console.release_eip(eip_id)
        node.forgetful_controller()

    assert "AddressQuotaLimitExceeded" in finding["text"]
    assert finding["pods"] == ["default/late"]


def bought(node):
    return [eip for eip in node.cloud_state()["eips"] if eip["AddressType"] == "EIP"]


def test_an_account_in_arrears(node):
    since = time.monotonic()
    node.admin.post("/account", {"balance_ok": False})
    pod = node.pod_that_wants_an_eip("unpaid")
    try:
        finding = node.only_finding("the account in arrears", "Arrears", since=since)
    finally:
        node.admin.post("/account", {"balance_ok": True})
        node.goes(pod)
        node.forgetful_controller()

    assert finding["pods"] == ["default/unpaid"]


def test_an_eip_that_somebody_unbinds_is_told_until_it_is_bound_again(node):
    (eip,) = [e for e in node.ctl("eips")["eips"] if e["name"] == "with-eip"]
    # The agent binds it again as soon as it sees it; the cloud is slow here.
    node.admin.post("/faults", {"add": [{"kind": "latency", "action": "AssociateAddress", "seconds": 5}]})
    since = time.monotonic()
    node.cloud.disassociate_eip(eip["eipId"])

    finding = node.only_finding("an EIP unbound", "EipNotBound", since=since)

    assert "somebody has unbound" in finding["text"]
    assert finding["pods"] == ["default/with-eip"]
    node.eventually("bound again", lambda: node.eip(eip["eipId"]).status in BOUND, seconds=30)
    repaired = "repaired: EipNotBound eip/default/with-eip: somebody has unbound"
    node.eventually("it is a repair", lambda: repaired in node.log(), seconds=30)


def test_a_nat_route_that_comes_before_the_eip(node):
    console = VpcConsole(node.endpoints.cloud)
    since = time.monotonic()
    route = console.add_route(ROUTE_TABLE, ALL, NAT, "nat-demo0001")
    try:
        fault = "a NAT route before the EIP's"
        finding = node.only_finding(fault, "NatGatewayFirst", since=since, seconds=40)
    finally:
        console.delete_route(ROUTE_TABLE, route)

    assert ROUTE_TABLE in finding["text"]
    assert finding["pods"] == ["default/with-eip"]


def test_a_cloud_that_does_not_answer(node):
    since = time.monotonic()
    # Not of all actions: the metadata service would be away with them.
    actions = ("NetworkInterfaces", "NetworkInterfaceLimit", "Instances", "Addresses", "Subnets", "Vpcs")
    faults = [{"kind": "http_500", "action": f"Describe{what}", "count": None} for what in actions]
    node.admin.post("/faults", {"add": faults})

    finding = node.only_finding("the cloud's API away", "CloudAway", since=since, seconds=60)

    assert "last good" in finding["text"]


def test_a_daemon_that_has_died_and_the_start_after_it(node):
    since = time.monotonic()
    node.kill(node.agent)
    finding = node.only_finding("the daemon dead", "AgentNotRunning", since=since, exit_code=NO_AGENT)
    assert "kubectl" in finding["nextStep"]

    node.start_agent(options=node.options)

    said: set[tuple[int, str]] = set()
    well = 0
    until = time.monotonic() + 60
    while well < 3:
        assert time.monotonic() < until, f"not well within 60 s: {said}"
        exit_code, answer = node.check()
        said |= {(exit_code, f["code"]) for f in answer["findings"] if f["severity"] != "info"}
        well += exit_code == 0
    assert said <= {(NO_AGENT, "AgentNotRunning"), (NO_AGENT, "AgentStarting")}, "a false alarm"


def test_cam_that_denies_the_binding_of_eips(own):
    own.begin()
    own.eventually("all is well before", own.is_well)
    pod, sandbox, _ = own.pod_with_eip("refused")
    since = time.monotonic()
    own.admin.post(ROLE, {"allow": ["*"], "deny": ["*:AssociateAddress"]})
    over, adds = threading.Event(), threading.Thread(target=lambda: kubelet_tries(own, pod, sandbox, over))
    adds.start()
    try:
        finding = own.only_finding("CAM denies the binding of EIPs", "CamDenied", since=since)
        for _ in range(5):
            assert own.check()[0] == 1, "also between two attempts"
        (said,) = [eip["lastError"] for eip in own.ctl("eips")["eips"] if eip["lastError"]]
    finally:
        over.set()
        adds.join()

    assert "AssociateAddress" in finding["text"]
    assert said.count("RequestId") == 1, said
    assert "\n" not in said
    assert finding["pods"] == ["default/refused"]
    assert "QcloudAccessForIPAMDRoleInQcloudAllocateEIP" in finding["nextStep"]


def kubelet_tries(node, pod, sandbox, over):
    """Execute ADD until it succeeds, each time with a new sandbox after a DEL."""
    while node.call("add", sandbox)[0] and not over.wait(0.5):
        node.call("del", sandbox)
        sandbox = node.runtime.new_sandbox(pod=pod)


def test_a_cvm_that_can_have_no_more_eips(own):
    # Five vCPUs and fewer may have two public IPs: the node's own and one Pod's.
    own.begin(region={"instances": [{"instance_type": "S5.LARGE8", "public_ip": True}]})
    _, first, _ = own.pod_with_eip("first")
    assert own.call("add", first)[0] == 0
    own.eventually("all is well before", own.is_well)
    _, second, _ = own.pod_with_eip("second")
    since = time.monotonic()
    adds = threading.Thread(target=own.call, args=("add", second))
    adds.start()
    try:
        finding = own.only_finding("the CVM can have no more EIPs", "CvmLimit", since=since)
    finally:
        adds.join()

    assert "LimitExceeded.InstanceAddressQuota" in finding["text"]
    assert finding["pods"] == ["default/second"]


def test_an_eni_that_was_detached(own):
    own.begin()
    for name in ("one", "two"):
        _, sandbox = own.pod_and_sandbox(name)
        assert own.call("add", sandbox)[0] == 0
    own.eventually("all is well before", own.is_well)
    own.pool_at_rest()
    (eni,) = [e for e in own.ctl("enis")["enis"] if e["inUse"]]
    since = time.monotonic()
    own.detach_eni(eni["eniId"])

    finding = own.only_finding("an ENI detached", "EniMissing", since=since, seconds=40)

    assert finding["object"] == f"eni/{eni['eniId']}"
    assert finding["pods"] == ["default/one", "default/two"]


def test_a_full_node_is_a_fact_and_no_problem(own):
    # One secondary ENI with five addresses for Pods.
    own.begin(region={"instances": [{"instance_type": "S5.SMALL2", "public_ip": True}]})
    since = time.monotonic()
    for number in range(5):
        _, sandbox = own.pod_and_sandbox(f"pod-{number}")
        assert own.call("add", sandbox)[0] == 0

    finding = own.only_finding("the node full", "NodeFull", since=since, exit_code=0)

    assert "all 5 addresses for Pods are taken" in finding["text"]


def test_a_full_subnet(own):
    # Addresses less gateway, network, broadcast, node and ENI leave few for Pods.
    own.begin(region={**REGION, "vpc": {"subnets": [{"cidr": "10.0.1.0/28"}]}}, warm=1)
    since = time.monotonic()
    for number in range(14):
        _, sandbox = own.pod_and_sandbox(f"full-{number}")
        if own.call("add", sandbox)[0] or not own.is_well():
            break

    finding = own.only_finding("the subnet full", "SubnetFull", since=since, seconds=60)

    assert "subnet-demo0001" in finding["text"]


class SteppedBed(CheckedBed):
    """A node whose wall clock is the test's to set."""

    @property
    def clock(self):
        return self.directory / "wall-clock"

    def step(self, seconds):
        aside = self.clock.with_suffix(".new")
        aside.write_text(str(seconds))
        aside.rename(self.clock)

    def start_agent(self, **options):
        super().start_agent(**{**options, "launcher": (str(WALL_CLOCK_LAUNCHER), str(self.clock))})


@pytest.fixture
def stepped(tmp_path):
    with SteppedBed(tmp_path) as bed:
        bed.step(0)
        yield bed


def test_a_clock_that_is_wrong(stepped):
    stepped.begin()
    stepped.eventually("all is well before", stepped.is_well)
    since = time.monotonic()
    stepped.step(-400)

    finding = stepped.only_finding("the node's clock wrong", "ClockWrong", since=since, seconds=40)

    assert "behind the cloud's" in finding["text"]
    assert "behind the API server's" in finding["text"]
    assert "chronyc makestep" in finding["nextStep"]


def test_a_start_that_waits_for_the_metadata_service(own):
    own.begin_region()
    since = time.monotonic()
    own.start_agent(options=["--metadata-url=http://127.0.0.1:9"])

    def told():
        return "it waits for" in own.check()[1]["findings"][0]["text"]

    own.eventually("it waits", told)
    fault = "the metadata service away at the start"
    finding = own.only_finding(fault, "AgentStarting", since=since, exit_code=NO_AGENT)

    assert "step 2 of 5" in finding["text"]
    assert "it waits for" in finding["text"]
    assert "curl http://metadata.tencentyun.com" in finding["nextStep"]
