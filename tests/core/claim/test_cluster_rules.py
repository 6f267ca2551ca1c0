"""What holds for a cluster whose operator has decided nothing: TKE's defaults."""

from ipamd.core.annotations.networks import ROUTE_ENI
from ipamd.core.claim.cluster_rules import ClusterRules


def test_nothing_expires_cascades_or_is_ordered_early_unless_the_operator_says_so():
    assert ClusterRules() == ClusterRules(
        expire_after=None,
        least_absence=300.0,
        cascade=False,
        early_orders=False,
        default_network=ROUTE_ENI,
        tagged_only=False,
    )
