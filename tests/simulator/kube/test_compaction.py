"""What a client sees when the history is compacted: 410 for lists, an ERROR event for watches."""

import pytest

from tests.testkit.eventually import eventually
from tests.testkit.kubernetes_objects import config_map

PATH = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def maps(api):
    """Five ConfigMaps c0..c4; returns the version of the list of them."""
    for number in range(5):
        api.create(PATH, config_map(f"c{number}"))
    return api.get(PATH).version


def test_a_watch_from_a_forgotten_version_gets_an_error_event(server, api, maps):
    api.create(PATH, config_map("later"))
    server.store.compact()
    with api.watch(PATH, resourceVersion=maps) as events:
        seen = events.rest()
    assert [kind for kind, _ in seen] == ["ERROR"]
    status = seen[0][1]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert status["message"] == f"too old resource version: {maps} ({server.store.oldest})"


def test_a_running_watch_survives_a_compaction_that_it_has_seen(server, api, maps):
    with api.watch(PATH, resourceVersion=maps) as events:
        api.create(PATH, config_map("before"))
        assert events.next()[1]["metadata"]["name"] == "before"
        server.store.compact()
        api.create(PATH, config_map("after"))
        assert events.next()[1]["metadata"]["name"] == "after"


def test_running_watches_can_be_expired(server, api, maps):
    with api.watch(PATH, resourceVersion=maps) as events:
        eventually(lambda: server.watches("configmaps") == 1, "the watch runs")
        assert server.expire_watches("configmaps") == 1
        seen = events.rest()
    assert [(kind, obj["code"]) for kind, obj in seen] == [("ERROR", 410)]


def test_the_next_page_of_a_forgotten_list_is_refused_with_a_way_on(server, api, maps):
    first = api.get(PATH, limit=2)
    api.delete(f"{PATH}/c2")
    api.create(PATH, config_map("c9"))
    server.store.compact()
    refused = api.get(PATH, limit=2, **{"continue": first.body["metadata"]["continue"]})
    assert refused.failure[:2] == (410, "Expired")
    assert refused.body["message"].startswith("The provided continue parameter is too old")
    going_on = api.get(PATH, limit=9, **{"continue": refused.body["metadata"]["continue"]})
    assert (going_on.code, going_on.names) == (200, ["c3", "c4", "c9"])
    assert int(going_on.version) > int(first.version)


def test_a_forgotten_exact_version_is_refused(server, api, maps):
    api.create(PATH, config_map("later"))
    server.store.compact()
    refused = api.get(PATH, resourceVersion=maps, resourceVersionMatch="Exact")
    assert refused.failure == (410, "Expired", "The resourceVersion for the provided list is too old.")
    assert api.get(PATH, resourceVersion=maps, resourceVersionMatch="NotOlderThan").code == 200


def test_other_writes_move_the_version_on_and_the_history_away(server, api, maps):
    server.store.skip(1000)
    assert int(api.get(PATH).version) == int(maps) + 1000
    with api.watch(PATH, resourceVersion=maps) as events:
        assert events.rest()[0][1]["code"] == 410
