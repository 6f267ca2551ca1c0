"""Lists: selectors, paging, and what resourceVersion means to them."""

import pytest

from tests.testkit.eventually import eventually
from tests.testkit.kubernetes_objects import claim, config_map, pod


@pytest.fixture
def claims(api, place):
    """Ten claims c0..c9 with labels parity and number; returns their path."""
    for number in range(10):
        labels = {"parity": "odd" if number % 2 else "even", "number": str(number)}
        assert api.create(place.claims(), claim(f"c{number}", labels=labels)).code == 201
    return place.claims()


def test_a_list_has_kind_version_and_items_in_order_of_names(api, claims):
    listed = api.get(claims)
    assert listed.code == 200
    assert listed.body["kind"] == "EIPClaimList"
    assert listed.body["apiVersion"] == "networking.tke.cloud.tencent.com/v1"
    assert int(listed.version) >= max(
        int(item["metadata"]["resourceVersion"]) for item in listed.body["items"]
    )
    assert listed.names == [f"c{number}" for number in range(10)]


def test_items_of_built_in_kinds_do_not_repeat_their_kind(api, place, claims):
    api.create(place.core("configmaps"), config_map("a"))
    built_in = api.get(place.core("configmaps")).body["items"]
    custom = api.get(claims).body["items"]
    assert all("kind" not in item and "apiVersion" not in item for item in built_in)
    assert all(item["kind"] == "EIPClaim" for item in custom)


def test_an_empty_list_has_no_items(api, place):
    assert api.get(place.claims()).body["items"] == []


def test_all_namespaces_are_listed_at_once(api, place, claims):
    listed = api.get("/apis/networking.tke.cloud.tencent.com/v1/eipclaims", labelSelector="number=7")
    assert place.name in [item["metadata"]["namespace"] for item in listed.body["items"]]


@pytest.mark.parametrize(
    ("selector", "numbers"),
    [
        ("parity=odd", "13579"),
        ("parity==odd,number!=3", "1579"),
        ("number in (1,2,12)", "12"),
        ("number notin (1,2,3)", "0456789"),
        ("parity", "0123456789"),
        ("!parity", ""),
        ("absent!=x,number in (4)", "4"),
        ("absent notin (x), number in (4)", "4"),
        ("number>7", "89"),
        ("number<2", "01"),
        ("number=", ""),
        ("in in (in)", ""),
    ],
)
def test_label_selectors(api, claims, selector, numbers):
    assert api.get(claims, labelSelector=selector).names == [f"c{number}" for number in numbers]


@pytest.mark.parametrize("selector", ["a b", "a in b", "a,,b", "a,", "!", "a in (b", "_a", "a=b c", "=a"])
def test_a_broken_label_selector_is_refused(api, claims, selector):
    assert api.get(claims, labelSelector=selector).failure[:2] == (400, "BadRequest")


def test_field_selectors_on_the_name(api, claims):
    assert api.get(claims, fieldSelector="metadata.name=c3").names == ["c3"]
    assert len(api.get(claims, fieldSelector="metadata.name!=c3").names) == 9
    assert api.get(claims, fieldSelector="metadata.name=c3,metadata.name=c4").names == []


def test_field_selectors_of_pods(api, place):
    api.create(place.core("pods"), pod("here", node="n1"))
    api.create(place.core("pods"), pod("there", node="n2"))
    api.create(place.core("pods"), pod("nowhere"))
    path = place.core("pods")
    assert api.get(path, fieldSelector="spec.nodeName=n1").names == ["here"]
    assert api.get(path, fieldSelector="spec.nodeName=").names == ["nowhere"]
    assert api.get(path, fieldSelector="status.phase=Pending,spec.nodeName!=n1").names == ["nowhere", "there"]
    assert api.get(path, fieldSelector="status.phase=Running").names == []
    for name in ("here", "there"):
        api.delete(place.core("pods", name), gracePeriodSeconds=0)


def test_field_selectors_of_services(api, place):
    """kube-proxy leaves out headless Services by it."""
    path = place.core("services")
    ports = [{"port": 80}]
    api.create(path, {"metadata": {"name": "headless"}, "spec": {"clusterIP": "None", "ports": ports}})
    outside = {"type": "ExternalName", "externalName": "example.com"}
    api.create(path, {"metadata": {"name": "outside"}, "spec": outside})
    assert api.get(path, fieldSelector="spec.clusterIP!=None").names == ["outside"]
    assert api.get(path, fieldSelector="spec.type=ExternalName").names == ["outside"]
    for name in ("headless", "outside"):
        api.delete(place.core("services", name))


@pytest.mark.parametrize(
    ("plural", "text"),
    [
        ("pods", "field label not supported: spec.none"),
        (
            "configmaps",
            '"spec.none" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
def test_an_unknown_field_is_refused(api, place, plural, text):
    refused = api.get(place.core(plural), fieldSelector="spec.none=x")
    assert refused.failure == (400, "BadRequest", text)


def test_pages_give_every_object_once(api, claims):
    names, token = [], ""
    for expected_rest in (7, 4, 1, None):
        page = api.get(claims, limit=3, **({"continue": token} if token else {}))
        assert page.code == 200
        names += page.names
        token = page.body["metadata"].get("continue", "")
        assert page.body["metadata"].get("remainingItemCount") == expected_rest
        assert bool(token) is (expected_rest is not None)
    assert names == [f"c{number}" for number in range(10)]


def test_pages_show_the_state_of_the_first_one(api, place, claims):
    first = api.get(claims, limit=4)
    api.delete(place.claims("c5"))
    api.create(place.claims(), claim("c55"))
    api.patch(place.claims("c6"), {"spec": {"late": True}})
    second = api.get(claims, limit=100, **{"continue": first.body["metadata"]["continue"]})
    assert second.names == ["c4", "c5", "c6", "c7", "c8", "c9"]
    assert "late" not in second.body["items"][2]["spec"]
    assert second.version == first.version


def test_pages_with_a_selector_do_not_count_the_rest(api, claims):
    page = api.get(claims, limit=2, labelSelector="parity=odd")
    assert page.names == ["c1", "c3"]
    assert "remainingItemCount" not in page.body["metadata"]
    rest = api.get(
        claims, limit=9, labelSelector="parity=odd", **{"continue": page.body["metadata"]["continue"]}
    )
    assert rest.names == ["c5", "c7", "c9"]


def test_a_token_that_the_server_did_not_make_is_refused(api, claims):
    refused = api.get(claims, limit=1, **{"continue": "nonsense"})
    assert refused.failure[:2] == (400, "BadRequest")
    assert refused.body["message"].startswith("invalid continue token: continue key is not valid")


def test_version_zero_is_answered_whole(api, claims):
    # It may be a little old, so it is asked for until it has everything; but never in pages.
    whole = eventually(
        lambda: len((listed := api.get(claims, resourceVersion=0, limit=3)).names) == 10 and listed,
        "all claims are in the list for version 0",
    )
    assert not whole.body["metadata"].get("continue")


def test_an_exact_version_shows_the_past(api, place, claims):
    past = api.get(claims).version
    api.delete(place.claims("c0"))
    exact = api.get(claims, resourceVersion=past, resourceVersionMatch="Exact")
    assert (exact.version, len(exact.names)) == (past, 10)
    newer = api.get(claims, resourceVersion=past, resourceVersionMatch="NotOlderThan")
    assert int(newer.version) > int(past)
    assert "c0" not in newer.names
    paged = api.get(claims, resourceVersion=past, limit=2)
    assert (paged.version, paged.names) == (past, ["c0", "c1"])


def test_a_version_of_the_future_is_not_waited_for_for_ever(api, claims):
    future = int(api.get(claims).version) + 1_000_000
    refused = api.get(claims, resourceVersion=future)
    assert refused.failure[:2] == (504, "Timeout")
    assert refused.body["message"].startswith(f"Timeout: Too large resource version: {future}, current: ")
    causes = refused.body["details"]["causes"]
    assert causes == [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]


def test_a_version_that_is_no_number_is_refused(api, place, claims):
    assert api.get(claims, resourceVersion="new").failure[:2] == (400, "BadRequest")
    assert api.get(place.claims("c0"), resourceVersion="new").failure[:2] == (500, "")


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Roughly", "resourceVersion": "1"},
        {"sendInitialEvents": "true"},
    ],
)
def test_options_that_contradict_each_other_are_refused(api, claims, query):
    refused = api.get(claims, **query)
    assert refused.failure[:2] == (422, "Invalid")
    assert refused.body["details"]["kind"] == "ListOptions"
