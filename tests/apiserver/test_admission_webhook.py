"""The admission webhook as the API server calls it, with the controller's own rights.

The Service has no Pods behind it here, so it is one of type ExternalName that leads to this process; name and
certificate are those of the real one.
"""

import itertools
import time

import pytest

from ipamd.controller.admission.registration import NAME
from ipamd.controller.admission.webhook import AdmissionWebhook
from tests.deploy import manifests
from tests.testkit.eventually import eventually

EIP, ENI_IP = "tke.cloud.tencent.com/eip", "tke.cloud.tencent.com/eni-ip"
BOTH = {EIP: "1", ENI_IP: "1"}
ASKS = {"tke.cloud.tencent.com/eip-attributes": '{"Bandwidth":"100","ISP":"BGP"}'}
COMPONENT = "components/admission"
VPCIPCLAIMS = "/apis/networking.tke.cloud.tencent.com/v1/namespaces/default/vpcipclaims"
PODS = "/api/v1/namespaces/{}/pods"
_numbers = itertools.count(1)


class Webhook:
    """Starts and ends the one replica there is."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._running = None
        self.port = 0

    def start(self):
        client = self._cluster.client(self._cluster.token("tke-eni-ipamd"))
        self._running = AdmissionWebhook(client, "kube-system", "127.0.0.1", self.port)
        self._running.start()
        self.port = self._running.port

    def stop(self):
        if self._running:
            self._running.stop()
        self._running = None


@pytest.fixture(scope="module")
def webhook(cluster):
    cluster.apply("crd-vpcipclaim.yaml", f"{COMPONENT}/rbac.yaml", f"{COMPONENT}/webhook.yaml")
    cluster.kubectl("wait", "--for=condition=Established", "crd/vpcipclaims.networking.tke.cloud.tencent.com")
    webhook = Webhook(cluster)
    webhook.start()
    service = manifests.one("Service", NAME, f"{COMPONENT}/service.yaml")
    service["spec"] = {
        "type": "ExternalName",
        "externalName": "localhost",
        "ports": [{"port": 443, "targetPort": webhook.port}],
    }
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/" + NAME
    cluster.server.create("/api/v1/namespaces/kube-system/services", service)
    cluster.server.create(
        "/api/v1/namespaces/kube-system/secrets", manifests.one("Secret", NAME, f"{COMPONENT}/service.yaml")
    )
    operation = {"op": "replace", "path": "/webhooks/0/clientConfig/service/port", "value": webhook.port}
    cluster.server.call("PATCH", path, [operation], content="application/json-patch+json")
    yield webhook
    webhook.stop()
    cluster.kubectl("delete", "mutatingwebhookconfiguration", NAME)


class Pods:
    """Creates Pods and shows what became of them."""

    def __init__(self, cluster):
        self._server = cluster.server

    def create(self, annotations=ASKS, *, name="", namespace="default", query="", **spec):
        container = {"name": "main", "image": "registry.example/app:1"}
        body = {
            "metadata": {"name": name or f"web-{next(_numbers)}", "annotations": dict(annotations)},
            "spec": {"containers": [container], **spec},
        }
        return self._server.create(PODS.format(namespace) + query, body)

    def exists(self, pod):
        path = PODS.format(pod["metadata"]["namespace"]) + "/" + pod["metadata"]["name"]
        return self._server.call("GET", path)[0] == 200


@pytest.fixture(scope="module")
def pods(cluster, webhook):
    """Once the API server trusts and calls the webhook."""
    pods = Pods(cluster)
    deadline = time.monotonic() + 30
    while not resources(pods.create(query="?dryRun=All")):
        assert time.monotonic() < deadline, "the webhook is not called"
        time.sleep(0.2)
    return pods


def resources(pod):
    return pod["spec"]["containers"][0]["resources"]


def test_a_pod_with_annotations_alone_is_created_with_the_resources(pods):
    created = pods.create()
    assert resources(created) == {"requests": BOTH, "limits": BOTH}
    assert pods.exists(created)


def test_a_dry_run_shows_the_same_and_creates_nothing(pods):
    shown = pods.create(query="?dryRun=All")
    assert resources(shown) == {"requests": BOTH, "limits": BOTH}
    assert not pods.exists(shown)


def test_a_pod_whose_address_is_kept_is_led_to_its_subnet(cluster, pods):
    name = f"web-{next(_numbers)}"
    claim = {
        "apiVersion": "networking.tke.cloud.tencent.com/v1",
        "kind": "VpcIPClaim",
        "metadata": {"name": name},
        "spec": {"type": "Pod", "deletePolicy": "Never"},
    }
    cluster.server.create(VPCIPCLAIMS, claim)
    path = f"{VPCIPCLAIMS}/{name}/status"
    body = {"status": {"phase": "Provisioned", "address": {"ip": "10.0.1.9", "subnetID": "subnet-demo0001"}}}
    code, answer = cluster.server.call("PATCH", path, body, content="application/merge-patch+json")
    assert code == 200, answer
    kept = {"tke.cloud.tencent.com/vpc-ip-claim-delete-policy": "Never"}
    label = "subnet.tke.cloud.tencent.com/subnet-demo0001"

    def asked():
        shown = pods.create(kept, name=name, query="?dryRun=All")
        node = shown["spec"].get("affinity", {}).get("nodeAffinity", {})
        return node.get("requiredDuringSchedulingIgnoredDuringExecution")

    expected = {"nodeSelectorTerms": [{"matchExpressions": [{"key": label, "operator": "Exists"}]}]}
    eventually(lambda: asked() == expected)


def test_other_pods_are_as_they_were_written(pods):
    assert resources(pods.create({})) == {}
    assert resources(pods.create(hostNetwork=True)) == {}


def test_what_a_container_has_stays(pods):
    cpu = {"cpu": "10m"}
    container = {
        "name": "m",
        "image": "x",
        "resources": {"requests": cpu, "limits": {"cpu": "20m", EIP: "1"}},
    }
    created = pods.create(containers=[container])
    assert resources(created) == {
        "requests": {**cpu, EIP: "1", ENI_IP: "1"},
        "limits": {"cpu": "20m", EIP: "1", ENI_IP: "1"},
    }


def namespace(cluster, name, **labels):
    cluster.server.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    account = {"metadata": {"name": "default"}}
    cluster.server.create(f"/api/v1/namespaces/{name}/serviceaccounts", account)
    return name


def test_namespaces_can_opt_out_by_the_label_of_tkes_own_webhook(cluster, pods):
    place = namespace(cluster, "own-way", **{"not-add-pod-eni-ip-limit": "true"})
    assert resources(pods.create(namespace=place)) == {}


def test_system_pods_are_never_asked_about(cluster, pods):
    cluster.server.create("/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": "default"}})
    assert resources(pods.create(namespace="kube-system")) == {}


def test_the_certificate_is_kept_with_the_rights_of_the_component(cluster, pods):
    secret = cluster.server.call("GET", f"/api/v1/namespaces/kube-system/secrets/{NAME}")[1]
    assert secret["data"].keys() == {"ca.crt", "ca.key", "tls.crt", "tls.key"}


def test_applying_the_manifests_again_breaks_nothing(cluster, pods):
    before = cluster.server.call("GET", f"/api/v1/namespaces/kube-system/secrets/{NAME}")[1]["data"]
    cluster.apply(f"{COMPONENT}/rbac.yaml", f"{COMPONENT}/service.yaml")
    assert cluster.server.call("GET", f"/api/v1/namespaces/kube-system/secrets/{NAME}")[1]["data"] == before


def test_while_no_replica_answers_pods_are_created_as_they_were_written(webhook, pods):
    webhook.stop()
    try:
        started = time.monotonic()
        assert resources(pods.create()) == {}
        assert time.monotonic() - started < 5
    finally:
        webhook.start()
    deadline = time.monotonic() + 20
    while not resources(pods.create(query="?dryRun=All")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
