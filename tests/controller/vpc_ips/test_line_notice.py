"""Who is told that a VpcIP stays as long as its claim does."""

from types import SimpleNamespace

from ipamd.controller.vpc_ips.line_notice import LineNotice
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.kube.leases import NotLeaderError

LINE = VpcIp(
    ip="10.0.1.7", uid="line-1", resource_version="7", claim_namespace="shop", claim_name="web-0", status={}
)


def told_by(deadline):
    told = []
    teller = SimpleNamespace(line=lambda *words: told.append(words))
    LineNotice(teller, SimpleNamespace(deadline=deadline)).tell(LINE)
    return told


def test_the_leader_says_what_to_do_instead():
    [(line, reason, message)] = told_by(lambda: None)

    assert (line, reason) == (LINE, "VpcIPInUse")
    assert "belongs to VpcIPClaim shop/web-0" in message
    assert message.endswith("run kubectl delete vipc web-0 -n shop")


def test_the_other_replicas_leave_it_to_the_leader():
    def refuse():
        raise NotLeaderError("another one leads")

    assert told_by(refuse) == []
