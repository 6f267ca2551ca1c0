"""Each metric, label and value that alerts and dashboard ask for is one that real daemons expose."""

import json
import re
import subprocess
import urllib.request

import pytest

from ipamd.controller.admission.registration import NAME
from ipamd.core.claim.eipclaim import Phase
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.waits import ClaimStep
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.kube.resources import EIPPOOLS
from testbed.bed import Bed
from tests.controller.process import free_address
from tests.deploy import manifests
from tests.monitoring.exposition import OF_TARGETS, Exposed, Query, unknown
from tests.monitoring.promtool import ALERTS

DASHBOARD = json.loads((manifests.DEPLOY / "components/monitoring/dashboard.json").read_text())
METRICS, STATUS = "127.0.0.1:61681", "127.0.0.1:61682"
REGION = {
    "instances": [{"instance_type": "S5.LARGE8", "public_ip": True}],
    # One EIP, so that the second Pod waits for its own.
    "quotas": {"total_eips": 1, "daily_eip_applications": 20},
    # So that a fixed address is kept by the book alone, and says why.
    "account": {"reserves_ips": False},
}

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def queries():
    """Every query: the variables of the dashboard have values."""
    for name, rule in ALERTS.items():
        yield Query(name, rule["expr"])
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$__rate_interval", "5m").replace("$node", ".*")
            yield Query(f"panel {panel['title']}", text)


KINDS = {
    "Secret": ("service.yaml", "/api/v1/namespaces/kube-system/secrets"),
    "MutatingWebhookConfiguration": (
        "webhook.yaml",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    ),
}


def create_admission_objects(bed):
    """Make what deploy/components/admission has for the webhook."""
    for kind, (file, path) in KINDS.items():
        bed.workloads.api.post(path, manifests.one(kind, NAME, f"components/admission/{file}"))


def of_agent(bed):
    argv = ["ip", "netns", "exec", bed.node.netns, "curl", "-sS", "-m", "10", f"http://{METRICS}/metrics"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def of_controller(address):
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def exposed(tmp_path_factory):
    with Bed(tmp_path_factory.mktemp("exposed")) as bed:
        bed.start_region(REGION)
        create_admission_objects(bed)
        kind = {"apiVersion": EIPPOOLS.api_version, "kind": EIPPOOLS.kind}
        pool = {"metadata": {"name": "web"}, "spec": {"addressIDs": ["eip-00000000"]}}
        bed.workloads.api.post(EIPPOOLS.path(), {**kind, **pool})
        address = free_address()
        bed.start_controller(
            options=[f"--metrics-address={address}", f"--admission-webhook={free_address()}"]
        )
        bed.start_agent(options=[f"--metrics-address={METRICS}", "--add-timeout=3s", "--direct-eni"])
        bed.wait_until_ready()
        assert bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)[1].exit_code == 0
        assert bed.add_pod("web-1", annotations={"eip-attributes": ""}, eip=True)[1].exit_code != 0
        fixed = {"vpc-ip-claim-delete-policy": "Never"}
        assert bed.add_pod("db-0", annotations={**fixed, "nominated-vpc-ip": "192.0.2.7"})[1].exit_code != 0
        bed.add_pod("db-1", annotations=fixed)
        subprocess.run(["ip", "-n", bed.node.netns, "rule", "del", "priority", "512"], check=True)
        complete = (
            "tke_eni_repairs_by_code_total{",
            "tke_eni_subnet_free_addresses{",
            "tke_eni_pod_to_eip_seconds_count 1.0",
        )
        bed.wait_until("all of the agent", lambda: all(line in of_agent(bed) for line in complete))
        needed = (
            "QuotaExceeded",
            "certificate_seconds_left",
            'egress{by="eip"} 1.0',
            "quota_limit",
            "eip_pool_problem{",
            "vpc_ip_claims_not_ready_seconds{",
            "vpc_ip_claims_not_reserved_by_reason{",
        )
        bed.wait_until(
            "all of the controller", lambda: all(line in of_controller(address) for line in needed)
        )
        exposed = Exposed()
        exposed.add(of_agent(bed))
        exposed.add(of_controller(address))
        yield exposed


def test_every_query_asks_for_metrics_and_labels_that_are_exposed(exposed):
    assert [problem for query in queries() for problem in unknown(query, exposed)] == []


def test_a_query_of_what_nobody_exposes_is_found_out(exposed):
    """So that the test above is one."""
    wrong = Query("x", 'sum by (nobody) (rate(tke_eni_leader{no="1"}[5m])) + tke_eni_cni_request_seconds')

    assert unknown(wrong, exposed) == [
        "x: tke_eni_leader has no label no",
        "x: nobody exposes tke_eni_cni_request_seconds",
        "x: nothing in it has the label nobody",
    ]


KNOWN = {
    "kind": {kind.name.lower() for kind in CloudErrorKind},
    "reason": {reason.value for reason in (*Reason, *VpcIpReason, Phase.RELEASING)},
    "state": {"warm", "assigned", "occupied", "held", "cooling", "unbinding", "unassigning", "quarantined"},
    "step": {step.value for step in ClaimStep},
    "severity": {"error", "warning", "info"},
    "job": {"tke-eni-agent", "tke-eni-ipamd"},
}
"""Values of which a running agent need not show each."""
CODES = re.compile(r"^[0-9|]+$")


@pytest.mark.parametrize("query", list(queries()), ids=lambda query: query.where)
def test_the_values_that_a_query_asks_for_exist(exposed, query):
    for name, matchers in query.selectors():
        for label, operator, text in matchers:
            if text == ".*" or (label == "code" and CODES.match(text)):
                continue
            shown = exposed.values.get((name, label), set()) | KNOWN.get(label, set())
            alternatives = [text] if operator in ("=", "!=") else text.split("|")
            for value in alternatives:
                assert any(re.fullmatch(value, each) for each in shown), f"{name}{{{label}={value}}}"


def test_labels_of_targets_are_those_of_the_page_nowhere(exposed):
    """Prometheus would rename them to exported_..."""
    assert {label for labels in exposed.labels.values() for label in labels} & OF_TARGETS == set()


WRITTEN = re.compile(r"`(tke_eni_\w+)")


def test_the_manual_has_the_metrics_that_are_exposed_and_no_others(exposed):
    manual = (manifests.DEPLOY.parent / "docs/metrics.md").read_text().partition("## What to be woken by")[0]
    written = {name for line in manual.splitlines() if line.startswith("|") for name in WRITTEN.findall(line)}
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exposed.labels}

    assert written == {name for name in families if name.startswith("tke_eni_")}
