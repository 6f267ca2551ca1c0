"""A collection that the API server may not have, or may not show."""

import pytest

from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import Selection
from ipamd.kube.optional_watch import ON_NODES, AbsentPace, OptionalWatch
from ipamd.kube.resources import CONFIGMAPS, SERVICE_CIDRS
from simulator.kube import Fault, FaultKind
from testbed.http_json import JsonEndpoint
from tests.testkit.eventually import comes_about, eventually

PATH = "/apis/networking.k8s.io/v1/servicecidrs"


@pytest.fixture
def begin(client):
    """Returns what starts a watch, and how often it has told of a change."""
    started = []

    def start(resource=SERVICE_CIDRS, pace=ON_NODES, **options):
        told = []
        watch = OptionalWatch(client, resource, on_change=lambda: told.append(watch.items()), **options)
        watch.at_pace(pace)
        started.append(watch)
        watch.start()
        return watch, told

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def api(server):
    endpoint = JsonEndpoint(server.url)
    yield endpoint
    endpoint.close()


def names(items):
    return [item["metadata"]["name"] for item in items]


def test_an_empty_collection_is_told_once_it_is_known(begin):
    empty, told = begin()

    eventually(lambda: told == [[]])
    assert empty.problem == ""


def test_what_comes_later_is_told(begin, api):
    _, told = begin()
    eventually(lambda: told)
    api.post(PATH, {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["172.16.0.0/16"]}})

    eventually(lambda: names(told[-1]) == ["kubernetes"])


def test_what_is_refused_is_asked_for_again(begin, server):
    number = server.inject(Fault(kind=FaultKind.STATUS, verb="list", resource="configmaps", code=403))
    refused, told = begin(CONFIGMAPS, selection=Selection(namespace="kube-system"))
    eventually(lambda: "403" in refused.problem)
    assert refused.items() is None
    server.heal(number)

    eventually(lambda: told == [[]])
    assert refused.problem == ""


def test_what_the_server_does_not_have_is_asked_for_seldom(begin, server):
    server.inject(Fault(kind=FaultKind.STATUS, verb="list", resource="servicecidrs", code=404))
    absent, told = begin()
    eventually(lambda: "404" in absent.problem)

    asked = server.traffic.as_json()
    assert not comes_about(lambda: server.traffic.as_json() != asked, 2.0)
    assert told == []


def test_who_needs_what_the_server_did_not_have_has_it_asked_for_at_once(begin, server):
    number = server.inject(Fault(kind=FaultKind.STATUS, verb="list", resource="servicecidrs", code=404))
    pace = AbsentPace(pauses=Backoff(first=600.0, longest=600.0), soonest=0.2)
    absent, told = begin(pace=pace)
    eventually(lambda: "404" in absent.problem)
    server.heal(number)

    absent.ask_soon()

    eventually(lambda: told == [[]])
    assert absent.problem == ""


def test_many_who_need_it_cause_no_more_questions_than_the_pace_allows(begin, server):
    server.inject(Fault(kind=FaultKind.STATUS, verb="list", resource="servicecidrs", code=404))
    pace = AbsentPace(pauses=Backoff(first=600.0, longest=600.0), soonest=600.0)
    absent, _ = begin(pace=pace)
    eventually(lambda: "404" in absent.problem)
    asked = server.traffic.as_json()

    for _ in range(100):
        absent.ask_soon()

    assert not comes_about(lambda: server.traffic.as_json() != asked, 1.0)


def test_it_ends_while_it_waits(begin, server):
    server.inject(Fault(kind=FaultKind.REFUSE))
    refused, told = begin()
    eventually(lambda: refused.problem)
    refused.stop()

    assert told == []
