"""Security groups: who may connect to an ENI, and that answers to its own connections come through."""

import pytest

pytestmark = pytest.mark.netns


def reaches(lab, client, server):
    return (
        lab.tcp_source(client.netns, server.ip) == client.ip,
        lab.udp_source(client.netns, server.ip) == client.ip,
        lab.ping(client.netns, server.ip),
    )


def test_only_those_connect_who_are_let_in(lab):
    friend, stranger, server = lab.cvm(10), lab.cvm(20), lab.cvm(30)
    for cvm in (friend, server):
        lab.reporter(cvm.netns)

    lab.fabric.set_ingress(server.eni_id, [f"{friend.ip}/32"])

    assert reaches(lab, friend, server) == (True, True, True)
    assert reaches(lab, stranger, server) == (False, False, False)
    assert lab.tcp_source(server.netns, friend.ip) == server.ip


def test_nobody_connects_where_nothing_is_let_in_and_everybody_once_all_is(lab):
    client, server = lab.cvm(10), lab.cvm(30)
    lab.reporter(server.netns)
    lab.fabric.set_ingress(server.eni_id, [])
    assert reaches(lab, client, server) == (False, False, False)

    lab.fabric.set_ingress(server.eni_id, None)

    assert reaches(lab, client, server) == (True, True, True)


def test_an_eni_that_is_detached_takes_its_filter_along(lab):
    client, server = lab.cvm(10), lab.cvm(30)
    lab.fabric.set_ingress(server.eni_id, [])
    lab.fabric.detach_eni(server.eni_id)
    lab.fabric.attach_eni(lab.port(30, server.instance_id, device_index=1))
    lab.own_address(server, server.ip, link="eth1")
    lab.reporter(server.netns)

    assert lab.tcp_source(client.netns, server.ip) == client.ip
