"""Faults on demand: each does to a client what it says, is counted, and can be taken back."""

import threading
import time

import pytest
import urllib3

from simulator.kube import Fault, FaultKind
from simulator.kube.faults import from_json
from tests.testkit.eventually import eventually
from tests.testkit.kubernetes_objects import config_map

PATH = "/api/v1/namespaces/default/configmaps"


def test_nobody_listens_while_the_server_is_down(server, api):
    with api.watch(PATH) as events:
        number = server.inject(Fault(kind=FaultKind.REFUSE))
        with pytest.raises(urllib3.exceptions.HTTPError):
            events.next()
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        api.get(PATH)
    server.heal(number)
    assert api.get(PATH).code == 200


def test_the_server_can_go_down_and_come_up_often(server, api):
    for _ in range(20):
        server.inject(Fault(kind=FaultKind.REFUSE))
        server.heal()
        assert api.get(PATH).code == 200


def test_a_connection_is_closed_without_an_answer(server, api):
    server.inject(Fault(kind=FaultKind.CLOSE, verb="create", times=1))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        api.create(PATH, config_map("a"))
    assert api.get(f"{PATH}/a").code == 404
    assert api.create(PATH, config_map("a")).code == 201


def test_an_answer_is_lost_after_the_write(server, api):
    server.inject(Fault(kind=FaultKind.LOST_ANSWER, verb="create", resource="configmaps", times=1))
    with pytest.raises(urllib3.exceptions.ProtocolError):
        api.create(PATH, config_map("a"))
    assert api.create(PATH, config_map("a")).failure[:2] == (409, "AlreadyExists")


def test_requests_fail_with_a_status_and_a_time_to_wait(server, api):
    server.inject(
        Fault(
            kind=FaultKind.STATUS,
            verb="list",
            resource="configmaps",
            code=429,
            retry_after_seconds=3,
            times=2,
        )
    )
    assert api.get("/api/v1/pods").code == 200
    for _ in range(2):
        refused = api.get(PATH)
        assert refused.failure[:2] == (429, "TooManyRequests")
        assert refused.body["details"] == {"retryAfterSeconds": 3}
        assert refused.headers["Retry-After"] == "3"
    assert api.get(PATH).code == 200
    assert server.faults.hits(FaultKind.STATUS) == 2


@pytest.mark.parametrize(
    ("code", "reason"), [(500, "InternalError"), (503, "ServiceUnavailable"), (504, "Timeout")]
)
def test_a_broken_server_says_so(server, api, code, reason):
    server.inject(Fault(kind=FaultKind.STATUS, code=code))
    assert api.get(PATH).failure[:2] == (code, reason)


def test_every_second_write_conflicts(server, api):
    api.create(PATH, config_map("a"))
    server.inject(Fault(kind=FaultKind.CONFLICT, every=2))
    codes = [api.patch(f"{PATH}/a", {"data": {"key": str(number)}}).code for number in range(6)]
    assert codes == [200, 409, 200, 409, 200, 409]
    assert api.get(f"{PATH}/a").body["data"] == {"key": "4"}


def test_an_answer_is_late(server, api):
    server.inject(Fault(kind=FaultKind.LATENCY, seconds=0.3, times=1))
    started = time.monotonic()
    api.get(PATH)
    assert time.monotonic() - started >= 0.3


def test_a_request_hangs_until_it_is_healed(server, connect):
    api = connect(server.url, agent="slow-client")
    number = server.inject(Fault(kind=FaultKind.HANG, user_agent="slow-client"))
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        api.call("GET", PATH, timeout=0.2)
    assert connect(server.url).get(PATH).code == 200
    server.heal(number)
    assert api.get(PATH).code == 200


def test_a_frozen_watch_says_nothing_and_does_not_end(server, api):
    start = api.get(PATH).version
    with api.watch(PATH, resourceVersion=start, timeoutSeconds=1, timeout=1.5) as events:
        api.create(PATH, config_map("before"))
        assert events.next()[1]["metadata"]["name"] == "before"
        number = server.inject(Fault(kind=FaultKind.FREEZE, resource="configmaps"))
        api.create(PATH, config_map("after"))
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            events.next()
        server.heal(number)


def test_a_thawed_watch_goes_on_where_it_stopped(server, api):
    start = api.get(PATH).version
    with api.watch(PATH, resourceVersion=start) as events:
        eventually(lambda: server.watches() == 1, "the watch runs")
        number = server.inject(Fault(kind=FaultKind.FREEZE))
        api.create(PATH, config_map("frozen"))
        server.heal(number)
        assert events.next()[1]["metadata"]["name"] == "frozen"


def test_a_watch_that_was_frozen_too_long_must_list_again(server, api):
    start = api.get(PATH).version
    with api.watch(PATH, resourceVersion=start) as events:
        eventually(lambda: server.watches() == 1, "the watch runs")
        server.inject(Fault(kind=FaultKind.FREEZE))
        api.create(PATH, config_map("missed"))
        server.store.compact()
        server.heal()
        assert [(kind, obj["code"]) for kind, obj in events.rest()] == [("ERROR", 410)]


def test_watches_are_cut(server, api):
    with api.watch(PATH) as events, api.watch("/api/v1/pods") as others:
        eventually(lambda: server.watches() == 2, "both watches run")
        assert server.cut_watches("configmaps") == 1
        with pytest.raises(urllib3.exceptions.ProtocolError):
            events.next()
        body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
        api.create("/api/v1/namespaces/default/pods", body)
        assert others.next()[0] == "ADDED"


def test_a_cached_list_lags_behind_but_others_do_not(server, api):
    api.create(PATH, config_map("old"))
    number = server.inject(Fault(kind=FaultKind.STALE, resource="configmaps", revisions=1))
    version = api.create(PATH, config_map("new")).version
    stale = api.get(PATH, resourceVersion=0)
    assert stale.names == ["old"]
    assert int(stale.version) == int(version) - 1
    assert api.get(PATH).names == ["new", "old"]
    assert api.get(PATH, resourceVersion=version, resourceVersionMatch="NotOlderThan").names == ["new", "old"]
    server.heal(number)
    assert api.get(PATH, resourceVersion=0).names == ["new", "old"]


def test_faults_come_from_json():
    fault = from_json(
        {
            "kind": "status",
            "verb": "list",
            "resource": "pods",
            "userAgent": "x",
            "code": 429,
            "retryAfterSeconds": 2,
        }
    )
    assert fault == Fault(
        kind=FaultKind.STATUS, verb="list", resource="pods", user_agent="x", code=429, retry_after_seconds=2
    )


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"kind": "flood"}, "'flood' is not known"),
        ({}, "use one of refuse, close"),
        ({"kind": "status", "colour": 1}, "no member 'colour'"),
        ({"kind": "status", "code": "429"}, "code is '429'"),
        ({"kind": "conflict", "every": 0}, "count from 1"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(document, text):
    with pytest.raises(ValueError, match=text):
        from_json(document)


def test_active_faults_and_hits_are_shown(server, api):
    server.inject(Fault(kind=FaultKind.STATUS, verb="list", times=3))
    api.get(PATH)
    shown = server.faults.as_json()
    assert [(item["kind"], item["verb"], item["left"]) for item in shown["active"]] == [("status", "list", 2)]
    assert shown["hits"] == {"status": 1}


def test_a_server_that_hangs_can_still_go_down(server, connect):
    api = connect(server.url)
    server.inject(Fault(kind=FaultKind.HANG, resource="configmaps"))
    failed: list[Exception] = []

    def ask() -> None:
        try:
            api.get(PATH)
        except urllib3.exceptions.HTTPError as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    eventually(lambda: server.faults.hits(FaultKind.HANG) == 1, "the request hangs")
    server.inject(Fault(kind=FaultKind.REFUSE))
    thread.join(timeout=10)
    assert len(failed) == 1
