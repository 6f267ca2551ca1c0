"""A cache stays true to the server whatever the server and the network do, and asks little for it."""

import threading

import pytest

from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import PAGE, Selection
from ipamd.kube.resources import PODS
from ipamd.kube.watch import ObjectCache, WatchPace
from simulator.kube import Fault, FaultKind, KubeServer, Store, listen
from tests.kube.objects import pod
from tests.testkit.eventually import eventually

BRISK = WatchPace(lasts=5, silence=5.0, healthy=0.05, backoff=Backoff(first=0.02, longest=0.1))


class Changes:
    """What `on_change` was told."""

    def __init__(self):
        self.seen: list[tuple[str, str]] = []
        self.threads: set[str] = set()

    def __call__(self, kind, obj):
        self.seen.append((kind, obj["metadata"]["name"]))
        self.threads.add(threading.current_thread().name)


@pytest.fixture(params=[True, False], ids=["streamed", "listed"])
def server(request):
    """A server that streams what there is, and one that has to be asked for a list."""
    with KubeServer(Store(), [listen()], bookmark_seconds=0.2, streams_lists=request.param) as server:
        yield server


@pytest.fixture
def open_cache(client):
    caches = []

    def open_cache(**options):
        caches.append(ObjectCache(client, PODS, **{"pace": BRISK, **options}))
        caches[-1].start()
        return caches[-1]

    yield open_cache
    for cache in caches:
        cache.stop()


def names(cache):
    return sorted(obj["metadata"]["name"] for obj in cache.items())


def unscheduled(name, **metadata):
    """A Pod without a node is deleted at once, as no kubelet has to stop it."""
    return pod(name, node="", **metadata)


def test_it_holds_what_was_there_and_what_comes(client, open_cache):
    client.create(PODS, pod("before"))
    changes = Changes()
    cache = open_cache(on_change=changes)
    assert cache.wait_synced(5)

    client.create(PODS, unscheduled("after"))
    client.patch(PODS, "before", {"metadata": {"labels": {"x": "1"}}}, "default")
    eventually(lambda: ("modified", "before") in changes.seen)
    client.delete(PODS, "after", "default")
    eventually(lambda: ("deleted", "after") in changes.seen)

    assert names(cache) == ["before"]
    assert cache.get("default", "before")["metadata"]["labels"] == {"x": "1"}
    assert cache.get("default", "after") is None
    assert changes.seen[0] == ("added", "before")
    assert changes.threads == {"watch-pods"}


def test_it_has_not_synced_before_the_first_list_is_whole(server, client, open_cache):
    for number in range(PAGE + 1):
        client.create(PODS, pod(f"p{number:04}"))
    hang = server.inject(Fault(kind=FaultKind.HANG, resource="pods"))
    cache = open_cache()

    assert not cache.wait_synced(0.2)
    assert cache.items() == []
    server.heal(hang)
    eventually(lambda: cache.has_synced, seconds=20)
    assert len(cache.items()) == PAGE + 1


def test_all_that_there_is_is_asked_for_once(server, client, open_cache):
    client.create(PODS, pod("a"))
    cache = open_cache()
    assert cache.wait_synced(5)
    eventually(lambda: server.watches("pods") == 1)

    asked = server.traffic.count(verb="list", resource="pods")
    assert asked == (0 if server.dispatcher.streams_lists else 1)
    assert server.traffic.count(verb="watch", resource="pods") == 1 + asked


def test_it_sees_only_its_selection(client, open_cache):
    client.create(PODS, pod("mine", node="node-a", labels={"app": "x"}))
    client.create(PODS, pod("other-node", node="node-b", labels={"app": "x"}))
    cache = open_cache(selection=Selection(field_selector="spec.nodeName=node-a", label_selector="app=x"))
    assert cache.wait_synced(5)

    client.create(PODS, pod("other-label", node="node-a", labels={"app": "y"}))
    client.create(PODS, pod("mine-too", node="node-a", labels={"app": "x"}))
    eventually(lambda: len(cache.items()) == 2)

    assert names(cache) == ["mine", "mine-too"]


def test_an_object_that_leaves_the_selection_is_deleted_from_it(client, open_cache):
    client.create(PODS, pod("a", labels={"app": "x"}))
    cache = open_cache(selection=Selection(label_selector="app=x"))
    assert cache.wait_synced(5)

    client.patch(PODS, "a", {"metadata": {"labels": {"app": "y"}}}, "default")

    eventually(lambda: cache.items() == [])


def test_it_keeps_only_what_it_is_told_to(client, open_cache):
    client.create(PODS, pod("a"))
    cache = open_cache(keep=lambda obj: {"metadata": obj["metadata"]})
    assert cache.wait_synced(5)

    assert set(cache.get("default", "a")) == {"metadata"}


def test_a_cut_watch_goes_on_where_it_was_without_a_new_list(server, client, open_cache):
    client.create(PODS, pod("before"))
    cache = open_cache()
    assert cache.wait_synced(5)
    before = cache.get("default", "before")
    for number in range(3):
        eventually(lambda: server.watches("pods") == 1)
        server.cut_watches("pods")
        client.create(PODS, pod(f"p{number}"))
    eventually(lambda: len(cache.items()) == 4)

    assert server.traffic.count(verb="list", resource="pods") <= 1
    assert cache.get("default", "before") is before  # it was not told again


def test_after_a_410_it_lists_again_and_tells_every_difference(server, client, open_cache):
    client.create(PODS, unscheduled("goes"))
    client.create(PODS, pod("stays"))
    client.create(PODS, pod("changes"))
    changes = Changes()
    cache = open_cache(on_change=changes)
    assert cache.wait_synced(5)
    eventually(lambda: server.watches("pods") == 1)
    hang = server.inject(Fault(kind=FaultKind.HANG, verb="watch", resource="pods"))
    server.cut_watches("pods")
    eventually(lambda: server.watches("pods") == 0)
    changes.seen.clear()

    client.delete(PODS, "goes", "default")
    client.create(PODS, pod("comes"))
    client.patch(PODS, "changes", {"metadata": {"labels": {"x": "1"}}}, "default")
    server.store.compact()
    server.heal(hang)

    eventually(lambda: names(cache) == ["changes", "comes", "stays"])
    assert sorted(changes.seen) == [("added", "comes"), ("deleted", "goes"), ("modified", "changes")]


def test_a_410_inside_a_watch_is_as_good(server, client, open_cache):
    cache = open_cache()
    assert cache.wait_synced(5)
    eventually(lambda: server.watches("pods") == 1)

    assert server.expire_watches("pods") == 1
    client.create(PODS, pod("a"))

    eventually(lambda: names(cache) == ["a"])


def test_bookmarks_spare_a_quiet_cache_the_410(server, client, open_cache):
    client.create(PODS, pod("before", namespace="kube-system"))
    cache = open_cache(selection=Selection(namespace="kube-system"))
    assert cache.wait_synced(5)
    before = cache.get("kube-system", "before")
    for number in range(20):
        client.create(PODS, pod(f"elsewhere-{number}"))
    revision = server.store.revision
    eventually(lambda: int(cache._version) >= revision)

    server.store.compact()
    server.cut_watches("pods")
    client.create(PODS, pod("here", namespace="kube-system"))
    eventually(lambda: names(cache) == ["before", "here"])

    assert server.traffic.count(verb="list", resource="pods") <= 1
    assert cache.get("kube-system", "before") is before  # it was not told again


def test_a_frozen_watch_is_noticed_by_its_silence(server, client, open_cache):
    cache = open_cache(pace=WatchPace(lasts=60, silence=0.6, healthy=0.05, backoff=BRISK.backoff))
    assert cache.wait_synced(5)
    eventually(lambda: server.watches("pods") == 1)
    frozen = server.inject(Fault(kind=FaultKind.FREEZE, verb="watch", resource="pods"))
    client.create(PODS, pod("a"))
    opened = server.traffic.count(verb="watch", resource="pods")
    eventually(lambda: server.traffic.count(verb="watch", resource="pods") > opened)
    server.heal(frozen)

    eventually(lambda: names(cache) == ["a"])


def test_a_pod_of_a_new_uid_is_another_pod(server, client, open_cache):
    changes = Changes()
    client.create(PODS, unscheduled("a"))
    cache = open_cache(on_change=changes)
    assert cache.wait_synced(5)
    eventually(lambda: server.watches("pods") == 1)
    hang = server.inject(Fault(kind=FaultKind.HANG, verb="watch", resource="pods"))
    server.cut_watches("pods")
    eventually(lambda: server.watches("pods") == 0)

    client.delete(PODS, "a", "default")
    client.create(PODS, unscheduled("a"))
    server.store.compact()
    server.heal(hang)

    eventually(lambda: len(changes.seen) == 3)
    assert changes.seen == [("added", "a"), ("deleted", "a"), ("added", "a")]


def test_a_listener_that_fails_does_not_stop_the_cache(client, open_cache):
    def fails(kind, obj):
        raise RuntimeError("listener")

    cache = open_cache(on_change=fails)
    assert cache.wait_synced(5)

    client.create(PODS, pod("a"))
    client.create(PODS, pod("b"))

    eventually(lambda: names(cache) == ["a", "b"])


def test_while_the_server_is_down_the_copy_stays_and_the_attempts_are_few(server, open_client):
    client = open_client(server.url, gate=None)
    client.create(PODS, pod("a"))
    caches = [ObjectCache(client, PODS) for _ in range(5)]
    for cache in caches:
        cache.start()
        assert cache.wait_synced(5)
    server.inject(Fault(kind=FaultKind.STATUS, code=500))
    server.cut_watches()
    server.traffic.reset()

    eventually(lambda: server.traffic.count() >= 3)

    assert server.traffic.busiest_second() <= 3
    assert all(names(cache) == ["a"] for cache in caches)
    for cache in caches:
        cache.stop()


def test_a_server_that_closes_each_watch_at_once_is_not_stormed(server, open_client):
    client = open_client(server.url, gate=None)
    cache = ObjectCache(client, PODS)
    server.inject(Fault(kind=FaultKind.CLOSE, verb="watch"))
    cache.start()
    assert cache.wait_synced(5)

    eventually(lambda: server.traffic.count(verb="watch") >= 4)
    cache.stop()

    assert server.traffic.busiest_second() <= 5


def test_stop_ends_the_thread_while_a_watch_is_quiet(server, open_cache):
    cache = open_cache(pace=WatchPace())
    assert cache.wait_synced(5)
    eventually(lambda: server.watches("pods") == 1)

    cache.stop()

    assert cache._task.join(0)
