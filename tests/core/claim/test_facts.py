"""What a Pod is to a claim, and when a claim is alone."""

import pytest

from ipamd.core.claim.facts import PodRelation, is_alone, relation_of
from tests.testkit import claims


@pytest.mark.parametrize(
    ("pod", "relation", "alone"),
    [
        (claims.pod(), PodRelation.SAME, False),
        (claims.pod(deleting=True), PodRelation.SAME, False),
        (claims.pod(wants=False), PodRelation.SAME, False),
        (claims.pod("pod-2"), PodRelation.NEXT, False),
        (claims.pod("pod-2", wants=False), PodRelation.STRANGER, True),
        (claims.pod("pod-2", deleting=True), PodRelation.STRANGER, True),
        (claims.pod(phase="Succeeded"), PodRelation.NONE, True),
        (None, PodRelation.NONE, True),
    ],
)
def test_a_claim_is_alone_without_the_pod_that_it_serves_or_may_serve_next(pod, relation, alone):
    assert relation_of(claims.claim(), pod) is relation
    assert is_alone(claims.claim(), pod) is alone
    assert not is_alone(None, pod), "there is no claim"
