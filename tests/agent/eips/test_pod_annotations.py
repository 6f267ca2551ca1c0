"""What a Pod is told of its EIP, once and onto the very Pod."""

import pytest

from ipamd.agent.eips.pod_annotations import PodAnnotations
from ipamd.agent.pods.source import PodSource
from ipamd.core import model
from ipamd.core.claim.eipclaim import ClaimAddress
from ipamd.core.kubernetes.external_dns import ExternalDns
from ipamd.kube.resources import PODS
from tests.testkit.eventually import eventually

ADDRESS = ClaimAddress(eip_id="eip-1", public_ip="198.18.0.1", owned=True)
TOLD = {"tke.cloud.tencent.com/eip-id": "eip-1", "tke.cloud.tencent.com/eip-public-ip": "198.18.0.1"}


@pytest.fixture
def pods(client):
    pods = PodSource(client, "node-a")
    pods.start()
    yield pods
    pods.stop()


@pytest.fixture
def pod(client):
    metadata = {"namespace": "default", "name": "web-0", "annotations": {"example.com/theirs": "stays"}}
    spec = {"nodeName": "node-a", "containers": [{"name": "m", "image": "x"}]}
    created = client.create(PODS, {"metadata": metadata, "spec": spec})
    return model.PodRef(namespace="default", name="web-0", uid=created["metadata"]["uid"])


def metadata(client):
    return client.get(PODS, "web-0", "default")["metadata"]


@pytest.mark.parametrize(
    ("dns", "target"),
    [
        (ExternalDns.OFF, {}),
        (ExternalDns.ALPHA, {"external-dns.alpha.kubernetes.io/target": "198.18.0.1"}),
        (ExternalDns.STABLE, {"external-dns.kubernetes.io/target": "198.18.0.1"}),
    ],
)
def test_external_dns_is_told_the_public_ip_when_asked(client, pods, pod, dns, target):
    PodAnnotations(client, pods, external_dns=dns).write(pod, ADDRESS)

    assert metadata(client)["annotations"] == {"example.com/theirs": "stays", **TOLD, **target}


@pytest.mark.parametrize("dns", list(ExternalDns))
def test_what_the_watch_shows_is_not_written_again(client, pods, pod, dns):
    annotations = PodAnnotations(client, pods, external_dns=dns)
    annotations.write(pod, ADDRESS)
    version = metadata(client)["resourceVersion"]
    wanted = TOLD | ({dns.target: "198.18.0.1"} if dns.target else {})
    eventually(lambda: (seen := pods.known(pod)) and wanted.items() <= seen.annotations.items())

    annotations.write(pod, ADDRESS)

    assert metadata(client)["resourceVersion"] == version


def test_a_later_pod_of_the_name_is_told_nothing(client, pods, pod):
    former = model.PodRef(namespace="default", name="web-0", uid="another")

    PodAnnotations(client, pods).write(former, ADDRESS)

    assert "tke.cloud.tencent.com/eip-id" not in metadata(client)["annotations"]
