"""On which other node a claim wants its address: what its Pod says counts for more than its label."""

import pytest

from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.vpc_ip import attach_waits
from tests.testkit.vpc_ip_claims import vpc_ip_claim

LONG = "node-" + "a" * 70
"""A name that is no value of a label."""


@pytest.mark.parametrize(
    ("pod_node", "label", "node", "elsewhere"),
    [
        ("node-a", "node-a", "node-a", ""),
        ("node-a", "node-b", "node-a", ""),
        ("node-b", "node-a", "node-a", "node-b"),
        ("node-0", "node-a", "node-a", "node-0"),
        ("", "node-a", "node-a", ""),
        ("", "node-0", "node-a", "node-0"),
        ("", "node-b", "node-a", "node-b"),
        ("", "", "node-a", ""),
        ("", label_value(LONG), LONG, ""),
        (LONG, label_value(LONG), LONG, ""),
    ],
)
def test_another_node_is_named_and_this_one_is_not(pod_node, label, node, elsewhere):
    claim = vpc_ip_claim(pod=ClaimPod(uid="pod-1", node=pod_node), node=label)

    assert attach_waits.elsewhere(claim, node) == elsewhere


def test_a_claim_that_serves_no_pod_goes_by_its_label():
    assert attach_waits.elsewhere(vpc_ip_claim(pod=None, node="node-b"), "node-a") == "node-b"
    assert attach_waits.elsewhere(vpc_ip_claim(pod=None, node="node-a"), "node-a") == ""
