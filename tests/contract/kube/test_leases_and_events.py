"""Leases (leader election) and Events."""

import pytest

from tests.testkit.kubernetes_objects import config_map


def lease(**spec):
    return {"metadata": {"name": "lock"}, "spec": spec}


def test_of_two_candidates_one_wins(api, place):
    made = api.create(place.leases(), lease(holderIdentity="nobody", leaseDurationSeconds=15))
    first = api.replace(place.leases("lock"), {**made.body, "spec": {"holderIdentity": "a"}})
    second = api.replace(place.leases("lock"), {**made.body, "spec": {"holderIdentity": "b"}})
    assert (first.code, second.code) == (200, 409)
    assert api.get(place.leases("lock")).body["spec"]["holderIdentity"] == "a"


def test_a_renew_time_has_microseconds(api, place):
    made = api.create(place.leases(), lease(renewTime="2024-01-01T00:00:00.123456Z"))
    assert made.body["spec"]["renewTime"] == "2024-01-01T00:00:00.123456Z"
    other_zone = api.patch(place.leases("lock"), {"spec": {"renewTime": "2024-01-01T01:00:00.000000+01:00"}})
    assert other_zone.body["spec"]["renewTime"] == "2024-01-01T00:00:00.000000Z"
    refused = api.patch(place.leases("lock"), {"spec": {"renewTime": "2024-01-01T00:00:00Z"}})
    assert refused.failure[:2] == (422, "Invalid")
    refused = api.create(
        place.leases(), {**lease(renewTime="2024-01-01T00:00:00Z"), "metadata": {"name": "x"}}
    )
    assert refused.failure[:2] == (400, "BadRequest")


@pytest.mark.parametrize(
    ("spec", "field"),
    [({"leaseDurationSeconds": 0}, "leaseDurationSeconds"), ({"leaseTransitions": -1}, "leaseTransitions")],
)
def test_the_counters_of_a_lease_are_checked(api, place, spec, field):
    refused = api.create(place.leases(), lease(**spec))
    assert [cause[:2] for cause in refused.causes] == [(f"spec.{field}", "FieldValueInvalid")]


def event(place, name, **more):
    return {
        "metadata": {"name": name},
        "involvedObject": {"kind": "Pod", "namespace": place.name, "name": "p", "uid": "u1"},
        "reason": "Bound",
        "message": "bound",
        "type": "Normal",
        "count": 1,
        "firstTimestamp": "2024-01-01T00:00:00Z",
        "lastTimestamp": "2024-01-01T00:00:00Z",
        "source": {"component": "tke-eni-agent", "host": "n1"},
        **more,
    }


def test_an_event_is_counted_up(api, place):
    assert api.create(place.core("events"), event(place, "e")).code == 201
    body = {"count": 2, "lastTimestamp": "2024-01-01T00:00:05Z"}
    patched = api.patch(place.core("events", "e"), body)
    assert (patched.body["count"], patched.body["lastTimestamp"]) == (2, "2024-01-01T00:00:05Z")
    assert patched.body["firstTimestamp"] == "2024-01-01T00:00:00Z"


def test_events_are_selected_by_what_they_are_about(api, place):
    api.create(place.core("events"), event(place, "a"))
    other = {"kind": "Pod", "namespace": place.name, "name": "q"}
    api.create(place.core("events"), event(place, "b", involvedObject=other, type="Warning"))
    path = place.core("events")
    assert api.get(path, fieldSelector="involvedObject.name=p,involvedObject.uid=u1").names == ["a"]
    assert api.get(path, fieldSelector="type=Warning").names == ["b"]
    assert api.get(path, fieldSelector="source=tke-eni-agent,reason=Bound").names == ["a", "b"]


def test_an_event_is_in_the_namespace_of_its_object(api, place):
    elsewhere = {"kind": "Pod", "namespace": "default", "name": "p"}
    refused = api.create(place.core("events"), event(place, "e", involvedObject=elsewhere))
    assert refused.causes == [
        (
            "involvedObject.namespace",
            "FieldValueInvalid",
            'Invalid value: "default": does not match event.namespace',
        )
    ]


def test_an_event_about_a_node_is_in_the_default_namespace(api, place):
    body = event(place, f"node-{place.name}", involvedObject={"kind": "Node", "name": "n1"})
    made = api.create("/api/v1/namespaces/default/events", body)
    assert made.code == 201
    api.delete(f"/api/v1/namespaces/default/events/node-{place.name}")
    assert api.create(place.core("events"), body).failure[:2] == (422, "Invalid")


def test_an_event_of_the_new_form_says_who_and_what(api, place):
    refused = api.create(
        place.core("events"), event(place, "e", eventTime="2024-01-01T00:00:00.000001Z", source={})
    )
    fields = {cause[0] for cause in refused.causes}
    assert {"reportingComponent", "reportingInstance", "action"} <= fields


def test_config_map_keys_are_checked(api, place):
    refused = api.create(place.core("configmaps"), {**config_map("a"), "data": {"a/b": "1"}})
    assert [cause[:2] for cause in refused.causes] == [("data[a/b]", "FieldValueInvalid")]
