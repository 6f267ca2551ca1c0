"""The node's shared ENIs: which are ours, what is set up, and what becomes of one that is listed no more."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.departures import Departures
from ipamd.agent.enis import NodeEni, NodeEnis, owners_of
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model, tags
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage, Held, Occupied, Warm
from ipamd.core.timing.boottime import Boottime
from ipamd.net.model import EniLink
from ipamd.store.database import Database, StoreError
from tests.testkit.pods import pod_ref

INSTANCE = "ins-1"
KEY = model.SandboxKey(container_id="c1", ifname="eth0")
USED = Assigned(key=KEY, pod=pod_ref(), since=1.0, host_interface="veth", host_mac="0a:e2:00:00:00:01")
AVAILABLE = model.IpState.AVAILABLE


def entry(ip, *, primary=False, state=AVAILABLE, eip_id="", public_ip=""):
    return model.EniAddress(ip=ip, primary=primary, state=state, eip_id=eip_id, public_ip=public_ip)


def eni(number=1, *ips, of=INSTANCE, primary=False, extended=False, **changes):
    """An ENI with a primary address and these."""
    addresses = (entry(f"10.0.{number}.2", primary=True), *(i if hasattr(i, "ip") else entry(i) for i in ips))
    fields = {
        "eni_id": f"eni-{number}",
        "mac": f"52:54:00:00:00:{number:02x}",
        "vpc_id": "vpc-1",
        "subnet_id": f"subnet-{number}",
        "primary": primary,
        "state": model.EniState.AVAILABLE,
        "instance_id": INSTANCE,
        "addresses": addresses,
        "security_groups": (f"sg-{number}",),
        "tags": {tags.NODE: of} if of else {},
        "extended": extended,
    }
    return model.Eni(**{**fields, **changes})


class Cloud:
    def __init__(self):
        self.enis: list[model.Eni] = []
        self.bound: list[model.Eip] = []
        self.asked_subnets: list[list[str]] = []
        self.asked_eips: list[list[str]] = []
        self.unknown_subnets: set[str] = set()

    def describe_enis(self, instance_id, deadline):
        assert instance_id == INSTANCE
        return list(self.enis)

    def describe_subnets(self, subnet_ids, deadline):
        self.asked_subnets.append(subnet_ids)
        known = [subnet_id for subnet_id in subnet_ids if subnet_id not in self.unknown_subnets]
        return [
            SimpleNamespace(subnet_id=subnet_id, cidr=f"10.0.{subnet_id.removeprefix('subnet-')}.0/24")
            for subnet_id in known
        ]

    def describe_eips(self, *, eip_ids, deadline):
        self.asked_eips.append(eip_ids)
        return self.bound


class Plane:
    """A kernel with a link for each MAC that is not missing."""

    enis: tuple[EniLink, ...] = ()
    node_ip = ""

    def __init__(self):
        self.missing: set[str] = set()
        self.awaited: list[str] = []
        self.made: list[tuple[str, str]] = []
        self.mended: list[list[tuple[str, str]]] = []
        self.forgotten: list[int] = []
        self.others: list[int] = []
        self.others_asked = 0
        self.others_error: TryAgainError | None = None

    def link(self, mac, gateway=""):
        number = int(mac[-2:], 16)
        return EniLink(
            mac=mac,
            name=f"eth{number}",
            ifindex=number,
            table=4000 + number,
            mark=number << 24,
            mtu=1500,
            gateway=gateway,
        )

    def await_link(self, mac):
        self.awaited.append(mac)
        if mac in self.missing:
            raise TryAgainError(f"no link {mac}")

    def has_eni(self, link):
        return link.mac not in self.missing

    def ensure_eni(self, mac, gateway, *, wait):
        assert wait is False
        if mac in self.missing:
            raise TryAgainError(f"no link {mac}")
        self.made.append((mac, gateway))
        return self.link(mac, gateway)

    def ensure_enis(self, wanted, seen):
        assert seen == "what was seen"
        self.mended.append(wanted)
        return [
            TryAgainError(f"no link {mac}") if mac in self.missing else self.link(mac, gateway)
            for mac, gateway in wanted
        ]

    def forget_eni(self, mark):
        self.forgotten.append(mark)

    def forget_others(self):
        self.others_asked += 1
        if self.others_error:
            raise self.others_error
        return self.others


class Node:
    def __init__(self, database):
        self.database, self.now = database, Boottime(1000.0)
        self.cloud, self.plane = Cloud(), Plane()
        self.wired: dict[str, Assigned | Occupied] = {}
        self.shared_ledger = SharedLedger(database, Ledger(), clock=lambda: self.now)
        self.enis = self.again()

    def again(self, database=None):
        """The next agent of the node."""
        departures = Departures(self.database, self.shared_ledger.now)
        return NodeEnis(
            SimpleNamespace(instance_id=INSTANCE),
            cloud=self.cloud,
            dataplane=self.plane,
            shared_ledger=self.shared_ledger,
            database=database or self.database,
            unknown_owners=SimpleNamespace(find=lambda: self.wired),
            exclusive=ExclusiveEnis(
                cluster_id="cls-1",
                instance_id=INSTANCE,
                dataplane=SimpleNamespace(
                    await_link=self.plane.await_link, put_away_eni=lambda _: None, enis=[], node_ip=""
                ),
                database=self.database,
                departures=departures,
            ),
            departures=departures,
        )

    def look(self, *listed):
        self.now = Boottime(self.now + 1.0)
        self.cloud.enis = list(listed)
        self.enis.look(None)

    def own(self, ip, state=USED, eip=None):
        """Let somebody have an address."""
        known = self.shared_ledger.current.addresses[ip]
        changed = Address(
            ip=ip, eni_id=known.eni_id, state=state, added_at=known.added_at, eip=eip, exclusive=False
        )
        self.shared_ledger.apply(lambda current: current.changed(changed))

    @property
    def addresses(self):
        return self.shared_ledger.current.addresses

    @property
    def gauge(self):
        (metric,) = self.enis.metrics()
        return {state: count for (state,), count in metric.samples.items() if count}


@pytest.fixture
def node(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Node(database)


def test_ours_are_set_up_and_their_secondary_addresses_come_into_the_ledger(node):
    assert not node.enis.are_known

    node.look(eni(1, "10.0.1.10", "10.0.1.11"))

    assert node.enis.are_known
    known = node.enis.enis["eni-1"]
    assert (known.condition, known.link.name, known.gateway) == ("ready", "eth1", "10.0.1.1")
    assert (known.subnet_id, known.security_groups, known.unusable) == ("subnet-1", ("sg-1",), 0)
    assert {ip: type(a.state) for ip, a in node.addresses.items()} == {"10.0.1.10": Warm, "10.0.1.11": Warm}
    assert node.plane.made == [("52:54:00:00:00:01", "10.0.1.1")]
    assert node.enis.link("eni-1") == known.link
    assert node.enis.link("eni-9") is None
    assert node.gauge == {"ready": 1}


def test_others_are_counted_by_whose_quota_they_take_and_are_left_alone(node):
    whole = eni(6, of="", extended=True, tags={tags.EXCLUSIVE_NODE: INSTANCE})
    node.look(
        eni(1),
        eni(2, primary=True),
        eni(3, "10.0.3.10", of=""),
        eni(4, "10.0.4.10", of="ins-2"),
        eni(5, of="", extended=True),
        whole,
    )

    assert list(node.enis.enis) == ["eni-1"]
    assert node.enis.foreign == 2, "those of a person; not the primary one, nor extended ones"
    assert node.enis.exclusive.foreign == 1, "an extended one of somebody else"
    assert node.enis.primary_security_groups == ("sg-2",)
    assert set(node.addresses) == {"10.0.6.2"}
    assert node.gauge == {"ready": 1, "foreign": 2}


def test_before_the_first_look_nothing_is_known_of_the_instance(node):
    assert (node.enis.primary_security_groups, node.enis.foreign, node.enis.other_public_ips) == ((), 0, 0)


def test_one_that_was_ours_stays_it_without_its_tag(node):
    node.look(eni(1, "10.0.1.10"))

    node.look(eni(1, "10.0.1.10", of=""))

    assert (node.enis.enis["eni-1"].condition, node.enis.foreign) == ("ready", 0)


def test_one_that_is_listed_no_more_is_given_up_by_the_second_look_that_does_not_see_it(node):
    node.look(eni(1, "10.0.1.10"), eni(2))

    node.look(eni(2))

    lost = node.enis.enis["eni-1"]
    assert (lost.condition, lost.is_broken, lost.link.name) == ("missing", False, "eth1")
    assert node.enis.problems() == ["ENI eni-1: the cloud does not list it at ins-1 any more"]
    assert node.addresses["10.0.1.10"].quarantined
    assert node.plane.forgotten == []
    assert node.gauge == {"ready": 1, "missing": 1}

    node.look(eni(2))

    assert list(node.enis.enis) == ["eni-2"]
    assert node.plane.forgotten == [1 << 24]


@pytest.mark.parametrize(
    "owner",
    [
        USED,
        Occupied(host_interface="veth", host_mac="0a:e2:00:00:00:01", pod=None, since=1.0),
        Held(key=KEY, pod=pod_ref(), until=9000.0, by_name=False),
    ],
)
def test_one_that_is_listed_no_more_stays_as_long_as_somebody_has_an_address_of_it(node, owner):
    node.look(eni(1, "10.0.1.10", "10.0.1.11"))
    node.own("10.0.1.10", owner)
    assert owners_of(node.shared_ledger.current, "eni-1") == 1
    assert owners_of(node.shared_ledger.current, "eni-2") == 0

    for _ in range(3):
        node.look()

    assert node.enis.enis["eni-1"].condition == "missing"
    assert node.plane.forgotten == []


def test_one_that_is_listed_again_is_ready_again(node):
    node.look(eni(1, "10.0.1.10"))
    node.look()

    node.look(eni(1, "10.0.1.10"))

    assert (node.gauge, node.enis.problems()) == ({"ready": 1}, [])
    assert not node.addresses["10.0.1.10"].quarantined


def test_addresses_on_their_way_take_room_unless_the_ledger_has_them(node):
    pending = entry("10.0.1.20", state=model.IpState.PENDING)
    leaving = entry("10.0.1.10", state=model.IpState.DELETING)
    primary = entry("10.0.1.3", primary=True, state=model.IpState.PENDING)
    node.look(eni(1, "10.0.1.10", pending, primary))
    assert node.enis.enis["eni-1"].unusable == 1

    node.look(eni(1, leaving, pending))

    assert node.enis.enis["eni-1"].unusable == 1, "the one that leaves is in the ledger"


@pytest.mark.parametrize("state", [model.EniState.PENDING, model.EniState.DETACHING])
def test_one_that_the_cloud_still_works_on_gives_no_addresses(node, state):
    node.look(eni(1, "10.0.1.10", state=state))

    assert node.enis.enis["eni-1"].condition == state.value.lower()
    assert node.addresses == {}


def test_one_that_cannot_be_set_up_is_broken_until_it_can(node):
    mac = eni(1).mac
    node.plane.missing.add(mac)

    node.look(eni(1, "10.0.1.10"))

    known = node.enis.enis["eni-1"]
    assert (known.is_broken, known.condition, known.link) == (True, "broken", None)
    assert node.enis.problems() == [f"ENI eni-1: no link {mac}"]
    assert (node.addresses, node.plane.others_asked) == ({}, 0)

    node.plane.missing.clear()
    node.look(eni(1, "10.0.1.10"))

    assert (node.enis.problems(), node.gauge) == ([], {"ready": 1})
    assert set(node.addresses) == {"10.0.1.10"}


def test_only_links_of_new_ones_are_waited_for_and_set_up(node):
    node.look(eni(1))
    node.look(eni(1), eni(2))

    assert node.plane.awaited == [eni(1).mac, eni(2).mac]
    assert [mac for mac, _ in node.plane.made] == [eni(1).mac, eni(2).mac]

    node.plane.missing.add(eni(1).mac)
    node.look(eni(1), eni(2))
    node.plane.missing.clear()
    node.look(eni(1), eni(2))

    assert [mac for mac, _ in node.plane.made] == [eni(1).mac, eni(2).mac, eni(1).mac]


def test_what_detached_ones_have_left_in_the_kernel_is_cleared_once_all_links_are_there(node):
    node.plane.others = [7 << 24]
    node.look(eni(1))
    assert node.plane.others_asked == 1

    node.plane.missing.add(eni(1).mac)
    node.look(eni(1))
    assert node.plane.others_asked == 1

    node.plane.missing.clear()
    node.plane.others_error = TryAgainError("busy")
    node.look(eni(1))
    assert node.plane.others_asked == 2


def test_public_ips_that_no_pod_has_are_counted(node):
    ours = eni(1, entry("10.0.1.10", eip_id="eip-1", public_ip="198.18.0.1"), entry("10.0.1.11"))
    others = eni(2, entry("10.0.2.10", eip_id="eip-2"), primary=True)
    primary = eni(3, addresses=(entry("10.0.3.2", primary=True, public_ip="198.18.0.3"),))
    whole = eni(
        4,
        of="",
        extended=True,
        tags={tags.EXCLUSIVE_NODE: INSTANCE},
        addresses=(entry("10.0.4.2", primary=True, eip_id="eip-4", public_ip="198.18.0.4"),),
    )

    node.look(ours, others, primary, whole)
    by_hand = 2  # eip-1 and eip-4 came into the ledger, and are no claim's

    assert node.enis.other_public_ips == 2 + by_hand
    bound = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.BOUND, claim="default/web-0")
    node.own("10.0.1.10", eip=bound)
    assert node.enis.other_public_ips == 3


def test_an_eip_that_the_listing_does_not_show_is_looked_at_by_its_id_before_it_is_believed_loose(node):
    node.look(eni(1, "10.0.1.10", "10.0.1.11"))
    for number in (1, 2):
        bound = Binding(
            eip_id=f"eip-{number}", public_ip=f"198.18.0.{number}", stage=BindStage.BOUND, claim="default/web"
        )
        key = model.SandboxKey(container_id=f"c{number}", ifname="eth0")
        node.own(f"10.0.1.{9 + number}", replace(USED, key=key), eip=bound)
    node.cloud.bound = [
        model.Eip(
            eip_id="eip-1",
            public_ip="198.18.0.1",
            status=model.EipStatus.BIND,
            eni_id="eni-1",
            private_ip="10.0.1.10",
        )
    ]

    node.look(eni(1, "10.0.1.10", "10.0.1.11"))

    assert node.cloud.asked_eips == [["eip-1", "eip-2"]]
    stages = {ip: address.eip.stage for ip, address in node.addresses.items()}
    assert stages == {"10.0.1.10": BindStage.BOUND, "10.0.1.11": BindStage.BINDING}


def test_no_eip_is_asked_for_where_none_is_in_doubt(node):
    node.look(eni(1, "10.0.1.10"))

    assert node.cloud.asked_eips == []


def test_an_address_that_the_kernel_shows_wired_comes_with_its_owner(node):
    node.wired = {"10.0.1.10": USED}

    node.look(eni(1, "10.0.1.10"))

    assert node.addresses["10.0.1.10"].state == USED


def test_what_has_left_the_node_does_not_come_back_by_a_listing_that_lags(node):
    node.enis.departures.note_addresses("eni-1", "10.0.1.10")
    node.enis.departures.note_eni("eni-2")

    node.look(eni(1, "10.0.1.10", "10.0.1.11"), eni(2, "10.0.2.10"))

    assert list(node.enis.enis) == ["eni-1"]
    assert set(node.addresses) == {"10.0.1.11"}


def test_the_next_agent_knows_them_before_the_cloud_is_asked_and_mends_them(node):
    node.look(eni(1), eni(2))
    node.enis = node.again()

    node.enis.recall(wait=False)

    assert node.enis.are_known
    recalled = NodeEni(eni_id="eni-1", mac=eni(1).mac, subnet_id="subnet-1", gateway="10.0.1.1")
    assert node.enis.enis["eni-1"] == recalled
    assert recalled.unusable == 0
    assert node.gauge == {"broken": 2}
    node.plane.missing.add(eni(2).mac)
    assert node.enis.mend("what was seen")
    assert node.gauge == {"ready": 1, "broken": 1}
    assert node.plane.mended == [[(eni(1).mac, "10.0.1.1"), (eni(2).mac, "10.0.2.1")]]


@pytest.mark.parametrize("wait", [True, False])
def test_after_a_boot_the_links_of_those_it_remembers_are_waited_for(node, wait):
    node.look(eni(1), eni(2))
    node.enis, node.plane.awaited = node.again(), []
    node.plane.missing.add(eni(1).mac)

    node.enis.recall(wait=wait)

    assert node.plane.awaited == ([eni(1).mac, eni(2).mac] if wait else [])


def test_an_agent_that_remembers_that_there_were_none_knows_it(node):
    node.enis.recall(wait=False)
    assert not node.enis.are_known

    node.look()
    node.enis = node.again()
    node.enis.recall(wait=False)

    assert (node.enis.are_known, dict(node.enis.enis)) == (True, {})


def test_a_disk_that_takes_nothing_stops_no_look(node):
    def full(name, content):
        raise StoreError("the disk is full")

    node.enis = node.again(SimpleNamespace(fact=lambda name: None, put_fact=full))

    node.look(eni(1))

    assert node.gauge == {"ready": 1}


def test_a_link_that_goes_takes_its_addresses_out_of_use_and_one_that_comes_back_is_said(node):
    node.look(eni(1, "10.0.1.10"), eni(2, "10.0.2.10"))
    assert not node.enis.mend("what was seen")

    node.plane.missing.add(eni(1).mac)
    assert node.enis.mend("what was seen")

    quarantined = {ip for ip, address in node.addresses.items() if address.quarantined}
    assert (node.gauge, quarantined) == ({"ready": 1, "broken": 1}, {"10.0.1.10"})
    assert not node.enis.mend("what was seen"), "nothing has changed since"

    node.plane.missing.clear()
    assert node.enis.mend("what was seen")
    assert node.gauge == {"ready": 2}


def test_one_that_the_cloud_does_not_list_is_not_mended(node):
    node.look(eni(1), eni(2))
    node.look(eni(2))

    assert not node.enis.mend("what was seen")

    assert node.plane.mended == [[(eni(2).mac, "10.0.2.1")]]
    assert set(node.enis.enis) == {"eni-1", "eni-2"}


def test_a_subnet_is_asked_for_once(node):
    node.look(eni(1), eni(2))
    node.look(eni(1), eni(2))

    assert node.cloud.asked_subnets == [["subnet-1", "subnet-2"]]
    assert node.enis.gateway_for(eni(2), None) == "10.0.2.1"
    assert node.enis.gateway_for(eni(3), None) == "10.0.3.1"
    assert node.cloud.asked_subnets == [["subnet-1", "subnet-2"], ["subnet-3"]]


def test_a_subnet_that_is_not_listed_has_no_gateway(node):
    node.cloud.unknown_subnets.add("subnet-1")

    with pytest.raises(TryAgainError, match="subnet subnet-1 of eni-1 is not listed"):
        node.enis.gateway_for(eni(1), None)


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({}, "broken"),
        ({"state": "AVAILABLE"}, "broken"),
        ({"link": Plane().link("52:54:00:00:00:01")}, "ready"),
        ({"link": Plane().link("52:54:00:00:00:01"), "problem": "no route"}, "broken"),
        ({"link": Plane().link("52:54:00:00:00:01"), "state": "ATTACHING"}, "attaching"),
        ({"problem": "no route", "state": "PENDING"}, "pending"),
        ({"problem": "gone", "state": "MISSING"}, "missing"),
    ],
)
def test_the_condition_of_an_eni_is_one_word(changes, condition):
    known = NodeEni(eni_id="eni-1", mac="52:54:00:00:00:01", subnet_id="s", gateway="", **changes)

    assert known.condition == condition
    assert known.is_broken is (bool(changes.get("problem")) and condition != "missing")
