"""What the PodMonitors find: the Pods of both daemons, at the ports that components/metrics gives them."""

import pytest
import yaml

from tests.deploy import manifests

MONITORS = manifests.documents("components/monitoring/monitors.yaml")
METRICS = manifests.read("components/metrics/kustomization.yaml")["patches"]
WORKLOADS = {
    "tke-eni-agent": manifests.one("DaemonSet", "tke-eni-agent"),
    "tke-eni-ipamd": manifests.one("Deployment", "tke-eni-ipamd"),
}


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor["metadata"]["name"])
def test_a_monitor_finds_the_pods_of_its_workload_by_the_port_that_serves_the_metrics(monitor):
    name = monitor["metadata"]["name"]
    workload = WORKLOADS[name]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    flag = next(
        step["value"]
        for patch in METRICS
        if patch.get("target", {}).get("name") == name
        for step in yaml.safe_load(patch["patch"])
        if str(step["value"]).startswith("--metrics-address=")
    )
    (container,) = (
        container
        for patch in METRICS
        if "target" not in patch
        for patched in [yaml.safe_load(patch["patch"])]
        if patched["metadata"]["name"] == name
        for container in patched["spec"]["template"]["spec"]["containers"]
    )

    selected = monitor["spec"]["selector"]["matchLabels"]
    assert selected.items() <= workload["spec"]["template"]["metadata"]["labels"].items()
    assert monitor["metadata"]["namespace"] == workload["metadata"]["namespace"]
    assert container["name"] == workload["spec"]["template"]["spec"]["containers"][0]["name"]
    assert container["ports"] == [{"name": endpoint["port"], "containerPort": int(flag.rpartition(":")[2])}]


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor["metadata"]["name"])
def test_a_monitor_makes_the_labels_that_alerts_and_dashboard_go_by(monitor):
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]

    assert monitor["spec"]["jobLabel"] == "app.kubernetes.io/name"
    assert endpoint["relabelings"] == [
        {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}
    ]
