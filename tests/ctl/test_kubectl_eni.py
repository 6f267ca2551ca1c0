"""`kubectl eni`: the whole cluster at a glance, by the user's kubeconfig, and what agents say by kubectl."""

import json
import tarfile
import threading

import pytest

from ipamd.ctl.kubectl import command, probe_pods, relay
from ipamd.kube.errors import NotFoundError
from ipamd.kube.resources import CONFIGMAPS, EIPCLAIMS, EVENTS, PODS
from simulator.cloud import CloudRegion, CloudServer, RegionConfig, loopback_socket
from simulator.kube import KubeServer, Store, listen
from tests.ctl.cluster_beside import ClusterBeside
from tests.ctl.fixture_node import serving
from tests.testkit.eventually import eventually

REFUSED = {
    "type": "Bound",
    "status": "False",
    "reason": "PermissionDenied",
    "message": "AssociateAddress is refused",
}


@pytest.fixture
def cluster(tmp_path):
    with KubeServer(Store(), [listen()]) as server, serving(tmp_path / "agent.sock") as socket:
        beside = ClusterBeside(server.url, tmp_path, socket)
        yield beside
        beside.close()


@pytest.fixture
def busy(cluster):
    """Three nodes: one is well, of one the agent has a problem, one has lost its agent."""
    cluster.add_node("node-a", agent="agent-a")
    cluster.add_node("node-b", agent="agent-b", condition=("False", "RepairFailed", "table 4002 is gone"))
    cluster.add_node("node-c", condition=("Unknown", "AgentGone", "none is ready"))
    for number in range(3):
        cluster.add_pod(f"web-{number}", "node-a")
    cluster.add_claim("web-0", node="node-a")
    cluster.add_claim("web-1", node="node-a", bound=False, conditions=[REFUSED])
    return cluster


def entries(done, key):
    assert done.returncode == 0, done.stderr
    return {entry.get("name") or entry["node"]: entry for entry in json.loads(done.stdout)[key]}


def test_all_nodes_at_a_glance(busy):
    found = entries(busy("nodes", "-o", "json"), "nodes")

    assert (found["node-a"]["ready"], found["node-a"]["version"]) == ("True", "0.1.0")
    assert (found["node-a"]["addressesUsed"], found["node-a"]["addresses"]) == (3, 27)
    assert (found["node-a"]["eipsUsed"], found["node-a"]["eips"]) == (1, 3)
    assert found["node-b"]["problem"] == "RepairFailed: table 4002 is gone"
    assert "no Pod of the agent is on it" in found["node-c"]["problem"]


def test_nodes_with_problems_come_first_and_are_named_below_the_table(busy):
    lines = busy("nodes").stdout.splitlines()

    assert lines[0].split() == ["NODE", "READY", "REASON", "FOR", "AGENT", "ADDRESSES", "EIPS", "AGE"]
    assert [line.split()[0] for line in lines[1:4]] == ["node-b", "node-c", "node-a"]
    assert "PROBLEM  node-b: RepairFailed: table 4002 is gone" in lines
    assert max(map(len, lines[:4])) <= 100


def test_claims_with_problems_are_problems_of_their_node(busy):
    (line,) = [line for line in busy("nodes").stdout.splitlines() if line.startswith("PROBLEM  node-a")]
    assert "kubectl eni claims --problems" in line


def test_a_node_whose_agent_cannot_start_says_why(cluster):
    cluster.add_node("node-a", agent="agent-a", ready=False)

    assert "(ImagePullBackOff)" in entries(cluster("nodes", "-o", "json"), "nodes")["node-a"]["problem"]


def test_a_cluster_where_all_is_well_has_no_line_of_problems(cluster):
    cluster.add_node("node-a", agent="agent-a")

    assert "PROBLEM" not in cluster("nodes").stdout
    assert cluster("nodes", "--problems", "-o", "name").stdout == ""


def test_claims_with_problems_and_all(busy):
    every = entries(busy("claims", "-o", "json"), "claims")
    troubled = entries(busy("claims", "--problems", "-o", "json"), "claims")

    assert set(every) == {"web-0", "web-1"}
    assert set(troubled) == {"web-1"}
    assert troubled["web-1"]["problem"] == "PermissionDenied: AssociateAddress is refused"
    assert busy("claims", "-o", "name").stdout == "default/web-0\ndefault/web-1\n"


def test_a_kept_claim_without_pod_is_no_problem(cluster):
    gone = {"type": "Bound", "status": "False", "reason": "Unbound", "message": "its Pod is gone"}
    cluster.add_claim("kept", bound=False, conditions=[gone])
    patch = {"status": {"pod": {"uid": "u", "lastSeen": "2026-11-30T00:00:00Z"}}}
    cluster.client.patch(EIPCLAIMS, "kept", patch, "default", subresource="status")

    assert cluster("claims", "--problems").stdout == "no EIPClaim has a problem\n"


WRONG_ZONE = {
    "type": "Ready",
    "status": "False",
    "reason": "WrongSubnet",
    "message": "10.0.1.7 is in subnet-1; delete the Pod",
}


@pytest.fixture
def fixed(busy):
    """An address that a Pod has, one that a Pod waits for, one that is kept, one that only the book keeps."""
    busy.add_fixed_ip("web-0", node="node-a", ip="10.0.1.6")
    busy.add_fixed_ip("web-1", node="node-a", ip="10.0.1.7", assigned=False, conditions=[WRONG_ZONE])
    busy.add_fixed_ip("web-2", ip="10.0.1.8", assigned=False, gone=True)
    refused = {"type": "Reserved", "status": "False", "reason": "QuotaExceeded", "message": "no more"}
    alone = {"ip": "10.0.1.9", "subnetID": "subnet-1"}
    busy.add_fixed_ip(
        "web-3", node="node-a", address=alone, conditions=[refused, {**WRONG_ZONE, "status": "True"}]
    )
    return busy


def test_fixed_addresses_with_who_keeps_them_and_what_is_wrong(fixed):
    every = entries(fixed("fixed-ips", "-o", "json"), "claims")
    troubled = entries(fixed("fixed-ips", "--problems", "-o", "json"), "claims")

    assert (every["web-0"]["ip"], every["web-0"]["node"], every["web-0"]["keptBy"]) == (
        "10.0.1.6",
        "node-a",
        "vpc",
    )
    assert every["web-0"]["phase"] == "Bound"
    assert (every["web-3"]["keptBy"], every["web-3"]["notReserved"]) == ("book", "no more")
    assert set(troubled) == {"web-1"}, "a kept address waits for the next Pod, which is no problem"
    assert troubled["web-1"]["problem"] == "WrongSubnet: 10.0.1.7 is in subnet-1; delete the Pod"


@pytest.mark.parametrize("namespace", [(), ("-n", "default")], ids=["all", "one"])
def test_a_pod_that_asks_for_the_other_network_than_its_claim_is_of_is_a_problem(cluster, namespace):
    for name, network in (("web-2", "tke-direct-eni"), ("web-3", "tke-route-eni")):
        wishes = {"networks": network, "vpc-ip-claim-delete-policy": "Never"}
        annotations = {f"tke.cloud.tencent.com/{key}": value for key, value in wishes.items()}
        cluster.add_pod(name, "node-a", annotations=annotations)
        cluster.add_fixed_ip(name, assigned=False, gone=True)

    troubled = entries(cluster("fixed-ips", "--problems", "-o", "json", *namespace), "claims")

    assert set(troubled) == {"web-2"}
    assert troubled["web-2"]["problem"].startswith(
        "NetworkDiffers: the Pod asks for tke-direct-eni, and its VpcIPClaim default/web-2 is of tke-route"
    )


def test_fixed_addresses_as_a_table(fixed):
    lines = fixed("fixed-ips").stdout.splitlines()

    assert lines[0].split() == ["NAMESPACE", "CLAIM", "PHASE", "REASON", "IP", "RESERVED", "NODE", "AGE"]
    assert lines[1].split()[:7] == ["default", "web-0", "Bound", "Assigned", "10.0.1.6", "yes", "node-a"]
    assert lines[4].split()[4:6] == ["10.0.1.9", "no"]
    assert lines[5:] == ["PROBLEM  default/web-1: WrongSubnet: 10.0.1.7 is in subnet-1; delete the Pod"]
    assert max(map(len, lines[:4])) <= 100
    assert fixed("fixed-ips", "-n", "shop").stdout == "there is no VpcIPClaim\n"


def test_an_address_that_a_pod_waits_for_is_a_problem_of_its_node(cluster):
    cluster.add_node("node-a", agent="agent-a")
    cluster.add_fixed_ip("web-1", node="node-a", assigned=False, conditions=[WRONG_ZONE])

    row = entries(cluster("nodes", "-o", "json"), "nodes")["node-a"]

    assert row["fixedIpsWithProblems"] == 1
    assert row["problem"] == "1 VpcIPClaims of its Pods have a problem: kubectl eni fixed-ips --problems"


def test_a_pod_that_asks_for_the_other_network_is_a_problem_of_the_node_that_it_is_on(cluster):
    cluster.add_node("node-a", agent="agent-a")
    wishes = {"networks": "tke-direct-eni", "vpc-ip-claim-delete-policy": "Never"}
    annotations = {f"tke.cloud.tencent.com/{key}": value for key, value in wishes.items()}
    cluster.add_pod("web-2", "node-a", annotations=annotations)
    cluster.add_fixed_ip("web-2", node="node-b", assigned=False, gone=True)

    assert entries(cluster("nodes", "-o", "json"), "nodes")["node-a"]["fixedIpsWithProblems"] == 1


def test_a_node_is_checked_by_its_agent_and_the_answer_is_passed_on(busy):
    done = busy("check", "node-a")

    assert done.returncode == 1
    assert "its link eni0a1b2c3d4e5 is down" in done.stdout
    (asked,) = busy.asked
    assert asked[:3] == ["--namespace", "kube-system", "exec"]
    assert "agent-a" in asked


@pytest.mark.parametrize("of", [("node-a",), ("--all",)])
def test_a_check_that_fixes_has_the_agents_repair_first(busy, of):
    busy("check", *of, "--fix")

    assert busy.asked
    for asked in busy.asked:
        command = asked[asked.index("ipamctl") :]
        assert command[:3] == ["ipamctl", "check", "--fix"]


def test_a_status_takes_no_fix(busy):
    assert busy("status", "node-a", "--fix").returncode == 2


def test_a_node_without_an_agent_is_named_with_what_to_look_at(busy):
    done = busy("check", "node-c")

    assert done.returncode == 4
    assert "no Pod of DaemonSet kube-system/tke-eni-agent is on node node-c" in done.stderr


def test_all_nodes_are_checked_and_one_that_does_not_answer_is_unknown(busy):
    busy.add_node("node-d", agent="agent-hung")

    done = busy("check", "--all")

    assert done.returncode == 1
    assert "PROBLEM  node-a:" in done.stdout
    assert "UNKNOWN  node-d: error: unable to upgrade connection" in done.stdout


@pytest.mark.parametrize("command", ["check", "status"])
def test_all_nodes_of_a_cluster_without_agents_are_not_silently_well(cluster, command):
    cluster.add_node("node-c")

    done = cluster(command, "--all")

    assert (done.returncode, done.stdout) == (4, "")
    assert "no node has a Pod of DaemonSet kube-system/tke-eni-agent" in done.stderr


def test_one_node_or_all(busy):
    assert busy("check").returncode == busy("check", "node-a", "--all").returncode == 2


def test_a_pod_is_explained_by_the_agent_of_its_node(busy):
    busy("explain", "pod", "default/web-0")

    (asked,) = busy.asked
    assert asked[asked.index("--") + 1 :][:4] == ["ipamctl", "explain", "pod", "default/web-0"]


@pytest.mark.parametrize(("name", "words"), [("pending", "is not scheduled"), ("nobody", "there is no Pod")])
def test_a_pod_that_is_nowhere_is_explained_at_once(busy, name, words):
    busy.add_pod("pending", "")

    done = busy("-n", "default", "explain", "pod", name)

    assert done.returncode == 4
    assert words in done.stderr


def test_without_kubectl_it_says_what_is_missing(busy):
    done = busy("check", "node-a", kubectl=False)

    assert done.returncode == 2
    assert "there is no kubectl in the path" in done.stderr


def test_a_kubeconfig_of_several_files_is_refused_with_the_way_out(busy):
    busy.kubeconfig = f"{busy.kubeconfig}:/other"

    done = busy("nodes")

    assert done.returncode == 2
    assert "--flatten" in done.stderr


def test_the_bundle_has_the_cluster_and_its_nodes_and_no_secret(busy, tmp_path):
    event = {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {}, "reason": "EIPLost"}
    busy.client.create(EVENTS, {**event, "source": {"component": "tke-eni-ipamd"}})
    busy.client.create(EVENTS, {**event, "metadata": {"name": "f", "namespace": "default"}})
    settings = {"metadata": {"name": "tke-eni-settings", "namespace": "kube-system"}}
    busy.client.create(CONFIGMAPS, {**settings, "data": {"TENCENTCLOUD_SECRET_KEY": "Gu5t9xGARNpq86EXAMPLE"}})
    busy.add_pod("ipamd-1", "node-a", namespace="kube-system", app="tke-eni-ipamd")

    done = busy("bundle", "--file", str(tmp_path / "all.tar.gz"))

    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "all.tar.gz") as archive:
        found = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
    assert {name.partition("/")[0] for name in found} == {"all"}
    names = {name.partition("/")[2] for name in found}
    assert {
        "nodes.json",
        "cluster/claims.json",
        "cluster/vpcipclaims.json",
        "cluster/vpcips.json",
        "cluster/events.json",
        "controller/ipamd-1.log",
        "nodes/node-a/bundle.tar.gz",
        "nodes/node-a/agent-a.log",
        "nodes/node-b/bundle.tar.gz",
        "nodes/node-c/none.txt",
    } <= names
    assert len(json.loads(found["all/cluster/events.json"])) == 1, "only Events of ours"
    text = b"".join(found.values())
    assert b"Gu5t9xGARNpq86EXAMPLE" not in text
    assert b"AKIDz8krbsJ5" not in text


def test_cleanup_knows_the_cluster_by_its_settings(busy):
    settings = {"metadata": {"name": "tke-eni-settings", "namespace": "kube-system"}}
    busy.client.create(CONFIGMAPS, {**settings, "data": {"CLUSTER_ID": "cls-theirs"}})
    with CloudRegion(RegionConfig()) as region, CloudServer(region, [loopback_socket()]) as cloud:
        url = f"http://{cloud.endpoint}"
        done = busy("cleanup", "-o", "json", "--region", "ap-guangzhou", "--cloud-endpoint", url)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["clusterId"] == "cls-theirs"


def play_kubelet(cluster, stopping):
    """Let each Pod of the default namespace run at once."""
    while not stopping.wait(0.05):
        for pod in cluster.client.list(PODS, "default").items:
            if pod.get("status", {}).get("phase") != "Running":
                patch = {"status": {"phase": "Running", "podIP": "127.0.0.1"}}
                try:
                    cluster.client.patch(
                        PODS, pod["metadata"]["name"], patch, "default", subresource="status"
                    )
                except NotFoundError:
                    continue


def probes_left(cluster):
    found = cluster.client.list(PODS, "default").items
    return [p for p in found if p["metadata"]["name"].startswith(probe_pods.LABEL)
            and not p["metadata"].get("deletionTimestamp")]  # fmt: skip


def test_probes_that_do_not_come_to_run_are_named_and_removed(cluster):
    cluster.add_node("node-a", agent="agent-a")

    done = cluster("connectivity", "--wait", "1")

    assert done.returncode == 4
    assert "2 of 2 probe Pods do not run after 1 s" in done.stderr
    assert eventually(lambda: not probes_left(cluster))


def test_what_does_not_connect_is_a_problem_and_the_probes_are_removed(cluster):
    """Where every address is the machine's own and nobody listens, each question fails by itself."""
    cluster.add_node("node-a", agent="agent-a")
    stopping = threading.Event()
    kubelet = threading.Thread(target=play_kubelet, args=(cluster, stopping))
    kubelet.start()
    try:
        done = cluster("connectivity", "--internet", "127.0.0.1:1", "-o", "json")
    finally:
        stopping.set()
        kubelet.join()

    assert done.returncode == 1, done.stderr
    rows = json.loads(done.stdout)["connections"]
    assert {row["kind"] for row in rows} == {"pod", "node", "internet"}
    assert all("refused" in row["problem"] for row in rows)
    assert eventually(lambda: not probes_left(cluster))


def test_every_probe_asks_the_others_the_nodes_the_service_and_the_internet():
    probes = [probe_pods.Probe(name=f"p{n}", node=f"node-{n}", ip=f"10.0.1.{n}") for n in range(2)]

    asked = list(probe_pods.questions(probes, [("node-0", "10.0.0.1")], "172.16.0.1", ("1.2.3.4", 443)))

    assert [q.kind for q in asked if q.source == "p0"] == ["pod", "node", "service", "internet"]
    assert asked[0].expects == "10.0.1.0", "a Pod reaches another with its own address"


def test_a_pod_that_is_seen_with_another_address_has_a_problem():
    (question,) = probe_pods.questions(
        [probe_pods.Probe(name="a", node="n", ip="10.0.1.4")], [("n", "10.0.0.1")], "", None
    )
    masked = probe_pods.Question(source="a", kind="pod", to="b", host="10.0.1.5", port=1, expects="10.0.1.4")
    printed = json.dumps([{"seen": "", "fault": "", "ms": 1.0}, {"seen": "10.0.0.1", "fault": "", "ms": 1.0}])

    fine, wrong = probe_pods.answers([question, masked], printed.encode(), "")

    assert fine["problem"] == ""
    assert wrong["problem"] == "it sees the source address 10.0.0.1 and should see 10.0.1.4"


def test_a_probe_that_cannot_be_asked_answers_nothing():
    question = probe_pods.Question(source="a", kind="node", to="n", host="10.0.0.1", port=1)

    (row,) = probe_pods.answers([question], b"", "error: pod not found")

    assert row["problem"] == "error: pod not found"


@pytest.mark.parametrize("text", ["mirrors.tencent.com", ":443", "a:b"])
def test_a_destination_without_port_is_refused(cluster, text):
    assert "--internet is" in cluster("connectivity", "--internet", text).stderr


def test_every_command_says_what_it_is_for():
    text = command.parser().format_help()
    for name in ("nodes", "claims", "check", "explain", "connectivity", "bundle", "cleanup"):
        assert name in text


def test_what_an_agent_finds_is_told_with_its_severity_and_next_step():
    finding = {
        "severity": "error",
        "code": "EniRoute",
        "object": "route/4003",
        "text": "it is gone",
        "breaks": "what Pods send",
        "nextStep": "run ipamctl check --fix",
    }
    answer = {"problems": ["the same as a sentence"], "findings": [finding]}

    (line,) = relay.lines({"node": "node-a", "answer": answer, "error": ""})

    assert line.label == "ERROR"
    assert line.text == (
        "node-a: EniRoute route/4003: it is gone; breaks what Pods send; run ipamctl check --fix"
    )


def test_an_agent_that_finds_nothing_is_one_line():
    (line,) = relay.lines({"node": "node-a", "answer": {"problems": [], "findings": []}, "error": ""})

    assert (line.label, line.text) == ("OK", "node-a")
