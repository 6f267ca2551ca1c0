"""Whom the outside sees, from where and with which source a Pod's packet leaves the node."""

from dataclasses import replace

import pytest

from ipamd.core.eip.way_out import SeenAs, WayFacts, seen

POD, NODE, EIP = "10.0.1.7", "10.0.1.2", "119.29.128.201"
BY_ENI = WayFacts(
    source=POD, link="eth1", pod_ip=POD, pod_link="eth1", primary_link="eth0", node_ip=NODE, eip=EIP
)
BY_NODE = replace(BY_ENI, link="eth0", source=NODE, eip="")


@pytest.mark.parametrize(
    ("facts", "seen_as", "address", "words"),
    [
        (BY_ENI, SeenAs.EIP, EIP, "the internet sees the Pod's EIP"),
        (replace(BY_ENI, to_vpc=True), SeenAs.POD, POD, "the VPC sees the Pod's own address"),
        (replace(BY_ENI, eip=""), SeenAs.UNKNOWN, "", "has no EIP"),
        (replace(BY_ENI, nat_gateway="route 0.0.0.0/0"), SeenAs.UNKNOWN, "", "NAT gateway, not the EIP"),
        (replace(BY_ENI, source=NODE), SeenAs.NOBODY, "", "masquerades in front of ours"),
        (BY_NODE, SeenAs.NODE, "", "the internet sees the node (10.0.1.2)"),
        (replace(BY_NODE, eip=EIP), SeenAs.NODE, "", "not its EIP"),
        (replace(BY_NODE, to_vpc=True), SeenAs.NODE, NODE, "the VPC sees the node's address"),
        (replace(BY_NODE, source=POD), SeenAs.NOBODY, "", "nothing masquerades it"),
        (replace(BY_NODE, link="docker0", source=POD), SeenAs.UNKNOWN, POD, "docker0"),
        (replace(BY_ENI, stays=True), SeenAs.POD, POD, "stays on the node"),
        (replace(BY_ENI, stays=True, source=NODE), SeenAs.NODE, NODE, "the node's address"),
        (replace(BY_ENI, dropped="ip_forward is 0"), SeenAs.NOBODY, "", "the node drops it: ip_forward is 0"),
    ],
)
def test_who_is_seen_follows_from_link_and_source(facts, seen_as, address, words):
    way = seen(facts)

    assert (way.seen_as, way.address) == (seen_as, address)
    assert words in way.verdict


@pytest.mark.parametrize("changes", [{}, {"to_vpc": True}, {"to_vpc": True, "eip": EIP}])
def test_an_eip_is_missed_only_where_it_would_be_seen(changes):
    assert "EIP" not in seen(replace(BY_NODE, **changes)).verdict
