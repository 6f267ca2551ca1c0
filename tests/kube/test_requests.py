"""The verbs against a served API, and what the client makes of refusals."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import ipamd
from ipamd.kube import errors
from ipamd.kube.client import PAGE
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS
from simulator.kube import Fault, FaultKind
from tests.kube.objects import claim, pod


def test_an_object_is_created_read_patched_and_deleted(client):
    created = client.create(EIPCLAIMS, claim("a"))
    patched = client.patch(EIPCLAIMS, "a", {"metadata": {"annotations": {"x": "1"}}}, "default")
    read = client.get(EIPCLAIMS, "a", "default")
    client.delete(EIPCLAIMS, "a", "default")

    assert created["metadata"]["uid"] == read["metadata"]["uid"]
    assert patched["metadata"]["annotations"] == read["metadata"]["annotations"] == {"x": "1"}
    with pytest.raises(errors.NotFoundError, match="get EIPClaim default/a"):
        client.get(EIPCLAIMS, "a", "default")


def test_the_servers_time_is_known_from_its_answers(client):
    assert client.time() is None

    client.create(EIPCLAIMS, claim("a"))

    assert abs(client.time() - time.time()) < 10


def test_a_status_patch_leaves_the_spec_alone(client):
    client.create(EIPCLAIMS, claim("a"))

    patched = client.patch(
        EIPCLAIMS, "a", {"status": {"phase": "Pending"}, "spec": {"x": 1}}, "default", subresource="status"
    )

    assert patched["status"] == {"phase": "Pending"}
    assert "x" not in patched["spec"]


def test_a_json_patch_tests_before_it_changes(client):
    client.create(PODS, pod("a", annotations={"x": "1"}))
    change = [
        {"op": "test", "path": "/metadata/annotations/x", "value": "2"},
        {"op": "remove", "path": "/metadata/annotations/x"},
    ]

    with pytest.raises(errors.InvalidObjectError):
        client.patch(PODS, "a", change, "default", content="json")

    assert client.get(PODS, "a", "default")["metadata"]["annotations"] == {"x": "1"}


def test_a_merge_patch_with_an_old_resource_version_conflicts(client):
    old = client.create(EIPCLAIMS, claim("a"))["metadata"]["resourceVersion"]
    client.patch(EIPCLAIMS, "a", {"metadata": {"labels": {"x": "1"}}}, "default")

    with pytest.raises(errors.ConflictError):
        client.patch(EIPCLAIMS, "a", {"metadata": {"resourceVersion": old}, "status": {}}, "default")


def test_a_replace_with_an_old_resource_version_conflicts(client):
    old = client.create(EIPCLAIMS, claim("a"))
    client.replace(EIPCLAIMS, {**old, "spec": {"deletePolicy": "Never"}})

    with pytest.raises(errors.ConflictError):
        client.replace(EIPCLAIMS, {**old, "spec": {"deletePolicy": "Delete"}})


def test_a_delete_for_another_uid_deletes_nothing(client):
    client.create(PODS, pod("a"))

    with pytest.raises(errors.ConflictError):
        client.delete(PODS, "a", "default", uid="00000000-0000-0000-0000-000000000000")

    assert client.get(PODS, "a", "default")


def test_a_taken_name_is_told_from_a_conflict(client):
    client.create(PODS, pod("a"))

    with pytest.raises(errors.AlreadyExistsError) as refusal:
        client.create(PODS, pod("a"))

    assert refusal.value.status == 409


def test_what_the_server_finds_invalid_is_named(client):
    with pytest.raises(errors.InvalidObjectError, match="create Pod default/UPPER"):
        client.create(PODS, pod("UPPER"))


def test_a_forbidden_request_says_what_to_do(server, client):
    server.inject(Fault(kind=FaultKind.STATUS, code=403))

    with pytest.raises(errors.ForbiddenError, match="RBAC"):
        client.get(NODES, "node-a")


def test_a_list_is_read_in_pages_and_is_whole(server, client):
    for number in range(2 * PAGE + 7):
        client.create(PODS, pod(f"pod-{number:05}"))
    server.traffic.reset()

    listing = client.list(PODS)

    assert [item["metadata"]["name"] for item in listing.items] == [
        f"pod-{number:05}" for number in range(2 * PAGE + 7)
    ]
    assert server.traffic.count(verb="list", resource="pods") == 3


def test_a_list_honours_namespace_label_and_field(client):
    client.create(PODS, pod("a", node="node-a", labels={"app": "web"}))
    client.create(PODS, pod("b", node="node-b", labels={"app": "web"}))
    client.create(PODS, pod("c", node="node-a", namespace="kube-system", labels={"app": "web"}))

    listing = client.list(PODS, "default", label_selector="app=web", field_selector="spec.nodeName=node-a")

    assert [item["metadata"]["name"] for item in listing.items] == ["a"]


def test_the_user_agent_names_component_and_release(server, client):
    client.list(PODS)

    assert server.traffic.count(user_agent=f"tke-eni-agent/{ipamd.__version__}") == 1


def test_a_429_is_waited_for_and_repeated_inside_the_call(server, client):
    server.inject(Fault(kind=FaultKind.STATUS, code=429, retry_after_seconds=1, times=1))

    listing = client.list(PODS)

    assert listing.items == []
    assert server.traffic.count(verb="list") == 2


def test_a_429_beyond_the_patience_of_the_call_is_an_error_with_its_pause(server, client):
    server.inject(Fault(kind=FaultKind.STATUS, code=429, retry_after_seconds=30))

    with pytest.raises(errors.ThrottledError) as refusal:
        client.list(PODS)

    assert refusal.value.retry_after == 30
    assert server.traffic.count(verb="list") == 1


def test_nobody_asks_again_before_the_pause_of_a_429_is_over(server, client):
    server.inject(Fault(kind=FaultKind.STATUS, verb="list", code=429, retry_after_seconds=30, times=1))
    with pytest.raises(errors.ThrottledError):
        client.list(PODS)

    with pytest.raises(errors.UnreachableError, match="not sent"):
        client.get(NODES, "node-a")

    assert server.traffic.count() == 1


@pytest.mark.parametrize("code", [500, 503, 504])
def test_a_server_that_fails_leaves_the_outcome_open(server, client, code):
    server.inject(Fault(kind=FaultKind.STATUS, code=code, times=1))

    with pytest.raises(errors.UnreachableError) as failure:
        client.create(PODS, pod("a"))

    assert failure.value.status == code


def test_a_write_whose_answer_is_lost_is_not_sent_twice(server, client):
    server.inject(Fault(kind=FaultKind.LOST_ANSWER, verb="create", times=1))

    with pytest.raises(errors.UnreachableError):
        client.create(PODS, pod("a"))

    assert server.traffic.count(verb="create") == 1
    assert client.get(PODS, "a", "default")


def test_a_read_over_a_connection_that_the_server_has_closed_is_sent_again(server, client):
    client.list(PODS)
    server.inject(Fault(kind=FaultKind.CLOSE, times=1))

    assert client.list(PODS).items == []


def test_a_read_that_a_failing_server_ends_on_a_fresh_connection_is_not_sent_twice(server, client):
    server.inject(Fault(kind=FaultKind.CLOSE))

    for _ in range(3):
        with pytest.raises(errors.UnreachableError):
            client.get(NODES, "node-a")

    assert server.traffic.count() == 3


def test_a_server_that_never_answers_is_given_up_in_time(server, open_client):
    server.inject(Fault(kind=FaultKind.HANG))
    impatient = open_client(server.url, timeout=0.3)

    with pytest.raises(errors.UnreachableError, match="no answer in time"):
        impatient.get(NODES, "node-a")


def test_a_server_that_is_down_is_named_with_what_to_check(open_client):
    absent = open_client("http://127.0.0.1:1")

    with pytest.raises(
        errors.UnreachableError, match=r"get Node node-a: .*127\.0\.0\.1:1.*check that the API"
    ):
        absent.get(NODES, "node-a")


def test_as_many_threads_as_are_said_keep_a_connection_each(serve, open_client, caplog):
    together = threading.Barrier(20)

    def when_all_are_there(request, sock):
        together.wait(10)
        sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"kind":"Node"}')
        return True

    server = serve(when_all_are_there)
    client = open_client(server.url, connections=20)
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda _: client.get(NODES, "node-a"), range(20 * 5)))

    assert server.connections == 20
    assert "pool is full" not in caplog.text
