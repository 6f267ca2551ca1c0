import errno
import ipaddress

import pytest

from ipamd.core import errors
from ipamd.net.nft_elements import Element, Elements, add, delete

pytestmark = pytest.mark.netns
CHAINS = "pod_0x1000000", "pod_0x2000000"


@pytest.fixture
def elements():
    opened = Elements()
    yield opened
    opened.close()


def addresses(count):
    first = int(ipaddress.IPv4Address("10.0.0.1"))
    return [str(ipaddress.IPv4Address(first + n)) for n in range(count)]


def test_elements_come_and_go(world, elements):
    def come_and_go():
        elements.apply([add("pods", Element("10.0.1.5", CHAINS[0])), add("eip_pods", Element("10.0.1.5"))])
        there = elements.lookup("pods", "10.0.1.5"), elements.lookup("eip_pods", "10.0.1.5")
        elements.apply([delete("pods", Element("10.0.1.5")), delete("eip_pods", Element("10.0.1.5"))])
        return there, elements.listed("pods"), elements.lookup("pods", "10.0.1.5")

    assert world.on_node(come_and_go) == ((CHAINS[0], ""), {}, None)


def test_what_is_there_may_be_added_and_what_is_missing_deleted(world, elements):
    def twice():
        for _ in range(2):
            elements.apply([add("pods", Element("10.0.1.5", CHAINS[0]))])
            elements.apply([delete("pods", Element("10.0.1.6"))])
        return elements.listed("pods")

    assert world.on_node(twice) == {"10.0.1.5": CHAINS[0]}


def test_part_of_a_deletion_may_be_missing(world, elements):
    def partly():
        elements.apply([add("pods", *(Element(ip, CHAINS[0]) for ip in addresses(10)))])
        gone = [Element(ip) for ip in addresses(20)[5:]]
        elements.apply([delete("pods", *gone), add("eip_pods", Element("10.0.1.7"))])
        return set(elements.listed("pods")), set(elements.listed("eip_pods"))

    assert world.on_node(partly) == (set(addresses(5)), {"10.0.1.7"})


def test_another_chain_replaces_the_one_before(world, elements):
    def replace():
        elements.apply([add("pods", *(Element(ip, CHAINS[0]) for ip in addresses(3)))])
        moved = [Element(addresses(3)[1], CHAINS[1]), Element("10.0.1.9", CHAINS[1])]
        elements.apply([add("pods", *moved)])
        return elements.listed("pods")

    first, second, third = addresses(3)
    expected = {first: CHAINS[0], second: CHAINS[1], third: CHAINS[0], "10.0.1.9": CHAINS[1]}
    assert world.on_node(replace) == expected


def test_a_chain_that_does_not_exist_aborts_all_of_the_change(world, elements):
    def wrong():
        elements.apply([add("eip_pods", Element("10.0.1.5")), add("pods", Element("10.0.1.5", "nowhere"))])

    with pytest.raises(errors.KernelError, match=r"add to nft set tke_eni pods: 10\.0\.1\.5") as caught:
        world.on_node(wrong)
    assert caught.value.errno == errno.ENOENT
    assert world.snapshot().eip_pods == frozenset()


def test_without_the_table_adding_fails_and_looking_finds_nothing(bare_world, elements):
    look = lambda: (elements.listed("pods"), elements.lookup("pods", "10.0.1.5"))  # noqa: E731

    assert bare_world.on_node(look) == ({}, None)
    with pytest.raises(errors.KernelError):
        bare_world.on_node(lambda: elements.apply([add("pods", Element("10.0.1.5", CHAINS[0]))]))


def test_thousands_of_elements_fit(world, elements):
    def fill_and_empty():
        many = [Element(ip, CHAINS[0]) for ip in addresses(3000)]
        elements.apply([add("pods", *many)])
        full = elements.listed("pods")
        elements.apply([delete("pods", *many)])
        return full, elements.listed("pods")

    assert world.on_node(fill_and_empty) == (dict.fromkeys(addresses(3000), CHAINS[0]), {})


def test_links_of_an_address_are_found_among_many(world, elements):
    def look():
        many = [Element(ip, ifindex=100 + n) for n, ip in enumerate(addresses(1000))]
        # An index whose bytes are those of an address.
        odd = Element("10.0.9.9", ifindex=int.from_bytes(ipaddress.IPv4Address("10.0.0.7").packed, "little"))
        elements.apply([add("pod_sources", *many, Element("10.0.0.7", ifindex=5), odd)])
        ips = ("10.0.0.7", "10.0.9.9", "10.0.9.8")
        return [elements.links_of("pod_sources", ip) for ip in ips], odd.ifindex

    found, odd = world.on_node(look)
    assert found == [{106, 5}, {odd}, set()]


def test_nft_prints_what_was_added(world, elements):
    world.on_node(lambda: elements.apply([add("pods", Element("10.0.1.5", CHAINS[1]))]))

    assert "10.0.1.5 : goto pod_0x2000000" in world.node.run("nft", "list", "map", "ip", "tke_eni", "pods")
