"""The VPC drops what an ENI must not send, and counts it."""

import subprocess

import pytest

pytestmark = pytest.mark.netns


def _ip(netns, *arguments):
    subprocess.run(["ip", "-netns", netns, *arguments], check=True)


def test_an_address_that_is_not_assigned_is_dropped_and_counted_for_its_eni(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.reporter(b.netns)
    _ip(a.netns, "address", "add", "10.0.1.99/32", "dev", "lo")

    assert lab.udp_source(a.netns, b.ip, bind="10.0.1.99") == ""

    assert lab.fabric.spoof_drops() == {a.eni_id: 1, b.eni_id: 0}


def test_the_same_address_passes_while_it_is_assigned(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.reporter(b.netns)
    _ip(a.netns, "address", "add", "10.0.1.99/32", "dev", "lo")

    lab.fabric.add_ip(a.eni_id, "10.0.1.99")
    assert lab.udp_source(a.netns, b.ip, bind="10.0.1.99") == "10.0.1.99"

    lab.fabric.remove_ip(a.eni_id, "10.0.1.99")
    assert lab.udp_source(a.netns, b.ip, bind="10.0.1.99") == ""
    assert lab.fabric.spoof_drops()[a.eni_id] == 1


def test_an_address_of_another_eni_of_the_same_cvm_is_dropped(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.reporter(b.netns)
    lab.fabric.attach_eni(lab.port(11, a.instance_id, device_index=1))
    _ip(a.netns, "address", "add", "10.0.1.11/32", "dev", "lo")

    assert lab.udp_source(a.netns, b.ip, bind="10.0.1.11") == "", "it left through the primary ENI"

    assert lab.fabric.spoof_drops()[a.eni_id] == 1


def test_a_frame_with_another_mac_is_dropped(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.reporter(b.netns)
    assert lab.udp_source(a.netns, b.ip) == a.ip

    _ip(a.netns, "link", "set", "eth0", "address", "52:54:00:ff:ff:ff")

    assert lab.udp_source(a.netns, b.ip) == ""
    assert lab.fabric.spoof_drops()[a.eni_id] >= 1


def test_arp_with_another_mac_does_not_redirect_the_owner_s_packets(lab):
    a, b, c = lab.cvm(10), lab.cvm(20), lab.cvm(30)
    lab.reporter(b.netns)
    # c claims the address of b: its kernel asks for the gateway with b's address as sender.
    _ip(c.netns, "address", "add", "10.0.1.20/32", "dev", "lo")
    lab.udp_source(c.netns, "10.0.1.1", bind="10.0.1.20")

    assert lab.tcp_source(a.netns, b.ip) == a.ip
