"""Whose change has a pool looked at."""

import contextlib

from ipamd.controller.eip_pool.build import EipPools
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.kube.resources import EIPPOOLS
from tests.testkit import claims

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
