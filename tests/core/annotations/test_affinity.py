"""To which nodes a Pod with a fixed address is kept."""

import base64
import copy
import json

import pytest

from ipamd.core.annotations import admission, affinity
from ipamd.core.kubernetes import pods
from simulator.kube.patches import apply_operations

PREFIX = "tke.cloud.tencent.com/"
KEPT = {PREFIX + "vpc-ip-claim-delete-policy": "Never"}
LABEL = "subnet.tke.cloud.tencent.com/subnet-a"
EXISTS = {"key": LABEL, "operator": "Exists"}
ZONE = {"key": "zone", "operator": "In", "values": ["1"]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def pod(annotations=KEPT, **spec):
    return {
        "metadata": {"name": "web-0", "annotations": dict(annotations)},
        "spec": {"containers": [{"name": "main"}], **spec},
    }


def terms(obj):
    return obj["spec"]["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"]


def narrowed(obj, *subnets):
    return apply_operations(copy.deepcopy(obj), affinity.patch(obj, subnets or ("subnet-a",)))


def required(*alternatives, **beside):
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(alternatives)}, **beside}}}


@pytest.mark.parametrize(
    "spec", [{}, {"affinity": None}, {"affinity": {}}, {"affinity": {"nodeAffinity": {}}}]
)
def test_a_pod_without_affinity_gets_one(spec):
    assert terms(narrowed(pod(**spec))) == [{"matchExpressions": [EXISTS]}]


def test_every_alternative_is_narrowed_and_nothing_else_is_touched():
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": {}}]}
    fields = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}
    obj = pod(**required({"matchExpressions": [ZONE]}, fields, **preferred))
    obj["spec"]["affinity"]["podAntiAffinity"] = {"x": 1}

    after = narrowed(obj)

    assert terms(after) == [{"matchExpressions": [ZONE, EXISTS]}, {**fields, "matchExpressions": [EXISTS]}]
    assert after["spec"]["affinity"]["podAntiAffinity"] == {"x": 1}
    assert after["spec"]["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]


def test_an_alternative_that_matches_no_node_goes_on_matching_none():
    obj = pod(**required({}, {"matchExpressions": []}, {"matchExpressions": [ZONE]}))
    assert terms(narrowed(obj)) == [{}, {"matchExpressions": []}, {"matchExpressions": [ZONE, EXISTS]}]


def test_of_several_subnets_one_is_enough():
    other = {"key": "subnet.tke.cloud.tencent.com/subnet-b", "operator": "Exists"}
    obj = pod(**required({"matchExpressions": [ZONE]}))
    assert terms(narrowed(obj, "subnet-a", "subnet-b")) == [
        {"matchExpressions": [ZONE, EXISTS]},
        {"matchExpressions": [ZONE, other]},
    ]


@pytest.mark.parametrize("spec", [{}, required({"matchExpressions": [ZONE]}, {})])
def test_a_second_call_changes_nothing(spec):
    once = narrowed(pod(**spec), "subnet-a", "subnet-b")
    assert affinity.patch(once, ("subnet-a", "subnet-b")) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"nodeName": "node-1"},
        required("x"),
        {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": "x"}}}},
        {"affinity": {"nodeAffinity": {REQUIRED: {}}}},
        required(*[{"matchExpressions": [ZONE]}] * 101),
    ],
    ids=["bound to a node", "no term", "no terms", "none", "many"],
)
def test_what_cannot_be_narrowed_is_left_as_it_is(spec):
    assert affinity.patch(pod(**spec), ("subnet-a",)) == []


@pytest.mark.parametrize(
    ("annotations", "kept_in", "subnets"),
    [
        (KEPT, "subnet-a", ("subnet-a",)),
        ({PREFIX + "nominated-vpc-ip": "10.0.1.9"}, "subnet-a", ("subnet-a",)),
        (KEPT, "", ()),
        ({}, "subnet-a", ()),
        ({**KEPT, PREFIX + "networks": "tke-direct-eni"}, "subnet-a", ("subnet-a",)),
        ({**KEPT, PREFIX + "networks": "tke-bridge"}, "subnet-a", ()),
        ({**KEPT, PREFIX + "nominated-vpc-ip": "web"}, "subnet-a", ()),
        ({**KEPT, PREFIX + "nominated-eni-subnets": "subnet-b, subnet-c"}, "", ("subnet-b", "subnet-c")),
        ({**KEPT, PREFIX + "nominated-eni-subnets": "subnet-b"}, "subnet-a", ("subnet-a",)),
    ],
)
def test_the_kept_address_decides_and_then_what_the_pod_names(annotations, kept_in, subnets):
    assert affinity.subnets_of(pods.view(pod(annotations)), kept_in) == subnets


def test_a_pod_of_the_host_network_goes_where_it_likes():
    assert affinity.subnets_of(pods.view(pod(hostNetwork=True)), "subnet-a") == ()


def answer(obj, kept, namespace="default"):
    request = {
        "uid": "1",
        "kind": {"group": "", "kind": "Pod"},
        "operation": "CREATE",
        "namespace": namespace,
        "object": obj,
    }
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    response = json.loads(admission.review(json.dumps(body).encode(), kept))["response"]
    operations = json.loads(base64.b64decode(response.get("patch", "W10=")))
    return apply_operations(copy.deepcopy(obj), operations)


def test_a_review_keeps_a_named_pod_to_the_subnet_of_its_claim():
    claims = {("shop", "web-0"): "subnet-a"}

    def kept(namespace, name):
        return claims.get((namespace, name), "")

    assert terms(answer(pod(), kept, "shop")) == [{"matchExpressions": [EXISTS]}]
    assert answer(pod(), kept, "other") == pod()
    generated = pod()
    generated["metadata"] = {"generateName": "web-", "annotations": KEPT}
    assert answer(generated, kept, "shop") == generated


def test_resources_and_affinity_come_in_one_answer():
    both = {**KEPT, PREFIX + "eip-attributes": ""}
    after = answer(pod(both), lambda namespace, name: "subnet-a")
    assert terms(after) == [{"matchExpressions": [EXISTS]}]
    assert after["spec"]["containers"][0]["resources"]["requests"][PREFIX + "eip"] == "1"
