"""Pods as the admission webhook leaves them, and reviews that are not what they should be."""

import base64
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.annotations import admission
from ipamd.core.errors import InvalidInputError
from simulator.kube.patches import apply_operations

EIP = "tke.cloud.tencent.com/eip"
ENI_IP = "tke.cloud.tencent.com/eni-ip"
ASKS = {"tke.cloud.tencent.com/eip-attributes": '{"Bandwidth":"100","ISP":"BGP"}'}
BOTH = {EIP: "1", ENI_IP: "1"}


def pod(annotations=ASKS, *, containers=({"name": "main"},), **spec):
    return {
        "metadata": {"name": "web-0", "annotations": dict(annotations)},
        "spec": {"containers": [copy.deepcopy(c) for c in containers], **spec},
    }


def container(**resources):
    return {"name": "main", "resources": resources}


def patched(obj):
    return apply_operations(obj, admission.patch(obj))


def resources_of(obj, number=0):
    return patched(obj)["spec"]["containers"][number].get("resources")


@pytest.mark.parametrize(
    "annotations",
    [
        ASKS,
        {"tke.cloud.tencent.com/eip-attributes": ""},
        {"tke.cloud.tencent.com/eip-id-list": "eip-1,eip-2"},
    ],
)
def test_a_pod_that_asks_gets_both_resources_in_requests_and_limits(annotations):
    assert resources_of(pod(annotations)) == {"requests": BOTH, "limits": BOTH}


@pytest.mark.parametrize(
    "annotations",
    [{}, {"tke.cloud.tencent.com/eip-claim-delete-policy": "Never"}, {"example.com/eip-attributes": ""}],
)
def test_a_pod_that_does_not_ask_is_left_alone(annotations):
    assert admission.patch(pod(annotations)) == []


def test_a_pod_of_the_host_network_is_left_alone():
    assert admission.patch(pod(hostNetwork=True)) == []


def test_only_the_first_container_is_changed():
    changed = patched(pod(containers=[{"name": "a"}, {"name": "b"}]))
    assert "resources" not in changed["spec"]["containers"][1]


@pytest.mark.parametrize(
    "present",
    [
        {},
        {"requests": {"cpu": "1"}},
        {"limits": {"cpu": "1"}},
        {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}},
        {"requests": None, "limits": {}},
    ],
)
def test_what_the_container_has_stays(present):
    expected = {kind: {**(present.get(kind) or {}), **BOTH} for kind in ("requests", "limits")}
    assert resources_of(pod(containers=[container(**present)])) == expected


def test_what_is_missing_is_added_alone():
    has = {"requests": {EIP: "1"}, "limits": {EIP: "1"}}
    assert resources_of(pod(containers=[container(**has)])) == {"requests": BOTH, "limits": BOTH}


@pytest.mark.parametrize("amount", ["1", "0", 2])
@pytest.mark.parametrize("place", ["containers", "initContainers"])
def test_a_resource_that_any_container_names_is_not_added(place, amount):
    named = container(requests={EIP: amount, ENI_IP: amount}, limits={EIP: amount, ENI_IP: amount})
    obj = pod(containers=[{"name": "a"}])
    obj["spec"][place] = [*obj["spec"].get(place, []), named]
    assert admission.patch(obj) == []


def test_a_second_time_changes_nothing():
    once = patched(pod())
    assert admission.patch(once) == []


ENI = "tke.cloud.tencent.com/direct-eni"


def test_a_pod_with_an_eni_of_its_own_needs_no_address_of_a_shared_one():
    obj = pod({**ASKS, "tke.cloud.tencent.com/networks": "tke-direct-eni"})
    assert resources_of(obj) == {
        "requests": dict.fromkeys((EIP, ENI), "1"),
        "limits": dict.fromkeys((EIP, ENI), "1"),
    }


def test_a_pod_with_an_eni_of_its_own_is_counted_without_an_eip_too():
    assert resources_of(pod({"tke.cloud.tencent.com/networks": "tke-direct-eni"})) == {
        "requests": {ENI: "1"},
        "limits": {ENI: "1"},
    }
    both = pod({"tke.cloud.tencent.com/networks": "tke-route-eni,tke-direct-eni"})
    assert admission.patch(both) == [], "it is on the shared one"


def review(obj=None, *, kind="Pod", group="", operation="CREATE", uid="705ab4f5", **members):
    request = {
        "uid": uid,
        "kind": {"group": group, "version": "v1", "kind": kind},
        "operation": operation,
        "object": pod() if obj is None else obj,
    }
    document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request, **members}
    return json.dumps(document).encode()


def response(body):
    answer = json.loads(admission.review(body))
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    return answer["response"]


def test_the_answer_names_the_request_and_holds_the_patch():
    answer = response(review())
    assert (answer["uid"], answer["allowed"], answer["patchType"]) == ("705ab4f5", True, "JSONPatch")
    assert json.loads(base64.b64decode(answer["patch"])) == admission.patch(pod())


@pytest.mark.parametrize(
    "other",
    [{"kind": "ConfigMap"}, {"group": "metrics.k8s.io"}, {"operation": "UPDATE"}, {"operation": "DELETE"}],
)
def test_anything_but_a_new_pod_is_let_through(other):
    assert response(review(**other)) == {"uid": "705ab4f5", "allowed": True}


@pytest.mark.parametrize("obj", [{}, [], "x", 1, {"spec": []}, {"metadata": 3, "spec": {"containers": "x"}}])
def test_a_pod_that_is_none_is_let_through(obj):
    assert response(review(obj)) == {"uid": "705ab4f5", "allowed": True}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        review(apiVersion="admission.k8s.io/v1beta1"),
        review(uid=""),
        review(uid=7),
        review(uid="x" * 1000),
    ],
)
def test_what_is_no_review_is_refused(body):
    with pytest.raises(InvalidInputError, match=r"AdmissionReview|JSON"):
        admission.review(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
amounts = st.dictionaries(st.sampled_from([EIP, ENI_IP, "cpu", "a~b/c"]), st.sampled_from(["0", "1", 1]))
resources = st.one_of(
    json_values, st.fixed_dictionaries({}, optional={"requests": amounts, "limits": amounts | json_values})
)
containers = st.lists(
    st.one_of(json_values, st.fixed_dictionaries({"name": st.just("c")}, optional={"resources": resources})),
    max_size=3,
)


@given(
    spec=st.fixed_dictionaries(
        {}, optional={"containers": containers | json_values, "initContainers": containers}
    )
)
def test_whatever_a_pod_looks_like_the_patch_applies_and_a_second_one_is_empty(spec):
    obj = {"metadata": {"annotations": dict(ASKS)}, "spec": spec}
    assert admission.patch(patched(obj)) == []


@given(json_values)
def test_whatever_a_review_holds_it_is_answered_or_refused(value):
    for body in (json.dumps(value).encode(), review(value)):
        try:
            assert json.loads(admission.review(body))["response"]["allowed"] is True
        except InvalidInputError:
            continue
