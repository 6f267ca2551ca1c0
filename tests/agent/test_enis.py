"""Which of the node's shared ENIs are ours, and what becomes of one that is listed no more."""

from dataclasses import replace

import pytest

from ipamd.agent.enis import owners_of
from ipamd.core import model, tags
from ipamd.core.ledger.states import Binding, BindStage, Held, Occupied, Warm
from ipamd.store.database import Database
from tests.agent.eni_node import INSTANCE, KEY, USED, EniNode, eni, entry
from tests.testkit.pods import pod_ref


@pytest.fixture
def node(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield EniNode(database)


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
