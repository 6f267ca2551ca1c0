"""Which Pods' packets are traced, and which way out is a finding."""

from types import SimpleNamespace

import pytest

from ipamd.agent.findings.ways import WayFindings
from ipamd.core.findings.codes import FindingCode
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage, Warm
from ipamd.core.model import SandboxKey
from ipamd.net.model import PodEgress
from ipamd.net.packet_trace import Ending
from tests.testkit.pods import pod_ref


def address(number, *, stage=None, owned=True, exclusive=False):
    """An address of a Pod, with an EIP at that stage."""
    state = Assigned(
        key=SandboxKey(container_id=f"c{number}", ifname="eth0"),
        pod=pod_ref(f"web-{number}"),
        since=1.0,
        host_interface=f"veth{number}",
        host_mac="0a:e2:00:00:00:01",
    )
    eip = Binding(eip_id=f"eip-{number}", public_ip="198.18.0.1", stage=stage) if stage else None
    return Address(
        ip=f"10.0.1.{number}",
        eni_id=f"eni-{number}",
        state=state if owned else Warm(since=1.0),
        added_at=0.0,
        eip=eip,
        exclusive=exclusive,
    )


class Node:
    """Packets end as a test says; `traced` has whose were looked at."""

    def __init__(self, *addresses, egress=PodEgress.NODE, exempts=False):
        self.ending, self.link, self.sources = Ending.LEAVES, "eth0", {}
        self.traced: list[str] = []
        ledger = Ledger.of(addresses)
        self.findings = WayFindings(
            shared_ledger=SimpleNamespace(current=ledger),
            egress=egress,
            exempts=exempts,
            primary_link=lambda: "eth0",
            trace=self._trace,
        )

    def _trace(self, found):
        self.traced.append(found.ip)
        source = self.sources.get(found.ip, "10.0.0.4")
        return SimpleNamespace(ending=self.ending, source=source, link=self.link)

    def look(self):
        return [(finding.code, finding.subject) for finding in self.findings.look()]


BOUND = BindStage.BOUND
UNMASQUERADED = (FindingCode.UNMASQUERADED, "node/ip-masq-agent")


def test_one_pod_without_eip_stands_for_all_of_them():
    node = Node(address(1, stage=BOUND), address(2), address(3), exempts=True)
    assert node.look() == [], "it leaves with the node's address"
    assert node.traced == ["10.0.1.2"]

    node.sources = {"10.0.1.2": "10.0.1.2"}
    assert node.look() == [UNMASQUERADED]


@pytest.mark.parametrize(("ending", "link"), [(Ending.DROPPED, "eth0"), (Ending.LEAVES, "eth1")])
def test_what_does_not_leave_by_the_primary_eni_needs_no_masquerade(ending, link):
    node = Node(address(2))
    node.sources, node.ending, node.link = {"10.0.1.2": "10.0.1.2"}, ending, link

    assert node.look() == []


def test_a_pod_whose_eip_is_bound_must_keep_its_source():
    node = Node(address(1, stage=BOUND), address(2), address(3, stage=BOUND))
    node.sources = {"10.0.1.1": "10.0.1.1", "10.0.1.3": "10.0.1.99"}

    assert node.look() == [(FindingCode.EIP_MASQUERADED, "pod/default/web-3")]
    assert node.traced == ["10.0.1.2", "10.0.1.1", "10.0.1.3"]
    (finding,) = node.findings.look()
    assert (finding.pods, finding.because_of) == (("default/web-3",), ("eni/eni-3",))

    node.sources["10.0.1.3"] = "10.0.0.4"
    assert node.look() == [(FindingCode.EIP_MASQUERADED, "pod/default/web-3")]


def test_what_is_dropped_is_seen_with_no_wrong_address():
    node = Node(address(1, stage=BOUND))
    node.ending = Ending.DROPPED

    assert node.look() == []


@pytest.mark.parametrize("stage", [BindStage.BINDING, BindStage.UNBINDING])
def test_an_eip_that_is_not_bound_is_not_looked_at(stage):
    node = Node(address(1, stage=stage))

    assert (node.look(), node.traced) == ([], [])


@pytest.mark.parametrize(
    "addresses", [[], [address(1, owned=False)], [address(1, exclusive=True, stage=BOUND)]]
)
def test_what_no_pod_sends_by_the_node_is_not_traced(addresses):
    node = Node(*addresses)

    assert (node.look(), node.traced) == ([], [])


def test_nothing_is_traced_where_pods_leave_by_their_own_enis_nor_eips_where_our_rules_exempt_them():
    whole = [address(1, stage=BOUND), address(2)]
    for options, traced in (({"egress": PodEgress.ENI}, []), ({"exempts": True}, ["10.0.1.2"])):
        node = Node(*whole, **options)
        node.look()
        assert node.traced == traced
