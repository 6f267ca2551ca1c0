"""Whose change has a pool looked at."""

from ipamd.controller.eip_pool.build import EipPools
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from tests.testkit import claims

OF_POOL = EipRequest(pool="web", delete_policy=DeletePolicy.DELETE)


def test_a_claim_that_changes_has_its_pool_looked_at_and_no_other_claim_any():
    pools = EipPools(None, ReplicaPace(), wake_claims=lambda _: None)

    pools.claim_changed(claims.claim())
    pools.claim_changed(claims.claim(request=None))
    pools.claim_changed(claims.claim(request=OF_POOL))

    assert pools.queue.get() == ("", "web")
    pools.queue.done(("", "web"))
    pools.queue.add(("", "next"))
    assert pools.queue.get() == ("", "next")
