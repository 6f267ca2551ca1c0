"""The chart on a real API server: installed, upgraded, taken away, and taken over from kustomize."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.apiserver import ApiServer
from testbed.processes import Children
from tests.apiserver.charts import CHART, CLUSTER, helm, run
from tests.apiserver.conftest import CLAIMS, DEPLOY, Cluster
from tests.testkit.eventually import eventually

CLAIM = {
    "apiVersion": "networking.tke.cloud.tencent.com/v1",
    "kind": "EIPClaim",
    "metadata": {"name": "web-0", "finalizers": ["networking.tke.cloud.tencent.com/eip"]},
    "spec": {"attributes": {}},
}
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/tke-eni-admission"
SECRET = "/api/v1/namespaces/kube-system/secrets/tke-eni-admission"
SETTINGS = "/api/v1/namespaces/kube-system/configmaps/tke-eni-settings"
AGENTS = "/apis/apps/v1/namespaces/kube-system/daemonsets/tke-eni-agent"
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/eipclaims.networking.tke.cloud.tencent.com"
MERGE = "application/merge-patch+json"


@pytest.fixture
def bare(tmp_path) -> Iterator[Cluster]:
    """An API server with nothing of ours."""
    with Children(tmp_path / "logs") as children:
        server = ApiServer(children, tmp_path / "state")
        server.start()
        yield Cluster(server)


def release(cluster: Cluster, verb: str, *options: str) -> str:
    return helm(
        verb,
        "tke-eni",
        str(CHART),
        "--namespace=kube-system",
        CLUSTER,
        *options,
        kubeconfig=cluster.server.kubeconfig,
    )


def refusal(cluster: Cluster, verb: str, *options: str) -> str:
    done = run(
        verb,
        "tke-eni",
        str(CHART),
        "--namespace=kube-system",
        CLUSTER,
        *options,
        kubeconfig=cluster.server.kubeconfig,
    )
    assert done.returncode != 0
    return done.stderr


def remove(cluster: Cluster) -> str:
    return helm("uninstall", "tke-eni", "--namespace=kube-system", kubeconfig=cluster.server.kubeconfig)


def read(cluster: Cluster, path: str) -> dict[str, Any]:
    status, answer = cluster.server.call("GET", path)
    assert status == 200, answer
    return answer


def write(cluster: Cluster, path: str, patch: object) -> None:
    status, answer = cluster.server.call("PATCH", path, patch, content=MERGE)
    assert status == 200, answer


def make_claim(cluster: Cluster) -> None:
    cluster.kubectl("wait", "--for=condition=Established", "crd/eipclaims.networking.tke.cloud.tencent.com")
    # The server tells of a new kind a moment before it serves it.
    eventually(lambda: cluster.server.call("GET", CLAIMS)[0] == 200)
    cluster.server.create(CLAIMS, CLAIM)


def ours(cluster: Cluster) -> set[str]:
    kinds = (
        *("ds", "deploy", "pdb", "cm", "sa", "svc", "secret", "role", "rolebinding", "clusterrole"),
        *("clusterrolebinding", "crd", "mutatingwebhookconfiguration"),
    )
    shown = cluster.kubectl("get", ",".join(kinds), "--all-namespaces", "--output=name")
    return {line for line in shown.splitlines() if "tke-eni" in line or "eipclaims" in line}


def test_an_upgrade_leaves_what_others_have_written(bare):
    release(bare, "install", "--set=components.admission=true")
    make_claim(bare)
    authority = base64.b64encode(b"authority").decode()
    write(bare, SECRET, {"data": {"tls.crt": authority}})
    write(bare, SETTINGS, {"data": {"RELEASES": "stopped"}})
    webhooks = read(bare, WEBHOOK)["webhooks"]
    webhooks[0]["clientConfig"]["caBundle"] = authority
    write(bare, WEBHOOK, {"webhooks": webhooks})

    release(
        bare,
        "upgrade",
        "--set=components.admission=true",
        "--set=image.tag=9.9.9",
        "--set=settings.REGION=ap-x",
    )

    (container,) = read(bare, AGENTS)["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(":9.9.9")
    assert read(bare, SETTINGS)["data"] == {
        "CLUSTER_ID": "cls-abcd1234",
        "REGION": "ap-x",
        "RELEASES": "stopped",
    }
    assert read(bare, SECRET)["data"] == {"tls.crt": authority}
    assert read(bare, WEBHOOK)["webhooks"][0]["clientConfig"]["caBundle"] == authority
    assert [one["metadata"]["name"] for one in read(bare, CLAIMS)["items"]] == ["web-0"]


def test_an_upgrade_brings_the_new_fields_of_the_crd(bare):
    """What Helm does not do for CRDs of the folder crds/."""
    release(bare, "install")
    old = read(bare, CRD)["spec"]["versions"]
    del old[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["expireAfter"]
    write(bare, CRD, {"spec": {"versions": old}})

    release(bare, "upgrade", "--force-conflicts")

    made = read(bare, CRD)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "expireAfter" in made["properties"]["spec"]["properties"]


def test_removing_it_keeps_the_claims_and_it_can_come_again(bare):
    release(bare, "install", "--set=components.admission=true", "--set=components.metrics=true")
    make_claim(bare)

    said = remove(bare)

    assert "eipclaims.networking.tke.cloud.tencent.com" in said
    assert ours(bare) == {
        "customresourcedefinition.apiextensions.k8s.io/eipclaims.networking.tke.cloud.tencent.com"
    }
    assert [one["metadata"]["name"] for one in read(bare, CLAIMS)["items"]] == ["web-0"]

    release(bare, "install")

    assert read(bare, AGENTS)["metadata"]["name"] == "tke-eni-agent"


def test_it_takes_over_what_kustomize_has_installed(bare):
    bare.kubectl("apply", f"--kustomize={DEPLOY}")
    bare.kubectl(
        "--namespace=kube-system",
        "patch",
        "configmap",
        "tke-eni-settings",
        "--type=merge",
        f"--patch={json.dumps({'data': {'CLUSTER_ID': 'cls-abcd1234', 'RELEASES': 'stopped'}})}",
    )
    make_claim(bare)
    assert "invalid ownership metadata" in refusal(bare, "install")
    uid = read(bare, AGENTS)["metadata"]["uid"]

    release(bare, "install", "--take-ownership", "--server-side=false", "--set=components.metrics=true")

    agents = read(bare, AGENTS)["metadata"]
    assert agents["uid"] == uid, "made anew"
    assert agents["annotations"]["meta.helm.sh/release-name"] == "tke-eni"
    assert read(bare, SETTINGS)["data"] == {"CLUSTER_ID": "cls-abcd1234", "RELEASES": "stopped"}
    assert [one["metadata"]["name"] for one in read(bare, CLAIMS)["items"]] == ["web-0"]

    release(bare, "upgrade", "--set=agent.flags={--log-level=debug}")

    (container,) = read(bare, AGENTS)["spec"]["template"]["spec"]["containers"]
    assert container["args"][-1] == "--log-level=debug"
    assert not [word for word in container["args"] if word.startswith("--metrics-address")]
    assert read(bare, SETTINGS)["data"] == {"CLUSTER_ID": "cls-abcd1234", "RELEASES": "stopped"}


def test_a_cluster_id_that_differs_from_the_cluster_s_own_is_refused(bare):
    """Everything that the cluster has would be taken for another's."""
    bare.kubectl("apply", f"--kustomize={DEPLOY}")
    write(bare, SETTINGS, {"data": {"CLUSTER_ID": "cls-other123"}})

    said = refusal(bare, "install", "--take-ownership", "--force-conflicts")

    assert "is cls-abcd1234, and tke-eni-settings of this cluster says cls-other123" in said
