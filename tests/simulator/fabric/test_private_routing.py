"""Packets inside the VPC: between CVMs, to secondary addresses, to the services, and nowhere else."""

import functools
import itertools
import socket
import statistics
import subprocess
import threading
import time

import pytest

from simulator.fabric import netns

pytestmark = pytest.mark.netns


def test_two_cvms_talk_with_their_private_addresses(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.reporter(b.netns)

    assert lab.tcp_source(a.netns, b.ip) == a.ip
    assert lab.udp_source(a.netns, b.ip) == a.ip
    assert lab.ping(a.netns, b.ip)


def test_neighbours_are_found_without_the_kernel_s_proxy_delay(lab):
    """It is up to 0.8 s, at random; of so many first packets half are quicker on a busy machine too."""
    cvms = [lab.cvm(number) for number in (10, 20, 30, 40)]

    def seconds(one, other):
        start = time.monotonic()
        assert lab.ping(one.netns, other.ip)
        return time.monotonic() - start

    assert statistics.median(seconds(*pair) for pair in itertools.permutations(cvms, 2)) < 0.15


def test_a_secondary_address_needs_no_address_on_the_link(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.fabric.attach_eni(lab.port(11, a.instance_id, device_index=1))
    lab.fabric.add_ip("eni-00000011", "10.0.1.50")
    lab.own_address(a, "10.0.1.50", link="eth1")
    lab.reporter(a.netns)
    lab.reporter(b.netns)

    assert lab.tcp_source(b.netns, "10.0.1.50") == b.ip
    assert lab.tcp_source(a.netns, b.ip, bind="10.0.1.50") == "10.0.1.50"


def test_the_router_never_asks_the_cvm_by_arp_who_has_an_address(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.fabric.add_ip(b.eni_id, "10.0.1.50")
    subprocess.run(["ip", "-netns", b.netns, "route", "add", "local", "10.0.1.50", "dev", "lo"], check=True)
    # A CVM that answers no ARP at all for its addresses still gets their packets.
    netns.run_in(b.netns, lambda: netns.write_sysctls({"net.ipv4.conf.eth0.arp_ignore": "8"}))

    assert lab.ping(a.netns, "10.0.1.50")
    assert lab.ping(a.netns, b.ip)


def test_a_pod_behind_the_cvm_is_reached(lab, fabric):
    """The layout of the product: a Pod's namespace behind a veth, its address assigned to the ENI."""
    a, b = lab.cvm(10), lab.cvm(20)
    fabric.add_instance("pod")
    pod = fabric.netns_of("pod")
    fabric.add_ip(a.eni_id, "10.0.1.60")
    for command in (
        f"-n {a.netns} link add pod0 type veth peer name eth0 netns {pod}",
        f"-n {a.netns} link set pod0 up",
        f"-n {a.netns} route add 10.0.1.60 dev pod0",
        f"-n {pod} link set eth0 up",
        f"-n {pod} address add 10.0.1.60/32 dev eth0",
        f"-n {pod} route add default dev eth0",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    node = {"net.ipv4.ip_forward": "1", "net.ipv4.conf.pod0.proxy_arp": "1"}
    netns.run_in(a.netns, lambda: netns.write_sysctls({**node, "net.ipv4.neigh.pod0.proxy_delay": "0"}))
    lab.reporter(pod)
    lab.reporter(b.netns)

    assert lab.tcp_source(b.netns, "10.0.1.60") == b.ip
    assert lab.tcp_source(pod, b.ip) == "10.0.1.60"


def test_two_subnets_are_routed(lab):
    a = lab.cvm(10)
    b = lab.cvm(20, subnet_cidr="10.0.2.0/24", gateway="10.0.2.1", primary_ip="10.0.2.20")
    lab.reporter(b.netns)

    assert lab.tcp_source(a.netns, "10.0.2.20") == a.ip


def test_an_address_that_nobody_has_is_nowhere(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.reporter(b.netns)
    lab.fabric.add_ip(b.eni_id, "10.0.1.50")
    subprocess.run(["ip", "-netns", b.netns, "route", "add", "local", "10.0.1.50", "dev", "lo"], check=True)
    assert lab.udp_source(a.netns, "10.0.1.50") == "10.0.1.10"

    lab.fabric.remove_ip(b.eni_id, "10.0.1.50")

    assert not lab.ping(a.netns, "10.0.1.50")
    assert not lab.ping(a.netns, "10.0.77.77"), "not even in a subnet without CVMs"


@pytest.mark.parametrize("service", ["169.254.0.23", "169.254.0.95", "169.254.128.1"])
def test_the_services_of_the_region_are_reached_by_the_default_route(lab, fabric, service):
    cvm = lab.cvm(10)
    with fabric.service_socket(service, 80) as listener:
        lab.fabric.add_ip(cvm.eni_id, "10.0.1.50")
        subprocess.run(["ip", "-netns", cvm.netns, "addr", "add", "10.0.1.50/32", "dev", "lo"], check=True)

        client = netns.run_in(cvm.netns, lambda: _connect(service, "10.0.1.50"))
        with client:
            connection, peer = listener.accept()
            connection.close()

    assert peer[0] == "10.0.1.50"


def test_a_large_transfer_survives_segmentation_offload(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.fabric.bind_eip("198.18.0.1", a.ip)
    lab.fabric.bind_eip("198.18.0.2", b.ip)

    for target in (b.ip, "198.18.0.2"):
        with netns.listening_socket(b.netns, "0.0.0.0", 9000) as listener:
            sent = netns.run_in(a.netns, functools.partial(_connect, target, a.ip, 9000))
            received, _ = listener.accept()
            with sent, received:
                assert _transfer(sent, received, 20 << 20) == 20 << 20


def _connect(to, source, port=80):
    return socket.create_connection((to, port), 2, source_address=(source, 0))


def _send(sender, size):
    sender.sendall(bytes(size))
    sender.close()


def _transfer(sender, receiver, size):
    thread = threading.Thread(target=_send, args=(sender, size))
    thread.start()
    total = 0
    while data := receiver.recv(1 << 20):
        total += len(data)
    thread.join()
    return total
