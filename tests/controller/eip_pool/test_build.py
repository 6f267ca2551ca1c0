"""Whose change has a pool looked at."""

import contextlib
import queue
import threading
from types import SimpleNamespace

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.eip_pool import build as eip_pool_room
from ipamd.controller.eip_pool.build import EipPools
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.kube.resources import EIPPOOLS
from tests.runtime.manual_clock import ManualClock
from tests.testkit import claims
from tests.testkit.eventually import comes_about, eventually

OF_POOL = EipRequest(pool="web", delete_policy=DeletePolicy.DELETE)


def looked_at(pools):
    """The next pool that is to be looked at."""
    _, name = pools.queue.get()
    pools.queue.done(("", name))
    return name


def test_a_claim_that_changes_has_its_pool_looked_at_and_no_other_claim_any():
    pools = EipPools(None, ReplicaPace(), wake_claims=lambda _: None)

    pools.claim_changed(claims.claim())
    pools.claim_changed(claims.claim(request=None))
    pools.claim_changed(claims.claim(request=OF_POOL))

    assert looked_at(pools) == "web"
    pools.queue.add(("", "next"))
    assert looked_at(pools) == "next"


def test_a_new_leader_looks_at_all_pools_and_an_edit_has_one_looked_at_with_its_claims(client):
    woken: list[str] = []
    with contextlib.ExitStack() as stack:
        for name in ("a", "b"):
            client.create(EIPPOOLS, {"metadata": {"name": name}, "spec": {"addressIDs": ["eip-1"]}})
        pools = EipPools(client, ReplicaPace(), wake_claims=woken.append)
        pools.watch.start()
        stack.callback(pools.watch.stop)
        assert {looked_at(pools), looked_at(pools)} == {"a", "b"}

        pools.look_at_all()
        assert {looked_at(pools), looked_at(pools)} == {"a", "b"}

        client.patch(EIPPOOLS, "b", {"status": {"total": 1}}, subresource="status")
        client.patch(EIPPOOLS, "a", {"spec": {"addressIDs": ["eip-1", "eip-2"]}})
        assert looked_at(pools) == "a", "a status is ours"
        assert sorted(woken) == ["a", "a", "b"]
        assert len(pools.queue) == 0


class SlowReader:
    """Looks at no pool before it is let go; `begun` has whose look has begun."""

    def __init__(self):
        self.begun: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.gate = threading.Event()

    def at_pool(self, name):
        self.begun.put(name)
        assert self.gate.wait(30)


def test_a_slow_pool_holds_up_no_other_and_no_more_than_two_ask_the_cloud_at_once(client):
    names = {"a", "b", "c"}
    for name in names:
        client.create(EIPPOOLS, {"metadata": {"name": name}, "spec": {"addressIDs": ["eip-1"]}})
    live = SlowReader()
    with contextlib.ExitStack() as stack:
        stack.callback(live.gate.set)
        work = eip_pool_room.build(
            "cls-1",
            SimpleNamespace(cluster=ClusterView(client, wake=print, outages=Absences(ManualClock().now))),
            SimpleNamespace(live=live, selection=None),
            SimpleNamespace(steady=ManualClock().now),
            client=client,
            account=SimpleNamespace(type=None),
            tempo=ReplicaPace(),
        )
        work.watch.start()
        stack.callback(work.watch.stop, 10.0)
        eventually(lambda: len(work.known()) == len(names))
        work.while_leading.start()
        stack.callback(work.while_leading.stop, 10.0)
        stack.callback(live.gate.set)

        first = {live.begun.get(timeout=30), live.begun.get(timeout=30)}
        assert not comes_about(lambda: not live.begun.empty(), 0.2)

        live.gate.set()
        assert first | {live.begun.get(timeout=30)} == names
