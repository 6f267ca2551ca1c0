"""What the controller keeps of a cluster's objects fits in its memory, whatever stands in them."""

import gc
import tracemalloc

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.kubernetes import pods

MIB = 1 << 20


def a_pod(number):
    return {
        "metadata": {
            "name": f"web-7f9c5d8b6-{number:05}",
            "generateName": "web-7f9c5d8b6-",
            "namespace": "shop",
            "uid": f"5c1f0d7e-0000-4000-8000-{number:012}",
            "resourceVersion": str(10_000_000 + number),
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "x" * 4000,
                "tke.cloud.tencent.com/networks": "tke-route-eni",
            },
            "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {"x": "y" * 2000}}}],
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": "web-7f9c5d8b6",
                    "uid": "11111111-0000-4000-8000-000000000000",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "nodeName": f"10.0.{number % 20}.{number % 250}",
            "containers": [{"name": "m", "env": [{"name": "A", "value": "x" * 1000}]}],
        },
        "status": {"phase": "Running", "podIP": f"10.1.{number % 200}.{number % 250}"},
    }


def a_claim(number):
    return {
        "apiVersion": eipclaim.API_VERSION,
        "kind": eipclaim.KIND,
        "metadata": {
            **a_pod(number)["metadata"],
            "finalizers": [eipclaim.FINALIZER],
            "labels": {eipclaim.NODE_LABEL: f"10.0.{number % 20}.{number % 250}"},
            "annotations": {eipclaim.POD_UID: f"uid-{number}", "note": "x" * 4000},
        },
        "spec": {
            "deletePolicy": "Delete",
            "attributes": {"bandwidthMbps": 100, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"},
        },
        "status": {
            "phase": "Bound",
            "pod": {"uid": f"uid-{number}", "node": f"10.0.{number % 20}.{number % 250}"},
            "address": {"id": f"eip-{number:08}", "ip": "198.18.0.1", "owned": True},
            "conditions": [
                {
                    "type": kind,
                    "status": "True",
                    "reason": "Bound",
                    "message": "to 10.0.1.9",
                    "lastTransitionTime": "2026-11-29T00:00:00Z",
                }
                for kind in ("Provisioned", "Bound", "EgressThroughEIP")
            ],
        },
    }


@pytest.mark.parametrize(
    ("make", "trim", "most"), [(a_pod, pods.trim, 1800), (a_claim, eipclaim.trim, 4000)], ids=["Pod", "claim"]
)
def test_an_object_keeps_what_is_read_of_it_and_no_more(make, trim, most):
    """50,000 Pods and 5,000 claims stay below 110 MiB; `most` is in bytes for each."""
    gc.collect()
    tracemalloc.start()
    kept = [trim(make(number)) for number in range(1000)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size / len(kept) < most


def test_a_trimmed_claim_says_the_same():
    assert eipclaim.read(eipclaim.trim(a_claim(7))) == eipclaim.read(a_claim(7))


def test_a_trimmed_pod_says_the_same():
    assert pods.view(pods.trim(a_pod(7))) == pods.view(a_pod(7))
