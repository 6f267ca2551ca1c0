"""Events reach the server from the background, few and counted, whatever the server does."""

import time

import pytest

from ipamd.kube.events import EventPace, EventRecorder, reference
from ipamd.kube.resources import EVENTS, NODES, PODS
from simulator.kube import Fault, FaultKind
from tests.kube.objects import pod
from tests.testkit.eventually import eventually


@pytest.fixture
def recorder(client):
    recorder = EventRecorder(client, "tke-eni-agent", "node-a", pace=EventPace(rate=100))
    recorder.start()
    yield recorder
    recorder.stop()


@pytest.fixture
def web(client):
    return client.create(PODS, pod("web-0"))


def events(client):
    return client.list(EVENTS).items


def test_an_event_shows_object_reason_and_source(client, recorder, web):
    recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
    eventually(lambda: events(client))

    event = events(client)[0]
    assert event["involvedObject"]["uid"] == web["metadata"]["uid"]
    assert event["involvedObject"]["kind"] == "Pod"
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "FailedAllocateEIP", "no quota")
    assert event["source"] == {"component": "tke-eni-agent", "host": "node-a"}
    assert event["metadata"]["namespace"] == "default"


def test_an_event_about_a_node_lives_in_the_default_namespace(client, recorder):
    node = client.create(NODES, {"metadata": {"name": "node-a"}})

    recorder.record(reference("v1", "Node", node), "Normal", "CapacitySet", "5 EIPs")
    eventually(lambda: events(client))

    assert events(client)[0]["metadata"]["namespace"] == "default"


def test_the_same_message_is_one_event_whose_count_grows(client, recorder, web):
    for _ in range(3):
        recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
        eventually(lambda: not recorder._waiting)
    recorder.record(web, "Warning", "FailedAllocateEIP", "another")

    eventually(lambda: sorted(event["count"] for event in events(client)) == [1, 3])


def test_a_storm_costs_one_request_and_no_waiting(server, client, web):
    recorder = EventRecorder(client, "tke-eni-agent")
    began = time.monotonic()
    for _ in range(10_000):
        recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
    assert time.monotonic() - began < 5
    recorder.start()
    recorder.stop()

    assert [event["count"] for event in events(client)] == [10_000]
    assert server.traffic.count(verb="create", resource="events") == 1


def test_the_queue_is_bounded(client, web):
    recorder = EventRecorder(client, "tke-eni-agent")

    for number in range(2000):
        recorder.record(web, "Normal", "Something", f"message {number}")

    assert len(recorder._waiting) == 256


def test_an_event_that_the_server_forgot_is_written_anew(client, recorder, web):
    recorder.record(web, "Normal", "Bound", "eip-1")
    eventually(lambda: events(client))
    client.delete(EVENTS, events(client)[0]["metadata"]["name"], "default")

    recorder.record(web, "Normal", "Bound", "eip-1")

    eventually(lambda: events(client))
    assert events(client)[0]["count"] == 1


def test_an_event_outlives_a_short_failure_of_the_server(server, client, recorder, web):
    server.inject(Fault(kind=FaultKind.STATUS, verb="create", resource="events", code=503, times=1))

    recorder.record(web, "Normal", "Bound", "eip-1")

    eventually(lambda: events(client))


def test_recording_does_not_wait_for_a_server_that_hangs(server, client, recorder, web):
    hang = server.inject(Fault(kind=FaultKind.HANG, resource="events"))
    began = time.monotonic()

    for number in range(100):
        recorder.record(web, "Normal", "Something", f"message {number}")

    assert time.monotonic() - began < 4, "one request that hangs takes five"
    server.heal(hang)


def test_what_a_failing_server_does_not_take_is_given_up_at_the_end(server, client, web, caplog):
    recorder = EventRecorder(client, "tke-eni-agent", "node-a", pace=EventPace(rate=100))
    recorder.start()
    server.inject(Fault(kind=FaultKind.STATUS, resource="events", code=503))
    for number in range(50):
        recorder.record(web, "Normal", f"Reason{number}", "a message")

    recorder.stop(0.1)

    eventually(lambda: recorder.stop(0), "the end of the thread")
    assert "Events were not written before the end" in caplog.text


def test_a_long_message_is_cut_to_what_the_api_allows(client, recorder, web):
    recorder.record(web, "Normal", "Something", "é" * 5000)
    eventually(lambda: events(client))

    assert len(events(client)[0]["message"].encode()) <= 1024


def test_a_request_id_does_not_make_it_another_event(client, recorder, web):
    for number in range(3):
        recorder.record(web, "Warning", "FailedAllocateEIP", f"no quota (RequestId r-{number}); ask for more")
        eventually(lambda: not recorder._waiting)

    eventually(lambda: [event["count"] for event in events(client)] == [3])
    assert events(client)[0]["message"] == "no quota (RequestId r-2); ask for more"


def test_a_repeat_is_counted_and_written_with_the_next_one_after_a_while(server, client, web):
    now = [1000.0]
    recorder = EventRecorder(client, "test", pace=EventPace(rate=100, quiet=300.0), clock=lambda: now[0])
    recorder.start()
    recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
    eventually(lambda: recorder._written)
    for _ in range(5):
        recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
    assert not recorder._waiting

    now[0] += 300.0
    recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
    eventually(lambda: [event["count"] for event in events(client)] == [7])
    recorder.stop()

    assert server.traffic.count(verb="create", resource="events") == 1
    assert server.traffic.count(verb="patch", resource="events") == 1


def test_a_repeat_that_comes_while_the_first_is_written_is_counted_likewise(server, client, web):
    now = [1000.0]
    recorder = EventRecorder(client, "test", pace=EventPace(rate=100, quiet=300.0), clock=lambda: now[0])
    server.inject(Fault(kind=FaultKind.LATENCY, verb="create", resource="events", seconds=0.5))
    recorder.start()
    recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
    eventually(lambda: server.faults.hits(FaultKind.LATENCY))
    recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
    eventually(lambda: recorder._written)
    assert not recorder._waiting

    now[0] += 300.0
    recorder.record(web, "Warning", "FailedAllocateEIP", "no quota")
    eventually(lambda: [event["count"] for event in events(client)] == [3])
    recorder.stop()

    assert server.traffic.count(verb="patch", resource="events") == 1
