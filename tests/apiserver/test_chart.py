"""The chart and kustomize make the same objects, and a real API server takes, keeps and gives them back."""

import json
import os
import re
from typing import Any

import pytest
import yaml

from tests.apiserver import charts
from tests.apiserver.charts import CHART, CLUSTER, Objects, helm, run, template
from tests.apiserver.conftest import DEPLOY

COMPONENTS = {
    "preflight": ["preflight"],
    "metrics": ["metrics"],
    "monitoring": ["metrics", "monitoring"],
    "admission": ["admission", "admission/from-1.27"],
    "ownNodeOnly": ["own-node-only"],
    "ipMasqAgent": ["ip-masq-agent"],
}
"""Value of the chart -> the components of deploy/ that are the same."""
EVERYTHING = [*COMPONENTS]
CHOICES = [[], *([name] for name in COMPONENTS), EVERYTHING]


def switches(chosen: list[str]) -> list[str]:
    names = {*chosen, *(["metrics"] if "monitoring" in chosen else [])}
    return [f"--set=components.{name}=true" for name in sorted(names)]


def kustomized(tmp_path, components: list[str]) -> Objects:
    here = os.path.relpath(DEPLOY, tmp_path)
    kustomization = {
        "resources": [here],
        "components": [f"{here}/components/{name}" for name in dict.fromkeys(components)],
        "patches": [
            {
                "patch": yaml.safe_dump(
                    {
                        "apiVersion": "v1",
                        "kind": "ConfigMap",
                        "metadata": {"name": "tke-eni-settings", "namespace": "kube-system"},
                        "data": {"CLUSTER_ID": "cls-abcd1234"},
                    }
                )
            }
        ],
    }
    (tmp_path / "kustomization.yaml").write_text(json.dumps(kustomization))
    return charts.kustomize(tmp_path)


def without_what_only_the_chart_has(objects: Objects) -> dict[Any, Any]:
    """The reaction to changed settings, and what keeps the CRD."""
    for (kind, _), obj in objects.items():
        if kind in ("DaemonSet", "Deployment"):
            assert obj["spec"]["template"]["metadata"].pop("annotations").keys() == {"checksum/settings"}
        if kind == "CustomResourceDefinition":
            assert obj["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    return dict(objects)


def in_order(obj: Any) -> Any:
    """The same with ports and volumes by name: a strategic merge puts them in an order of its own."""
    if isinstance(obj, dict):
        return {
            key: sorted(value, key=_as_text) if key in ("ports", "volumes") else in_order(value)
            for key, value in obj.items()
        }
    return [in_order(one) for one in obj] if isinstance(obj, list) else obj


def _as_text(obj: Any) -> str:
    return json.dumps(obj, sort_keys=True)


def test_helm_finds_nothing_to_complain_of():
    said = helm("lint", str(CHART), "--strict", "--namespace=kube-system")
    assert "0 chart(s) failed" in said


@pytest.mark.parametrize("chosen", CHOICES, ids=lambda chosen: "+".join(chosen) or "none")
def test_chart_and_kustomize_make_the_same_objects(chosen, tmp_path):
    made = without_what_only_the_chart_has(template(*switches(chosen), "--kube-version=1.34"))
    wanted = kustomized(tmp_path, [name for one in chosen for name in COMPONENTS[one]])

    assert made.keys() == wanted.keys()
    for key, obj in wanted.items():
        assert in_order(made[key]) == in_order(obj), key


def test_an_api_server_before_1_27_is_given_no_match_conditions(tmp_path):
    made = without_what_only_the_chart_has(
        template("--set=components.admission=true", "--kube-version=1.26.15")
    )
    assert made == kustomized(tmp_path, ["admission"])


def test_what_is_chosen_stands_where_it_counts():
    made = template(
        "--set=image.repository=registry.example.com/ipamd,image.tag=1.2.3",
        "--set=image.pullPolicy=Always,imagePullSecrets[0].name=pull",
        "--set=credentialsSecret=cam",
        "--set=settings.REGION=ap-guangzhou",
        "--set=agent.flags={--ip-cooldown=2m}",
        "--set=agent.maxUnavailable=1",
        "--set=agent.nodeSelector.pool=eni",
        "--set=agent.priorityClassName=system-cluster-critical",
        "--set-json=agent.tolerations=[]",
        "--set=controller.replicas=1",
        "--set=controller.flags={--enable-ownerref,--claim-expired-duration=1h}",
        "--set=controller.resources.limits.memory=1Gi",
    )
    agents = made["DaemonSet", "tke-eni-agent"]["spec"]
    controllers = made["Deployment", "tke-eni-ipamd"]["spec"]
    agent, controller = agents["template"]["spec"], controllers["template"]["spec"]
    for container in (*agent["initContainers"], *agent["containers"], *controller["containers"]):
        assert container["image"] == "registry.example.com/ipamd:1.2.3"
        assert container["imagePullPolicy"] == "Always"
    for spec in (agent, controller):
        assert spec["imagePullSecrets"] == [{"name": "pull"}]
        assert spec["containers"][0]["envFrom"][-1] == {"secretRef": {"name": "cam"}}
    assert made["ConfigMap", "tke-eni-settings"]["data"] == {
        "CLUSTER_ID": "cls-abcd1234",
        "REGION": "ap-guangzhou",
    }
    assert agent["containers"][0]["args"][-1] == "--ip-cooldown=2m"
    assert agents["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}
    assert agent["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "eni"}
    assert agent["priorityClassName"] == "system-cluster-critical"
    assert agent["tolerations"] == []
    assert controllers["replicas"] == 1
    assert controller["containers"][0]["args"][-2:] == ["--enable-ownerref", "--claim-expired-duration=1h"]
    assert controller["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}


def test_a_digest_counts_instead_of_the_tag():
    digest = f"sha256:{'0' * 64}"
    made = template(f"--set=image.digest={digest},image.tag=v9")
    (container,) = made["Deployment", "tke-eni-ipamd"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"ccr.ccs.tencentyun.com/tke-eni/ipamd@{digest}"


def test_other_settings_replace_the_pods_and_the_same_do_not():
    first, again, other = (
        template(*option)["DaemonSet", "tke-eni-agent"]["spec"]["template"]
        for option in ([], [], ["--set=settings.DIRECT_CIDRS=10.9.0.0/16"])
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["--namespace=kube-system"],
            r"settings\.CLUSTER_ID is not given: add --set settings\.CLUSTER_ID=cls-",
        ),
        ([CLUSTER], 'the namespace is "default".*add --namespace kube-system'),
        (
            ["--namespace=kube-system", CLUSTER, "--set=components.monitoring=true"],
            r"components\.monitoring is true and components\.metrics is not",
        ),
        (
            [
                "--namespace=kube-system",
                CLUSTER,
                "--set=components.ownNodeOnly=true",
                "--kube-version=1.29.3",
            ],
            r"components\.ownNodeOnly needs Kubernetes 1\.30 or newer, and this is v1\.29\.3",
        ),
        (["--namespace=kube-system", CLUSTER, "--kube-version=1.21.14"], r"requires kubeVersion: >=1\.22"),
        (
            ["--namespace=kube-system", CLUSTER, "--set=components.metrics=maybe"],
            "components/metrics.*boolean",
        ),
        (["--namespace=kube-system", CLUSTER, "--set=agents.flags=x"], "agents.*not allowed"),
        (
            ["--namespace=kube-system", CLUSTER, "--set=image.pullPolicy=Sometimes"],
            "pullPolicy.*'Always', 'IfNotPresent', 'Never'",
        ),
    ],
)
def test_what_cannot_work_is_refused_by_its_name(options, told):
    done = run("template", "tke-eni", str(CHART), *options)
    assert done.returncode != 0
    assert re.search(told, done.stderr, re.DOTALL), done.stderr


def test_the_directories_of_k3s_are_values_of_the_chart_and_a_component_of_kustomize(tmp_path):
    conf, binaries = "/var/lib/rancher/k3s/agent/etc/cni/net.d", "/var/lib/rancher/k3s/data/cni"

    of_chart = template(f"--set=agent.cniConfDir={conf}", f"--set=agent.cniBinDir={binaries}")
    of_kustomize = kustomized(tmp_path, ["k3s"])

    assert in_order(without_what_only_the_chart_has(of_chart)) == in_order(dict(of_kustomize))
    volumes = of_kustomize["DaemonSet", "tke-eni-agent"]["spec"]["template"]["spec"]["volumes"]
    places = {volume["name"]: volume["hostPath"]["path"] for volume in volumes}
    assert (places["cni-conf"], places["cni-bin"]) == (conf, binaries)
