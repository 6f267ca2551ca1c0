"""Links of ENIs that single Pods have: put away when nobody has them, given back to the Pod that should."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.exclusive_enis import ExclusiveEni
from ipamd.agent.node.exclusive_repair import ExclusiveRepair
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import names
from ipamd.core.errors import TryAgainError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Warm
from ipamd.core.model import SandboxKey
from ipamd.net.model import EniLink
from ipamd.store.database import Database
from tests.testkit.pods import pod_ref

KEY = SandboxKey(container_id="c1", ifname="eth0")
ENI = ExclusiveEni(eni_id="eni-1", mac="52:54:00:00:00:01", subnet_id="subnet-1", gateway="10.0.1.1")
LINK = EniLink(mac=ENI.mac, name="", ifindex=0, table=0, mark=0, mtu=1500, gateway=ENI.gateway)
FREE = Address(ip="10.0.1.10", eni_id="eni-1", state=Warm(since=1.0), added_at=0.0, exclusive=True)
END = names.host_end(KEY.container_id, KEY.ifname)
ASSIGNED = Assigned(key=KEY, pod=pod_ref(), since=1.0, host_interface=END.name, host_mac=END.mac, netns="/n")
USED = replace(FREE, state=ASSIGNED)


class Node:
    """A node with one such ENI whose link is on the node; `is_put_away` says how a listing shows it."""

    def __init__(self, database):
        self.shared_ledger = SharedLedger(database, Ledger())
        self.pending = PendingAdds()
        self.is_put_away: bool | None = False
        self.is_here = True
        self.namespace: int | None = 4711
        self.away: list[str] = []
        self.given_back: list[str] = []
        self.told: list[tuple[FindingCode, str, str]] = []
        self.error: TryAgainError | None = None
        self.known = {"eni-1": ENI}
        self.repair = ExclusiveRepair(
            shared_ledger=self.shared_ledger,
            enis=SimpleNamespace(enis=self.known, link=lambda eni_id: LINK if eni_id in self.known else None),
            dataplane=self,
            locks=PodLocks(),
            pending=self.pending,
        )

    def has(self, address):
        self.shared_ledger.apply(lambda current: current.changed(address))

    # ---- the kernel

    def links_of_enis(self, macs, _):
        assert set(macs) == {ENI.mac}
        return {} if self.is_put_away is None else {ENI.mac: self.is_put_away}

    def put_away_eni(self, mac):
        if self.error:
            raise self.error
        self.away.append(mac)

    def has_own_eni(self, mac):
        assert mac == ENI.mac
        return self.is_here

    def namespace_of(self, path):
        assert path == "/n"
        return self.namespace

    def return_eni(self, pod):
        self.given_back.append(pod.ip)

    def repaired(self, difference):
        self.told.append((difference.code, difference.subject, difference.text))

    # ---- the repair

    def mended(self):
        return self.repair.mend(None)

    def differences(self):
        return [(found.code, found.subject) for found in self.repair.differences(None)]


@pytest.fixture
def node(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Node(database)


def test_an_eni_of_a_running_pod_goes_back_to_it_and_that_is_counted_and_told(node):
    node.has(USED)
    assert node.differences() == [(FindingCode.POD_INSIDE, "pod/10.0.1.10")]

    assert node.mended() == 1

    assert (node.given_back, node.away) == (["10.0.1.10"], [])
    text = "the Pod at 10.0.1.10 has its ENI eni-1 back, which was on the node"
    assert node.told == [(FindingCode.POD_INSIDE, "pod/10.0.1.10", text)]


@pytest.mark.parametrize("is_put_away", [True, False])
def test_it_goes_back_whether_or_not_it_is_put_away(node, is_put_away):
    node.has(USED)
    node.is_put_away = is_put_away

    assert node.mended() == 1


@pytest.mark.parametrize("addresses", [(), (FREE,)])
def test_one_that_no_pod_has_is_put_away_which_is_no_pod_s_mending(node, addresses):
    for address in addresses:
        node.has(address)
    assert node.differences() == [(FindingCode.LEFTOVER, "eni/eni-1")]

    assert node.mended() == 0

    assert (node.away, node.given_back, node.told) == ([ENI.mac], [], [])


@pytest.mark.parametrize("is_put_away", [True, None])
def test_one_that_is_put_away_already_or_is_not_on_the_node_is_left(node, is_put_away):
    node.has(FREE)
    node.is_put_away = is_put_away

    assert node.differences() == []
    assert node.mended() == 0
    assert node.away == []


def test_one_that_an_add_is_moving_is_left_to_it(node):
    node.has(USED)
    with node.pending.begun(KEY, lambda: False, 0.0):
        assert node.differences() == []
        assert node.mended() == 0
    assert (node.away, node.given_back) == ([], [])


def test_one_that_has_gone_to_its_pod_since_the_listing_is_left(node):
    node.has(USED)
    node.is_here = False

    assert node.mended() == 0
    assert (node.away, node.given_back) == ([], [])


def test_one_whose_pod_has_no_namespace_any_more_is_put_away(node):
    node.has(USED)
    node.namespace = None
    assert node.differences() == []

    assert node.mended() == 0
    assert (node.away, node.given_back, node.told) == ([ENI.mac], [], [])


def test_what_the_kernel_refuses_is_tried_again_by_the_next_round(node):
    node.has(FREE)
    node.error = TryAgainError("busy")
    assert node.mended() == 0

    node.error = None
    assert node.mended() == 0
    assert node.away == [ENI.mac]


def test_a_node_without_such_enis_does_not_look_for_links(node):
    node.known.clear()

    assert node.differences() == []
    assert node.mended() == 0


def test_an_owner_that_has_changed_since_it_was_seen_is_left_to_the_next_round(node):
    node.has(USED)

    class Turn(PodLocks):
        """A DEL is in front, in the turn of the address."""

        def of_address(self, ip, deadline):
            node.has(FREE)
            return super().of_address(ip, deadline)

    repair = replace(node.repair, locks=Turn())

    assert repair.mend(None) == 0
    assert (node.away, node.given_back) == ([], [])
