"""Watches: what is seen, in which order, from where, and how streams end."""

import contextlib
import time

import pytest

from tests.testkit.kubernetes_objects import claim, config_map, pod


def name_of(event):
    return event[0], event[1]["metadata"]["name"]


def test_changes_come_in_the_order_of_their_versions(api, place):
    start = api.get(place.claims()).version
    with api.watch(place.claims(), resourceVersion=start) as events:
        made = api.create(place.claims(), claim("c")).body
        assert events.next() == ("ADDED", made)
        changed = api.patch(place.claims("c"), {"spec": {"x": 1}}).body
        assert events.next() == ("MODIFIED", changed)
        status = api.patch(place.claims("c", "status"), {"status": {"phase": "Bound"}}).body
        assert events.next() == ("MODIFIED", status)
        api.delete(place.claims("c"))
        kind, last = events.next()
        assert kind == "DELETED"
        assert last["status"] == {"phase": "Bound"}
        assert int(last["metadata"]["resourceVersion"]) > int(status["metadata"]["resourceVersion"])


def test_a_write_that_changes_nothing_is_no_event(api, place):
    api.create(place.claims(), claim("c"))
    start = api.get(place.claims()).version
    with api.watch(place.claims(), resourceVersion=start) as events:
        api.patch(place.claims("c"), {"spec": {"deletePolicy": "Delete"}})
        api.patch(place.claims("c"), {"spec": {"deletePolicy": "Never"}})
        assert events.next()[1]["spec"]["deletePolicy"] == "Never"


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}])
def test_without_a_version_the_present_state_comes_first(api, place, query):
    for name in ("a", "b"):
        api.create(place.claims(), claim(name))
    # A version that the server must have seen: with version 0 the real server may show an older state.
    api.get(place.claims("b"), resourceVersion=api.get(place.claims()).version)
    with begun(api, place.claims(), query) as (first, events):
        assert {name_of(first), name_of(events.next())} == {("ADDED", "a"), ("ADDED", "b")}
        api.create(place.claims(), claim("c"))
        assert name_of(events.next()) == ("ADDED", "c")


@contextlib.contextmanager
def begun(api, path, query):
    """Watch, and ask again if the server ends it by an error at once: it may, as when it compacts."""
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            events = stack.enter_context(api.watch(path, **query))
            first = events.next()
            if first[0] != "ERROR":
                break
            assert first[1]["code"] >= 410, first
        yield first, events


def test_the_past_after_the_version_is_told(api, place):
    first = api.create(place.claims(), claim("a"))
    api.create(place.claims(), claim("b"))
    api.patch(place.claims("a"), {"spec": {"x": 1}})
    api.delete(place.claims("b"))
    with api.watch(place.claims(), resourceVersion=first.version) as events:
        seen = [name_of(events.next()) for _ in range(3)]
    assert seen == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


def test_other_namespaces_and_kinds_are_not_seen(api, place):
    start = api.get(place.claims()).version
    with api.watch(place.claims(), resourceVersion=start) as events:
        api.create(place.core("configmaps"), config_map("other-kind"))
        api.create("/api/v1/namespaces/default/configmaps", config_map(place.name))
        api.delete(f"/api/v1/namespaces/default/configmaps/{place.name}")
        api.create(place.claims(), claim("mine"))
        assert name_of(events.next()) == ("ADDED", "mine")


def test_objects_enter_and_leave_a_label_selection(api, place):
    start = api.get(place.claims()).version
    with api.watch(place.claims(), resourceVersion=start, labelSelector="node=n1") as events:
        api.create(place.claims(), claim("c"))
        entered = api.patch(place.claims("c"), {"metadata": {"labels": {"node": "n1"}}})
        assert events.next() == ("ADDED", entered.body)
        inside = api.patch(place.claims("c"), {"spec": {"x": 1}})
        assert events.next() == ("MODIFIED", inside.body)
        left = api.patch(place.claims("c"), {"metadata": {"labels": {"node": "n2"}}})
        kind, obj = events.next()
        assert kind == "DELETED"
        assert obj["metadata"]["labels"] == {"node": "n1"}
        assert obj["metadata"]["resourceVersion"] == left.version
        api.delete(place.claims("c"))
        api.create(place.claims(), claim("d", labels={"node": "n1"}))
        assert name_of(events.next()) == ("ADDED", "d")


def test_pods_enter_the_selection_of_their_node_when_they_are_bound(api, place):
    start = api.get(place.core("pods")).version
    query = {"resourceVersion": start, "fieldSelector": f"spec.nodeName={place.name}"}
    with api.watch("/api/v1/pods", **query) as events:
        api.create(place.core("pods"), pod("p"))
        body = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": place.name}}
        api.create(place.core("pods", "p", "binding"), body)
        kind, obj = events.next()
        assert (kind, obj["spec"]["nodeName"]) == ("ADDED", place.name)
        api.delete(place.core("pods", "p"))
        kind, obj = events.next()
        assert kind == "MODIFIED"
        assert obj["metadata"]["deletionTimestamp"]
        api.delete(place.core("pods", "p"), gracePeriodSeconds=0)
        kinds = [events.next()[0]]
        while kinds[-1] != "DELETED":
            kinds.append(events.next()[0])
        assert set(kinds[:-1]) <= {"MODIFIED"}


def test_one_object_is_watched_by_its_name(api, place):
    start = api.get(place.claims()).version
    query = {"resourceVersion": start, "fieldSelector": "metadata.name=b"}
    with api.watch(place.claims(), **query) as events:
        for name in ("a", "b"):
            api.create(place.claims(), claim(name))
        assert name_of(events.next()) == ("ADDED", "b")


def test_the_last_finalizer_removed_is_seen_as_the_deletion(api, place):
    api.create(place.claims(), claim("c", finalizers=["example.com/f"]))
    start = api.get(place.claims()).version
    with api.watch(place.claims(), resourceVersion=start) as events:
        api.delete(place.claims("c"))
        kind, obj = events.next()
        assert kind == "MODIFIED"
        assert obj["metadata"]["deletionTimestamp"]
        api.patch(place.claims("c"), {"metadata": {"finalizers": None}})
        assert events.next()[0] == "DELETED"


def test_the_stream_ends_in_order_when_its_time_is_over(api, place):
    version = api.get(place.claims()).version
    started = time.monotonic()
    with api.watch(place.claims(), timeoutSeconds=1, resourceVersion=version) as events:
        assert events.rest() == []
    assert 0.5 < time.monotonic() - started < 5


def test_a_bookmark_tells_the_version_without_an_event(api, place):
    api.create(place.claims(), claim("c"))
    version = api.create(place.core("configmaps"), config_map("later")).version
    query = {
        "allowWatchBookmarks": "true",
        "timeoutSeconds": 5,
        "resourceVersion": api.get(place.claims()).version,
    }
    with api.watch(place.claims(), **query) as events:
        seen = events.rest()
    assert {kind for kind, _ in seen} == {"BOOKMARK"}
    obj = seen[-1][1]
    assert (obj["kind"], obj["apiVersion"]) == ("EIPClaim", "networking.tke.cloud.tencent.com/v1")
    assert int(obj["metadata"]["resourceVersion"]) >= int(version) - 1


def test_the_initial_list_can_be_streamed(api, place):
    for name in ("a", "b"):
        api.create(place.claims(), claim(name))
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": 2,
    }
    with api.watch(place.claims(), **query) as events:
        seen = events.rest()
    if seen[0][0] == "ERROR" and "RequestWatchProgress is disabled" in seen[0][1]["message"]:
        pytest.skip("this server cannot stream lists, its etcd is older than 3.4.25; our code then lists")
    assert [kind for kind, _ in seen[:3]] == ["ADDED", "ADDED", "BOOKMARK"]
    assert seen[2][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_version_of_the_future_is_waited_for(api, place):
    future = int(api.get(place.claims()).version) + 1
    with api.watch(place.claims(), resourceVersion=future) as events:
        later = int(api.create(place.claims(), claim("a")).version)
        if later <= future:
            api.create(place.claims(), claim("b"))
            assert name_of(events.next()) == ("ADDED", "b")
        else:
            assert name_of(events.next()) == ("ADDED", "a")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"resourceVersion": "new"}, 500),
        ({"resourceVersionMatch": "NotOlderThan"}, 422),
        ({"sendInitialEvents": "true"}, 422),
        ({"labelSelector": "a b"}, 400),
        ({"fieldSelector": "spec.none=x"}, 400),
        ({"timeoutSeconds": "soon"}, 400),
    ],
)
def test_a_watch_that_cannot_be_is_refused(api, place, query, code):
    refused = api.get(place.claims(), watch="true", **query)
    assert refused.failure[0] == code
