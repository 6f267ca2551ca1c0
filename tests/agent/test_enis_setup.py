"""What of the node's shared ENIs is set up in its kernel, waited for, remembered and set up again."""

from types import SimpleNamespace

import pytest

from ipamd.agent.enis import NodeEni
from ipamd.core.errors import TryAgainError
from ipamd.store.database import OTHERS, Database, StoreError
from tests.agent.eni_node import EniNode, Plane, eni, entry


@pytest.fixture
def node(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield EniNode(database)


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


def taken_by_others(node):
    """ENIs, extended ENIs and public IPs."""
    return node.enis.foreign, node.enis.exclusive.foreign, node.enis.other_public_ips


def test_the_next_agent_knows_how_much_others_take_before_the_cloud_is_asked(node):
    extended = [eni(number, of="", extended=True) for number in (4, 5)]
    with_public_ip = eni(3, addresses=(entry("10.0.3.2", primary=True, public_ip="198.18.0.3"),))
    node.look(eni(1), eni(2, of=""), with_public_ip, *extended)
    assert taken_by_others(node) == (1, 2, 1)
    node.enis = node.again()

    node.enis.recall(wait=False)

    assert taken_by_others(node) == (1, 2, 1)


def test_a_store_of_before_does_not_say_how_much_others_take(node):
    node.look(eni(1), eni(2, of=""), eni(4, of="", extended=True))
    node.database.put_fact(OTHERS, None)
    node.enis = node.again()

    node.enis.recall(wait=False)

    assert node.enis.are_known
    assert taken_by_others(node) == (0, 0, 0)


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
