"""What actions say of themselves where nobody says otherwise."""

from ipamd.core.kubernetes.annotation_names import VPC_IP_DELETE_POLICY
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.state_machine import decide
from tests.testkit.pods import pod_view


def test_what_is_wrong_with_the_pod_itself_lasts_as_long_as_the_pod():
    wrong = pod_view({VPC_IP_DELETE_POLICY: "Whenever"}, nodeName="node-a")

    refusal = decide(VpcIpFacts(now=1_800_000_000.0, claim=None, pod=wrong))

    assert isinstance(refusal, do.RefusePod)
    assert refusal.reason is VpcIpReason.INVALID_SPEC
    assert not refusal.passes
