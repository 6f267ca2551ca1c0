"""The work on claims as it is put together: who is looked at when, and how many at once."""

import contextlib
from types import SimpleNamespace

import pytest

from ipamd.controller.claims import build as claims_room
from ipamd.controller.claims.build import Claims
from ipamd.controller.tempo import ReplicaPace
from ipamd.kube.resources import EIPCLAIMS, PODS
from ipamd.runtime.work_queue import Turn
from tests.testkit import kubernetes_objects as objects
from tests.testkit.eventually import eventually


def settings(*, workers=4, resync=600.0):
    rules = SimpleNamespace(tagged_only=False)
    return SimpleNamespace(cluster_id="cls-test", workers=workers, resync=resync, rules=rules)


@contextlib.contextmanager
def watched(client, *names, status=None):
    """The claims of a cluster that has these, each taken from the queue once."""
    for name in names:
        client.create(EIPCLAIMS, objects.claim(name, namespace="default"))
        if status:
            client.patch(EIPCLAIMS, name, {"status": status}, "default", subresource="status")
    claims = Claims(settings(), client, ReplicaPace())
    with contextlib.ExitStack() as stack:
        stack.callback(claims.cluster.stop)
        claims.cluster.start()
        assert claims.cluster.wait_synced(20)
        assert taken(claims, len(names)) == set(names)
        yield claims


def taken(claims, number):
    """The names of the next ones that are to be looked at."""
    found = set()
    for _ in range(number):
        key = claims.queue.get()
        claims.queue.done(key)
        found.add(key[1])
    return found


def test_all_that_the_controller_has_to_do_with_are_looked_at_again_each_period(client):
    with watched(client, "web-0", "web-1") as claims:
        work = claims_room.build(
            settings(resync=0.02),
            claims,
            SimpleNamespace(tag_limits=None),
            client=client,
            cloud=None,
            account=SimpleNamespace(type=None),
        )
        [resync] = [service for service in work.services if service.name == "resync"]
        resync.start()
        try:
            for _ in range(3):
                assert taken(claims, 2) == {"web-0", "web-1"}
        finally:
            assert resync.stop(10.0)


def test_as_many_claims_as_eips_came_free_try_again_that_were_refused(client):
    told = {"type": "Provisioned", "status": "False", "reason": "QuotaExceeded", "message": "no"}
    refused = {"conditions": [{**told, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    with watched(client, "web-0", "web-1", "web-2", status=refused) as claims:
        claims.wake_refused(2)

        assert len(claims.queue) == 2


@pytest.mark.parametrize(("workers", "patient"), [(1, 1), (4, 1), (8, 2), (16, 4)])
def test_a_quarter_of_the_workers_at_most_has_claims_that_wait_for_a_free_eip(client, workers, patient):
    claims = Claims(settings(workers=workers), client, ReplicaPace())
    waiting = {"annotations": {"tke.cloud.tencent.com/eip-id-list": "eip-aaaaaaaa"}}
    names = [f"web-{number}" for number in range(workers + 1)]
    holder = {"address": {"id": "eip-aaaaaaaa", "ip": "198.18.0.1", "owned": False}}
    client.create(EIPCLAIMS, objects.claim("holder", namespace="default"))
    client.patch(EIPCLAIMS, "holder", {"status": holder}, "default", subresource="status")
    with contextlib.ExitStack() as stack:
        stack.callback(claims.cluster.stop)
        claims.cluster.start()
        assert claims.cluster.wait_synced(20)
        eventually(lambda: claims.cluster.holders("eip-aaaaaaaa"))
        for name in names:
            client.create(PODS, objects.pod(name, node="node-a", namespace="default", **waiting))
        eventually(lambda: all(claims.cluster.turn_of(("default", name)) is Turn.PATIENT for name in names))

        held: list[tuple[str, str] | None] = []
        stack.callback(claims.queue.close)
        while len(held) < patient + 1:  # beside those, the holder
            held.append(claims.queue.get())

        for number in range(4):  # each fourth one is the oldest that may be taken
            claims.queue.add(("default", f"other-{number}"))
            assert claims.queue.get() == ("default", f"other-{number}")
