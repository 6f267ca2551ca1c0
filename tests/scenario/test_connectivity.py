"""`ipamctl connectivity` on a node that runs: what it says of each way is what packets do."""

import http.server
import json
import re
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from simulator.fabric import netns as namespaces
from testbed import masquerade
from testbed.bed import Bed
from testbed.probes import SourceReporter
from tests.docs.project import DOCS
from tests.vpc_console import NAT, VpcConsole

pytestmark = [pytest.mark.scenario, pytest.mark.netns]
CLUSTER_IP = "172.16.252.1"
EXAMPLE = re.compile(r"```console\n\$ ipamctl connectivity [^\n]*\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    """A node whose agent mends nothing by itself for the time of the tests."""
    with Bed(tmp_path_factory.mktemp("bed")) as bed:
        bed.start(
            {
                "instances": [{"instance_type": "S5.2XLARGE16", "public_ip": True}],
                "nat_gateways": [{"nat_gateway_id": "nat-demo0001"}],
            },
            agent_options=("--repair-interval=1h", "--cloud-check-interval=1h"),
        )
        yield bed


@pytest.fixture(scope="module")
def pods(bed):
    """A Pod with EIP and one without, on a node with ip-masq-agent."""
    masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"], iptables="iptables-nft")
    sandboxes = [
        bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)[0],
        bed.add_pod("web-1")[0],
    ]
    yield sandboxes
    for sandbox in sandboxes:
        bed.delete_pod(sandbox)


@pytest.fixture(scope="module")
def service(bed):
    """The Service kubernetes, as kube-proxy has it on the node."""
    backend = bed.endpoints.node_kube.rpartition("/")[2]
    rule = ["-t", "nat", "-A", "PREROUTING", "-d", CLUSTER_IP, "-p", "tcp", "--dport", "443"]
    on_node(bed, "iptables-nft", "-w", *rule, "-j", "DNAT", "--to-destination", backend)
    return f"{CLUSTER_IP}:443"


@pytest.fixture(scope="module")
def outside(bed):
    """A TCP server in the internet."""
    with SourceReporter(bed.internet_netns):
        yield f"{bed.internet_hosts[0]}:8080"


def on_node(bed, *command):
    subprocess.run(["ip", "netns", "exec", bed.node.netns, *command], check=True, capture_output=True)


@contextmanager
def broken(bed, breaking, mending):
    on_node(bed, *breaking)
    try:
        yield
    finally:
        on_node(bed, *mending)


def run(bed, *arguments, place=None):
    """Run it in the node's network namespace, as in the agent's container."""
    if place is None:
        place = ["nsenter", f"--net=/run/netns/{bed.node.netns}"]
    argv = [
        *place,
        sys.executable,
        "-m",
        "ipamd.ctl",
        "--socket",
        str(bed.socket),
        "connectivity",
        *arguments,
    ]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def legs(bed, *arguments, place=None):
    """How it ended, and what it told by kind, source and target."""
    done = run(bed, *arguments, "-o", "json", place=place)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)["legs"]
    return done.returncode, {(leg["kind"], leg["source"], leg["target"]): leg for leg in told}


def results(told):
    return {key: leg["result"] for key, leg in told.items()}


WEB0, WEB1 = "default/web-0", "default/web-1"


def test_every_way_of_two_pods_is_tried_and_the_seen_sources_are_the_right_ones(bed, pods, service, outside):
    code, told = legs(bed, "--to", outside, "--service", service)

    inbound = ("internet-to-pod", "internet", WEB0)
    assert code == 0
    assert results(told) == {
        ("pod-to-pod", WEB0, WEB1): "ok",
        ("pod-to-pod", WEB1, WEB0): "ok",
        ("pod-to-node", WEB0, "node"): "ok",
        ("pod-to-node", WEB1, "node"): "ok",
        ("node-to-pod", "node", WEB0): "ok",
        ("node-to-pod", "node", WEB1): "ok",
        ("pod-to-service", WEB0, service): "ok",
        ("pod-to-service", WEB1, service): "ok",
        ("pod-to-internet", WEB0, outside): "ok",
        ("pod-to-internet", WEB1, outside): "ok",
        inbound: "skipped",
    }
    assert all(leg["milliseconds"] > 0 for key, leg in told.items() if key != inbound)
    first, second = (pod["privateIp"] for pod in bed.ctl("pods")["pods"])
    assert told["pod-to-pod", WEB0, WEB1]["seenSource"] == first
    assert told["pod-to-pod", WEB1, WEB0]["seenSource"] == second
    assert told["pod-to-node", WEB0, "node"]["address"] == bed.node.private_ip
    assert told["node-to-pod", "node", WEB0]["seenSource"] == bed.node.private_ip
    assert "only somebody outside" in told[inbound]["why"]


@contextmanager
def echo_site(bed):
    """A site in the internet that answers with JSON of the caller's address, over HTTP."""

    class Echo(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            text = json.dumps({"ip": self.client_address[0]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    site = namespaces.run_in(
        bed.internet_netns, lambda: http.server.ThreadingHTTPServer((bed.internet_hosts[0], 8081), Echo)
    )
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    try:
        yield f"http://{bed.internet_hosts[0]}:8081/ip"
    finally:
        site.shutdown()
        site.server_close()
        thread.join()


def test_an_echo_site_tells_whom_the_internet_sees(bed, pods):
    (eip,) = [pod["publicIp"] for pod in bed.ctl("pods")["pods"] if pod["name"] == "web-0"]

    with echo_site(bed) as url:
        code, told = legs(bed, "--echo", url, "--service", f"{bed.internet_hosts[0]}:8081")

    assert code == 0
    assert told["pod-to-internet", WEB0, url]["seenSource"] == eip
    assert told["pod-to-internet", WEB1, url]["seenSource"] == bed.node.public_ip


def failing(told):
    return {key for key, leg in told.items() if leg["result"] == "failed"}


def test_a_firewall_that_forwards_nothing_is_named_by_the_legs_that_it_breaks(bed, pods, service, outside):
    with broken(
        bed,
        ["iptables-nft", "-w", "-P", "FORWARD", "DROP"],
        ["iptables-nft", "-w", "-P", "FORWARD", "ACCEPT"],
    ):
        code, told = legs(bed, "--to", outside, "--service", service, "--timeout", "1")
        named = run(bed, "--to", outside, "--service", service, "--timeout", "1", "-o", "name").stdout

    kinds = {key[0] for key in failing(told)}
    assert code == 1
    assert kinds == {"pod-to-pod", "pod-to-service", "pod-to-internet"}
    for key in failing(told):
        assert told[key]["why"].startswith("no answer within 1 s: the node drops it: ")
        assert "filter FORWARD" in told[key]["why"]
        assert "ipamctl check" in told[key]["nextStep"]
    assert told["node-to-pod", "node", WEB0]["result"] == "ok"
    assert named.split() == [WEB0, WEB1]


def test_a_node_that_does_not_forward_is_named(bed, pods, outside):
    with broken(bed, ["sysctl", "-qw", "net.ipv4.ip_forward=0"], ["sysctl", "-qw", "net.ipv4.ip_forward=1"]):
        code, told = legs(bed, "--to", outside, "--timeout", "1")

    assert code == 1
    assert {key[0] for key in failing(told)} == {"pod-to-pod", "pod-to-internet"}
    assert all("net.ipv4.ip_forward is 0" in told[key]["why"] for key in failing(told))
    assert told["pod-to-service", WEB0, "Service kubernetes"]["result"] == "skipped"
    assert "KUBERNETES_SERVICE_HOST" in told["pod-to-service", WEB0, "Service kubernetes"]["why"]


def test_a_pod_whose_link_is_down_fails_alone_and_its_link_is_named(bed, pods, outside):
    (link,) = [pod["hostInterface"] for pod in bed.ctl("pods")["pods"] if pod["name"] == "web-1"]
    inside = ["ip", "-n", pods[1].netns, "link", "set", "eth0"]
    with broken(bed, [*inside, "down"], [*inside, "up"]):
        code, told = legs(bed, "--to", outside, "--timeout", "1")

    assert code == 1
    assert failing(told) == {
        ("pod-to-pod", WEB0, WEB1),
        ("pod-to-pod", WEB1, WEB0),
        ("pod-to-node", WEB1, "node"),
        ("node-to-pod", "node", WEB1),
        ("pod-to-internet", WEB1, outside),
    }
    assert all(f"{link} is down" in told[key]["why"] for key in failing(told))
    assert "of what default/web-1 answers" in told["pod-to-pod", WEB0, WEB1]["why"]


def test_a_pod_that_is_named_is_tried_alone(bed, pods, outside):
    code, told = legs(bed, "web-1", "--to", outside)

    assert code == 0
    assert told["pod-to-pod", WEB1, "another Pod"]["result"] == "skipped"
    assert {key[0] for key, leg in told.items() if leg["result"] == "ok"} == {
        "pod-to-node",
        "node-to-pod",
        "pod-to-internet",
    }


def test_beside_the_node_its_legs_are_skipped_and_said_so(bed, pods, outside):
    code, told = legs(bed, "--to", outside, place=[])

    assert code == 0
    assert told["pod-to-pod", WEB0, WEB1]["result"] == "ok"
    for leg in (("pod-to-node", WEB0, "node"), ("node-to-pod", "node", WEB0)):
        assert told[leg]["result"] == "skipped"
        assert "does not run in the node's network namespace" in told[leg]["why"]


def test_a_namespace_out_of_reach_is_said_and_is_no_success(bed, pods, outside):
    # In a mount namespace in which nothing is mounted at /run/netns, as on a badly set up container.
    hidden = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run/netns && exec "$@"', "sh"]
    code, told = legs(bed, "--to", outside, place=hidden)

    assert code == 4
    assert set(results(told).values()) == {"skipped"}
    leg = told["pod-to-pod", WEB0, WEB1]
    assert pods[1].netns_path in leg["why"]
    assert "cannot be entered from here" in leg["why"]
    assert "run ipamctl in the agent's container" in leg["nextStep"]


def test_a_server_that_refuses_is_told_from_one_that_is_silent(bed, pods):
    code, told = legs(bed, "web-0", "--to", f"{bed.internet_hosts[0]}:9")

    leg = told["pod-to-internet", WEB0, f"{bed.internet_hosts[0]}:9"]
    assert code == 1
    assert leg["why"].startswith("connection refused; by the trace it arrives")


def test_whoever_is_seen_instead_of_the_eip_is_told(bed, pods):
    (eip,) = [pod["publicIp"] for pod in bed.ctl("pods")["pods"] if pod["name"] == "web-0"]
    [gateway] = bed.cloud_state()["cloud"]["nat_gateways"].values()
    console = VpcConsole(bed.endpoints.cloud)
    route = console.add_route("rtb-demo0001", "0.0.0.0/0", NAT, "nat-demo0001")

    with echo_site(bed) as url:
        try:
            # The VPC takes a moment to follow its route tables.
            bed.wait_until("the gateway", lambda: legs(bed, "web-0", "--echo", url)[0] != 0)
            _, told = legs(bed, "web-0", "--echo", url)
        finally:
            console.delete_route("rtb-demo0001", route)

    leg = told["pod-to-internet", WEB0, url]
    assert leg["result"] == "failed"
    assert leg["why"].startswith(f"it arrives, and {gateway['public_ip']} is seen instead of {eip}")
    assert "EgressThroughEIP" in leg["nextStep"]


def test_one_cause_is_one_line(bed, pods, outside):
    policy = ["iptables-nft", "-w", "-P", "FORWARD"]
    with broken(bed, [*policy, "DROP"], [*policy, "ACCEPT"]):
        done = run(bed, "--to", outside, "--timeout", "1")

    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert line.startswith(f"FAILED  {WEB0} to {WEB1}, {WEB1} to {WEB0} and 2 more: no answer within 1 s")


def shape(text):
    """The text without what differs at each run: numbers, and how wide columns are."""
    return [re.sub(r"\d+", "N", " ".join(line.split())) for line in text.strip().splitlines()]


def test_the_example_in_the_docs_is_what_it_prints(bed, pods, service, outside):
    (shown,) = EXAMPLE.findall((DOCS / "ipamctl.md").read_text())

    done = run(bed, "--to", outside, "--service", service)

    assert shape(done.stdout) == shape(shown)
