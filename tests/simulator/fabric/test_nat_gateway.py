"""NAT gateway against EIP: which one a packet leaves by.

Source: "Adjusting the Priorities of NAT Gateways and EIPs" in the NAT gateway documentation.
"""

import socket

import pytest

from simulator.fabric import netns

pytestmark = pytest.mark.netns

EIP, NAT, NAT_2 = "198.18.0.1", "198.18.9.1", "198.18.9.2"
HOST, OTHER_HOST = "203.0.113.10", "203.0.113.20"
ALL = "0.0.0.0/0"


@pytest.fixture
def vpc(lab):
    """A CVM with an EIP and one without."""
    lab.reporter(lab.internet)
    lab.fabric.add_nat_gateway("nat-1", NAT)
    lab.fabric.add_nat_gateway("nat-2", NAT_2)
    lab.with_eip, lab.without = lab.cvm(10), lab.cvm(20)
    lab.reporter(lab.with_eip.netns)
    lab.fabric.bind_eip(EIP, lab.with_eip.ip)
    return lab


def _seen(vpc, host=HOST):
    return vpc.tcp_source(vpc.with_eip.netns, host), vpc.tcp_source(vpc.without.netns, host)


@pytest.mark.parametrize(
    ("routes", "with_eip", "without"),
    [
        pytest.param([], EIP, "", id="no route"),
        pytest.param([(ALL, "NAT", "nat-1")], NAT, NAT, id="NAT wins over the EIP"),
        pytest.param([(ALL, "NAT", "nat-1"), (ALL, "EIP", "0")], EIP, NAT, id="EIP route wins for EIPs"),
        pytest.param([(ALL, "EIP", "0")], EIP, "", id="EIP route alone"),
        pytest.param(
            [(ALL, "EIP", "0"), ("203.0.113.0/24", "NAT", "nat-1")], NAT, NAT, id="more specific NAT"
        ),
        pytest.param(
            [(ALL, "NAT", "nat-1"), ("203.0.113.0/24", "EIP", "0")], EIP, NAT, id="more specific EIP"
        ),
        pytest.param(
            [(ALL, "NAT", "nat-1"), (f"{HOST}/32", "NAT", "nat-2")], NAT_2, NAT_2, id="two NAT gateways"
        ),
        pytest.param([(ALL, "NAT", "nat-gone")], "", "", id="NAT gateway that does not exist"),
        pytest.param([(ALL, "NAT", "nat-1"), (f"{HOST}/32", "CCN", "ccn-1")], "", "", id="other gateway"),
    ],
)
def test_the_way_out_is_the_one_of_the_route_table(vpc, routes, with_eip, without):
    vpc.routes(*routes)

    assert _seen(vpc) == (with_eip, without)


def test_all_protocols_pass_the_nat_gateway(vpc):
    vpc.routes((ALL, "NAT", "nat-1"))

    assert vpc.udp_source(vpc.without.netns, OTHER_HOST) == NAT
    assert vpc.ping(vpc.without.netns, HOST)


def test_answers_to_the_internet_leave_by_the_eip_even_behind_a_nat_gateway(vpc):
    vpc.routes((ALL, "NAT", "nat-1"))

    assert vpc.tcp_source(vpc.internet, EIP, bind=OTHER_HOST) == OTHER_HOST
    assert vpc.udp_source(vpc.internet, EIP, bind=OTHER_HOST) == OTHER_HOST
    assert vpc.ping(vpc.internet, EIP)
    assert vpc.tcp_source(vpc.without.netns, EIP) == NAT, "from inside, around by the internet"


@pytest.mark.parametrize("routes", [[(ALL, "NAT", "nat-1")], [(ALL, "NAT", "nat-1"), (ALL, "EIP", "0")]])
def test_unbind_cuts_what_came_in_through_the_eip_behind_a_nat_gateway(vpc, routes):
    vpc.routes(*routes)
    with netns.listening_socket(vpc.with_eip.netns, "0.0.0.0", 9000) as listener:
        client = netns.run_in(vpc.internet, lambda: socket.create_connection((EIP, 9000), 2))
        server, _ = listener.accept()
        with client, server:
            client.settimeout(0.4)
            server.sendall(b"before")
            assert client.recv(16) == b"before"

            vpc.fabric.unbind_eip(EIP)

            server.sendall(b"after")
            with pytest.raises(TimeoutError):
                client.recv(16)


def test_icmp_errors_come_back_through_the_nat_gateway_and_the_eip(vpc):
    for routes in ([(ALL, "NAT", "nat-1")], [(ALL, "NAT", "nat-1"), (ALL, "EIP", "0")]):
        vpc.routes(*routes)
        for cvm in (vpc.with_eip, vpc.without):
            assert netns.run_in(cvm.netns, lambda: _refused(HOST, 9)), routes
        assert netns.run_in(vpc.internet, lambda: _refused(EIP, 9)), routes


def test_nobody_reaches_the_address_of_a_nat_gateway_from_outside(vpc):
    vpc.routes((ALL, "NAT", "nat-1"))

    assert vpc.tcp_source(vpc.internet, NAT) == ""
    assert not vpc.ping(vpc.internet, NAT)


def test_a_route_table_belongs_to_its_subnet(vpc):
    vpc.routes((ALL, "NAT", "nat-1"))
    other = vpc.cvm(30, subnet_cidr="10.0.2.0/24", gateway="10.0.2.1", primary_ip="10.0.2.30")
    vpc.fabric.bind_eip("198.18.0.3", other.ip)

    assert vpc.tcp_source(other.netns, HOST) == "198.18.0.3"
    assert _seen(vpc) == (NAT, NAT)


def test_a_route_is_taken_back_as_it_was_set(vpc):
    vpc.routes((ALL, "NAT", "nat-1"))
    vpc.routes()

    assert _seen(vpc) == (EIP, "")


def test_private_traffic_passes_no_gateway(vpc):
    vpc.routes((ALL, "NAT", "nat-1"))

    assert vpc.tcp_source(vpc.without.netns, vpc.with_eip.ip) == vpc.without.ip


def test_a_nat_gateway_that_gets_another_address_uses_it(vpc):
    vpc.routes((ALL, "NAT", "nat-1"))

    vpc.fabric.add_nat_gateway("nat-1", "198.18.9.3")

    assert _seen(vpc) == ("198.18.9.3", "198.18.9.3")


def _refused(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.4)
        client.connect((host, port))
        client.send(b"anybody there?")
        try:
            client.recv(16)
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
    return False
