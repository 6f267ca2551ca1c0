"""Probes, metrics and the network configuration of an agent that runs as its DaemonSet lets it."""

import json
import re
import subprocess
import urllib.parse

import pytest

from testbed.chain import PLUGINS

HEALTH, METRICS, STATUS = "127.0.0.1:61680", "127.0.0.1:61681", "127.0.0.1:61682"


def get(bed, address, path):
    """Ask from the node, as the kubelet does; return the HTTP status and the body."""
    url = urllib.parse.urlunsplit(("http", address, path, "", ""))
    argv = ["ip", "netns", "exec", bed.node.netns, "curl", "-s", "-m", "10", "-w", "%{http_code}", url]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    return int(done.stdout[-3:] or 0), done.stdout[:-3]


def values(bed):
    """Return the samples of /metrics by their text."""
    lines = get(bed, METRICS, "/metrics")[1].splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


@pytest.fixture
def begun(own_node, tmp_path):
    own_node.conf = tmp_path / "net.d/10-tke-eni.conflist"
    return own_node.begin(
        f"--health-address={HEALTH}",
        f"--metrics-address={METRICS}",
        f"--status-address={STATUS}",
        f"--cni-conf={own_node.conf}",
        f"--cni-bin-dir={PLUGINS}",
    )


def test_it_is_ready_when_it_serves_and_writes_the_configuration_then(begun):
    assert get(begun, HEALTH, "/livez") == (200, "ok\n")
    assert get(begun, HEALTH, "/readyz") == (200, "ok\n")
    plugins = json.loads(begun.conf.read_text())["plugins"]
    assert [plugin["type"] for plugin in plugins] == ["tke-route-eni", "portmap"]


def test_an_agent_that_waits_for_the_cloud_is_alive_not_ready_and_announces_nothing(own_node, tmp_path):
    conf = tmp_path / "10-tke-eni.conflist"
    own_node.start_region()
    nobody = "http://127.0.0.1:9"
    own_node.start_agent(
        options=[f"--metadata-url={nobody}", f"--health-address={HEALTH}", f"--cni-conf={conf}"]
    )

    own_node.wait_until("alive", lambda: get(own_node, HEALTH, "/livez")[0] == 200)
    asking = re.compile(r"starting, step 2 of 5 for \d+ s: asking the metadata service and the cloud")
    own_node.wait_until("it asks", lambda: asking.match(get(own_node, HEALTH, "/readyz")[1]))
    assert get(own_node, HEALTH, "/readyz")[0] == 503
    assert not conf.exists()


def test_without_an_agent_that_answers_the_probes_fail_and_with_the_cluster_away_they_do_not(begun):
    begun.admin.post("/kube/faults", {"kind": "refuse"})
    assert get(begun, HEALTH, "/readyz")[0] == 200

    begun.kill(begun.agent)
    assert get(begun, HEALTH, "/livez")[0] == 0


def test_metrics_tell_how_often_what_was_mended(begun):
    def repairs():
        found = values(begun)
        return {what: found[f'tke_eni_repairs_total{{what="{what}"}}'] for what in ("node", "pod", "eip")}

    def by_code(code):
        return values(begun).get(f'tke_eni_repairs_by_code_total{{code="{code}"}}', 0)

    _, sandbox, eip = begun.pod_with_eip("web-0")
    code, result = begun.call("add", sandbox)
    assert code == 0
    assert repairs() == {"node": 0, "pod": 0, "eip": 0}

    begun.on_node("ip", "rule", "del", "priority", "512")
    begun.cloud.disassociate_eip(eip.eip_id)
    begun.eventually("both", lambda: repairs() == {"node": 1, "pod": 0, "eip": 1})
    begun.eventually("bound again", lambda: by_code("EipNotBound") == 1)
    begun.conf.unlink()
    begun.eventually("written again", lambda: by_code("CniConfiguration") == 1)

    # A Pod is left alone for its first ten seconds.
    begun.on_node("ip", "route", "del", result["ips"][0]["address"])
    begun.eventually("all", lambda: repairs() == {"node": 1, "pod": 1, "eip": 1}, seconds=20)


def test_metrics_count_the_rounds_of_the_repair(begun):
    def rounds(part):
        return values(begun)[f'tke_eni_repair_rounds_total{{part="{part}"}}']

    begun.eventually("outside", lambda: rounds("outside") >= 1)
    before = rounds("kernel")
    begun.on_node("ip", "rule", "del", "priority", "512")
    begun.eventually("a round mends it", lambda: rounds("kernel") > before)


def test_metrics_tell_of_requests_addresses_and_eips(begun):
    _, sandbox, _ = begun.pod_with_eip("web-0")
    begun.call("add", sandbox)
    unknown = {"metadata": {"name": "unknown", "namespace": "default", "uid": "u"}}
    begun.call("add", begun.runtime.new_sandbox(pod=unknown))
    found = values(begun)

    assert found['tke_eni_cni_requests_total{code="0",verb="ADD"}'] == 1
    assert found['tke_eni_cni_requests_total{code="100",verb="ADD"}'] == 1
    assert found['tke_eni_cni_request_seconds_count{verb="ADD"}'] == 2
    assert found['tke_eni_addresses{state="assigned"}'] == 1
    assert found['tke_eni_eips{stage="bound"}'] == 1
    assert found["tke_eni_node_problems"] == 0
    assert found['tke_eni_cloud_requests_total{action="AssociateAddress",code="OK"}'] == 1
    assert found['tke_eni_kube_request_seconds_count{request="patch.eipclaims.status"}'] >= 1


def test_metrics_tell_of_the_node_s_enis_its_pool_and_the_last_answers(begun):
    begun.eventually(
        "the subnet is known", lambda: any(name.startswith("tke_eni_subnet_free") for name in values(begun))
    )
    found = values(begun)

    assert found['tke_eni_enis{state="ready"}'] == 1
    assert found['tke_eni_enis{state="broken"}'] == found['tke_eni_enis{state="foreign"}'] == 0
    assert found["tke_eni_ready"] == found["tke_eni_node_available"] == 1
    assert found["tke_eni_store_unwritten"] == found["tke_eni_pool_missing"] == 0
    assert found["tke_eni_pool_room"] > 100
    components = ("api-server", "cloud", "metadata", "kernel", "pool", "eips", "cni-configuration")
    assert [found[f'tke_eni_component_troubles{{component="{name}"}}'] for name in components] == [0] * 7
    assert 0 < found['tke_eni_subnet_free_addresses{subnet="subnet-demo0001"}'] < 253
    for of in ("cloud", "api_server", "metadata"):
        assert 0 <= found[f'tke_eni_last_answer_seconds{{of="{of}"}}'] < 60


def test_a_cloud_that_fails_ages_and_an_eni_that_goes_is_not_ready(begun):
    with begun.without_cloud():
        begun.eventually(
            "old", lambda: values(begun)['tke_eni_last_answer_seconds{of="cloud"}'] > 5, seconds=30
        )
        assert values(begun)['tke_eni_last_answer_seconds{of="metadata"}'] > 0
    begun.eventually(
        "young", lambda: values(begun)['tke_eni_last_answer_seconds{of="cloud"}'] < 4, seconds=60
    )


def test_the_status_page_shows_enis_pods_and_what_is_wrong_with_eips(begun):
    _, sandbox, eip = begun.pod_with_eip("web-0")
    assert begun.call("add", sandbox)[0] == 0

    def page():
        status, body = get(begun, STATUS, "/")
        assert status == 200
        return body

    shown = page()
    assert f"node {begun.node.name}, {begun.node.instance_id}" in shown
    assert "Pod default/web-0, EIP" in shown
    assert f"{eip.public_ip} ({eip.eip_id})" in shown
    assert "nothing keeps Pods from the node" in shown
    assert "cni-configuration" in shown
    begun.cloud.disassociate_eip(eip.eip_id)
    begun.eventually("told in the log", lambda: "somebody" in page() or "unbound" in page())
    (begun.conf.parent / "00-other.conflist").write_text("{}")
    begun.eventually("told", lambda: "00-other.conflist" in page())
    assert "are asked by `ipamctl check` only" in page()
    begun.ctl("check")
    begun.eventually("with what to do", lambda: "CniConfiguration node/network-configuration" in page())
    assert "breaks Pods start without our network, or not at all; do what the message says" in page()
    assert "by what others told `ipamctl check` " in page()
    for squares in ("slot primary", "slot pod", "slot free"):
        assert squares in page()


def test_the_status_page_of_an_agent_that_waits_says_for_what(own_node):
    own_node.start_region()
    own_node.start_agent(options=["--metadata-url=http://127.0.0.1:9", f"--status-address={STATUS}"])

    own_node.wait_until("served", lambda: get(own_node, STATUS, "/")[0] == 200)
    own_node.wait_until("said", lambda: "the metadata service" in get(own_node, STATUS, "/")[1])
    assert "not ready: " in get(own_node, STATUS, "/")[1]
