"""How each side sees a Pod, and what of it is wrong, as `ipamctl explain pod` has it from the agent."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.diagnosis.explain import PodExplain
from ipamd.agent.diagnosis.trace import NoSuchPodError
from ipamd.agent.enis import NodeEni
from ipamd.agent.exclusive_enis import ExclusiveEni
from ipamd.core.annotations.networks import DIRECT_ENI
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.eip.way_out import SeenAs, WayOut
from ipamd.core.errors import IpamError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kubernetes.annotation_names import NETWORKS, VPC_IP_DELETE_POLICY
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Binding, BindStage, Held, Warm
from ipamd.core.model import Eip, EipStatus, SandboxKey
from tests.testkit.addresses import of_pod
from tests.testkit.claims import OWN, claim
from tests.testkit.eips import listed_eip
from tests.testkit.pods import pod_ref, pod_view
from tests.testkit.vpc_ip_claims import ADDRESS, vpc_ip_claim

IP = "10.0.1.5"
BOUND = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.BOUND, claim="default/web-0")
HERE = listed_eip("eip-1", EipStatus.BIND, eni_id="eni-1", private_ip=IP)
LINK = SimpleNamespace(name="eth1")
READY_ENI = NodeEni(
    eni_id="eni-1", mac="m", subnet_id="subnet-a", gateway="10.0.1.1", state="AVAILABLE", link=LINK
)
PLAIN = pod_view()
WAY = WayOut(seen_as=SeenAs.EIP, address="198.18.0.1", verdict="the internet sees 198.18.0.1")


class Node:
    """A node on which all is well with Pod default/web-0; a test changes a part of it."""

    def __init__(self, *addresses, pod=PLAIN, claim=None, fixed=None):
        self.addresses, self.pod, self.claim, self.fixed = addresses, pod, claim, fixed
        self.differences: list[str] = []
        self.way: WayOut | IpamError = WAY
        self.eip: Eip | IpamError | None = HERE
        self.enis, self.own_enis = {"eni-1": READY_ENI}, {}
        self.direct_enis, self.bind_errors = 0, {}

    def explain(self, name="web-0"):
        return PodExplain(
            node="node-a",
            shared_ledger=SimpleNamespace(current=Ledger.of(self.addresses)),
            pods=SimpleNamespace(known=lambda ref: self.pod if ref.name == "web-0" else None),
            claims=SimpleNamespace(known=lambda ref: self.claim if ref.name == "web-0" else None),
            enis=SimpleNamespace(enis=self.enis, exclusive=SimpleNamespace(enis=self.own_enis)),
            pool=SimpleNamespace(waited_for=lambda: "an address from the cloud"),
            exclusive_pool=SimpleNamespace(
                limit=self.direct_enis, waited_for=lambda: "an ENI from the cloud"
            ),
            cloud=SimpleNamespace(describe_eip=self.ask),
            check=SimpleNamespace(look=lambda _: self.differences, advice=lambda _: "drain the node"),
            trace=SimpleNamespace(run=self.trace),
            history=SimpleNamespace(of=lambda _: []),
            bind_errors=lambda: self.bind_errors,
            fixed=SimpleNamespace(
                claims=SimpleNamespace(known=lambda _: self.fixed),
                waited_for=lambda ref: f"claim of {ref.uid}",
            ),
        ).run("default", name)

    def ask(self, eip_id, deadline):
        assert eip_id == "eip-1"
        assert 0 < deadline.remaining() <= 5.0
        if isinstance(self.eip, IpamError):
            raise self.eip
        return self.eip

    def trace(self, namespace, name, destination):
        assert (namespace, name, destination) == ("default", "web-0", "")
        if isinstance(self.way, IpamError):
            raise self.way
        return SimpleNamespace(way=self.way)

    def side(self, what):
        """What one side says, and whether that is well."""
        (found,) = [side for side in self.explain().sides if side.what == what]
        return found.text, found.ok


def test_of_a_pod_that_is_well_every_side_says_so():
    told = Node(of_pod(IP, eip=BOUND), claim=claim(address=OWN)).explain()

    assert (told.pod, told.address.ip) == (pod_ref(), IP)
    assert [(side.side, side.what, side.ok) for side in told.sides] == [
        ("kernel", "wiring", True),
        ("kernel", "way to the internet", True),
        ("cloud", "ENI eni-1", True),
        ("cloud", "EIP eip-1", True),
        ("cluster", "EIPClaim", True),
    ]
    assert told.sides[0].text == "link veth, routes, rules and nft elements are as ADD made them"
    assert told.sides[1].text == WAY.verdict
    assert told.sides[2].text == "AVAILABLE, subnet subnet-a"
    assert told.explanation.wrong == ()


def test_one_that_nobody_knows_is_looked_for_elsewhere():
    with pytest.raises(NoSuchPodError, match="nothing is known of Pod default/web-9 on this node") as said:
        Node().explain("web-9")

    assert "says on which node it is" in said.value.advice


def test_a_pod_that_has_one_address_and_is_kept_another_is_told_by_the_one_it_has():
    kept = Held(
        key=SandboxKey(container_id="c0", ifname="eth0"), pod=pod_ref(uid="u0"), until=9.0, by_name=True
    )
    for other in ("10.0.1.1", "10.0.1.99"):
        node = Node(of_pod(other, state=kept), of_pod(IP))
        assert node.explain().address.ip == IP
    assert Node(of_pod("10.0.1.99", state=kept)).explain().address.ip == "10.0.1.99"


def test_what_differs_in_the_kernel_is_told_with_what_a_person_does():
    node = Node(of_pod(IP))
    node.differences = ["the route is gone", "the rule is gone"]

    told = node.explain()

    assert [(side.text, side.ok) for side in told.sides if side.what == "wiring"] == [
        ("the route is gone", False),
        ("the rule is gone", False),
    ]
    assert told.sight.kernel[:2] == ["the route is gone", "the rule is gone"]
    assert told.sight.kernel_next == "drain the node"


@pytest.mark.parametrize(
    ("binding", "seen_as", "is_well"),
    [
        (BOUND, SeenAs.EIP, True),
        (BOUND, SeenAs.NODE, False),
        (BOUND, SeenAs.UNKNOWN, False),
        (BOUND, SeenAs.NOBODY, False),
        (replace(BOUND, stage=BindStage.BINDING), SeenAs.NODE, True),
        (None, SeenAs.NODE, True),
        (None, SeenAs.NOBODY, False),
    ],
)
def test_whom_the_internet_has_to_see(binding, seen_as, is_well):
    node = Node(of_pod(IP, eip=binding))
    node.way = replace(WAY, seen_as=seen_as)

    assert node.side("way to the internet") == (WAY.verdict, is_well)


def test_a_way_that_cannot_be_traced_is_said_to_be_so():
    node = Node(of_pod(IP))
    node.way = IpamError("its namespace is gone")

    assert node.side("way to the internet") == ("its namespace is gone", False)


@pytest.mark.parametrize(
    ("eni", "text", "is_well"),
    [
        (None, "not known", False),
        (replace(READY_ENI, state=""), "not asked for yet, subnet subnet-a", True),
        (replace(READY_ENI, problem="no link", link=None), "AVAILABLE, subnet subnet-a", True),
        (replace(READY_ENI, state="MISSING", problem="detached"), "MISSING, subnet subnet-a", False),
    ],
)
def test_how_the_cloud_sees_the_eni(eni, text, is_well):
    node = Node(of_pod(IP))
    node.enis = {"eni-1": eni} if eni else {}

    assert node.side("ENI eni-1") == (text, is_well)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"problem": "no link", "link": None}, FindingCode.ENI_BROKEN),
        ({"state": "MISSING", "problem": "detached"}, FindingCode.ENI_MISSING),
    ],
)
def test_an_eni_that_carries_no_packets_is_told_with_its_next_step(changes, code):
    node = Node(of_pod(IP))
    node.enis = {"eni-1": replace(READY_ENI, **changes)}

    sight = node.explain().sight

    assert (sight.eni_problem, sight.eni_next) == (f"ENI eni-1: {changes['problem']}", code.facts.next_step)
    assert Node(of_pod(IP)).explain().sight.eni_problem == ""


@pytest.mark.parametrize(
    ("eni", "text", "is_well"),
    [
        (None, "not known", False),
        (
            ExclusiveEni(eni_id="eni-1", mac="m", subnet_id="subnet-a", gateway=""),
            "m, subnet subnet-a, this Pod's alone",
            True,
        ),
        (
            ExclusiveEni(eni_id="eni-1", mac="m", subnet_id="subnet-a", gateway="", is_listed=False),
            "m, subnet subnet-a, this Pod's alone; the cloud does not list it at this node, ready for use",
            False,
        ),
    ],
)
def test_how_the_cloud_sees_an_eni_of_the_pods_own(eni, text, is_well):
    node = Node(of_pod(IP, exclusive=True))
    node.own_enis = {"eni-1": eni} if eni else {}

    assert node.side("ENI eni-1") == (text, is_well)


def test_an_address_that_the_cloud_does_not_list_is_told():
    assert Node(of_pod(IP, missing_since=5.0)).side("address") == (
        f"{IP} is not listed at this node any more",
        False,
    )


@pytest.mark.parametrize(
    ("binding", "eip", "text", "is_well"),
    [
        (BOUND, HERE, f"EIP eip-1 is BIND to {IP} on eni-1", True),
        (BOUND, listed_eip("eip-1"), "EIP eip-1 is UNBIND", False),
        (replace(BOUND, stage=BindStage.BINDING), listed_eip("eip-1"), "EIP eip-1 is UNBIND", True),
        (BOUND, None, "EIP eip-1 does not exist", False),
        (replace(BOUND, stage=BindStage.BINDING), None, "EIP eip-1 does not exist", False),
    ],
)
def test_how_the_cloud_sees_the_eip(binding, eip, text, is_well):
    node = Node(of_pod(IP, eip=binding))
    node.eip = eip

    assert node.side("EIP eip-1") == (text, is_well)


def test_a_cloud_that_cannot_be_asked_is_nothing_of_this_pod():
    node = Node(of_pod(IP, eip=BOUND))
    node.eip = cloud_error("DescribeAddresses", "InternalError", "sorry")

    text, is_well = node.side("EIP eip-1")

    assert text.startswith("could not be asked: DescribeAddresses failed")
    assert is_well


def said(kind, status, message="because"):
    return {"type": kind, "status": status, "reason": "Reason", "message": message}


def test_how_the_cluster_sees_the_eip():
    conditions = (said("Ready", "False"), said("EgressThroughEIP", "False"), said("UpToDate", "True"))
    node = Node(of_pod(IP), claim=claim(conditions=conditions))

    assert node.side("EIPClaim") == ("Pending, Reason: because", False)
    assert node.side("route table") == ("False, Reason: because", False)
    assert node.side("change of the EIP") == ("True, Reason: because", True)
    node.claim = claim(conditions=(said("Ready", "True", ""),))
    assert node.side("EIPClaim") == ("Pending", True)


def test_how_the_cluster_sees_a_fixed_address():
    node = Node(fixed=vpc_ip_claim(conditions=(said("Ready", "False"),)))
    text, is_well = node.side("VpcIPClaim")
    assert text.endswith(f", {ADDRESS.ip} in {ADDRESS.subnet_id}, Reason: because")
    assert not is_well

    node.fixed = vpc_ip_claim(address=None)
    text, is_well = node.side("VpcIPClaim")
    assert ADDRESS.ip not in text
    assert "Reason" not in text
    assert is_well


FREE = Address(ip="10.0.1.7", eni_id="eni-1", state=Warm(since=1.0), added_at=0.0)
FIXED = pod_view({VPC_IP_DELETE_POLICY: "Never"})
DIRECT = pod_view({NETWORKS: DIRECT_ENI})


@pytest.mark.parametrize(
    ("pod", "addresses", "waits_for"),
    [
        (pod_view(), (), "an address from the cloud"),
        (pod_view(), (FREE,), ""),
        (pod_view(), (replace(FREE, exclusive=True),), "an address from the cloud"),
        (pod_view(), (of_pod(IP),), ""),
        (None, (), "an address from the cloud"),
        (DIRECT, (), "an ENI from the cloud"),
        (DIRECT, (FREE,), "an ENI from the cloud"),
        (DIRECT, (replace(FREE, exclusive=True),), ""),
        (FIXED, (FREE,), "its fixed address, and that for claim of u1"),
    ],
)
def test_what_a_pod_without_an_address_waits_for(pod, addresses, waits_for):
    node = Node(*addresses, pod=pod, claim=claim())
    node.direct_enis = 2

    assert node.explain().sight.pool == waits_for


def test_what_the_annotations_ask_for_and_what_this_node_does_not_have():
    assert not Node().explain().sight.wants_eip
    asks = Node(pod=pod_view({"tke.cloud.tencent.com/eip-attributes": "{}"})).explain().sight
    assert (asks.wants_eip, asks.wish_problem, asks.wish_next) == (True, "", "")

    unclear = Node(pod=pod_view({"tke.cloud.tencent.com/eip-attributes": "{"})).explain().sight
    assert unclear.wants_eip
    assert "eip-attributes" in unclear.wish_problem
    assert unclear.wish_next == "", "the message of the annotation says it"

    not_here = Node(pod=DIRECT).explain().sight
    assert "tke-direct-eni" in not_here.wish_problem
    assert not_here.wish_next
    served = Node(pod=DIRECT)
    served.direct_enis = 1
    assert served.explain().sight.wish_problem == ""


def test_a_fixed_address_that_cannot_be_understood_is_told():
    sight = Node(pod=pod_view({VPC_IP_DELETE_POLICY: "Sometimes"})).explain().sight

    assert "Sometimes" in sight.wish_problem


def test_why_the_eip_is_not_bound_is_told_of_this_pod_only():
    node = Node(of_pod(IP))
    node.bind_errors = {"default/web-0": "no more", "default/web-1": "other"}

    assert node.explain().sight.bind_error == "no more"
