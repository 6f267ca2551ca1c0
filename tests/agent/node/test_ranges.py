"""Where Pods go with their own address: read again while the agent runs, kept while nobody answers."""

import json
import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"
SERVICE_CIDRS = "/apis/networking.k8s.io/v1/servicecidrs"
NAME = "ip-masq-agent-config"


def configuration(*cidrs):
    return {"config": json.dumps({"NonMasqueradeCIDRs": cidrs, "MasqLinkLocal": True})}


def elements(node, name):
    listed = node.on_node("nft", "list", "set", "ip", "tke_eni", name)
    return set(re.findall(r"[0-9.]+/[0-9]+", listed))


def stores(node):
    """Return the files of the store: what was written last may still be in its log."""
    return node.store.parent.glob("ipamd.db*")


def write(node, *cidrs):
    node.kube.post(CONFIG_MAPS, {"metadata": {"name": NAME}, "data": configuration(*cidrs)})


def publish(node, name, *cidrs):
    node.kube.post(SERVICE_CIDRS, {"metadata": {"name": name}, "spec": {"cidrs": cidrs}})


def becomes(node, name, *cidrs, seconds=15):
    node.eventually(f"{name} is {cidrs}", lambda: elements(node, name) == set(cidrs), seconds=seconds)


def test_what_ip_masq_agent_leaves_alone_is_followed(own_node):
    node = own_node
    node.begin("--repair-interval=1h")
    becomes(node, "unmasqueraded_cidrs", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")

    write(node, "10.0.0.0/16", "10.8.0.0/16")
    becomes(node, "unmasqueraded_cidrs", "10.0.0.0/16", "10.8.0.0/16")

    node.kube.merge_patch(f"{CONFIG_MAPS}/{NAME}", {"data": configuration("10.9.0.0/16")})
    becomes(node, "unmasqueraded_cidrs", "10.9.0.0/16")

    node.kube.merge_patch(f"{CONFIG_MAPS}/{NAME}", {"data": {"config": "NonMasqueradeCIDRs: [10.9.0.0/33]"}})
    node.eventually("the notice", lambda: "--direct-cidrs" in " ".join(node.status()["notices"]))
    assert "10.9.0.0/33" in " ".join(node.status()["notices"])
    assert elements(node, "unmasqueraded_cidrs") == {"10.9.0.0/16"}
    assert not node.status()["problems"]

    node.kube.merge_patch(f"{CONFIG_MAPS}/{NAME}", {"data": {"config": "NonMasqueradeCIDRs: [10.7.0.0/16]"}})
    becomes(node, "unmasqueraded_cidrs", "10.7.0.0/16", "169.254.0.0/16")


def test_the_service_cidrs_of_the_api_server_are_direct(own_node):
    node = own_node
    node.begin("--direct-cidrs=10.8.0.0/16")
    vpc = set(node.region["vpc_cidrs"])
    becomes(node, "direct_cidrs", "10.8.0.0/16", *vpc)
    assert "--service-cidrs" in " ".join(node.status()["notices"])

    publish(node, "kubernetes", "172.16.252.0/22", "fd00::/112")
    becomes(node, "direct_cidrs", "10.8.0.0/16", "172.16.252.0/22", *vpc)
    publish(node, "more", "172.20.0.0/20")
    becomes(node, "direct_cidrs", "10.8.0.0/16", "172.16.252.0/22", "172.20.0.0/20", *vpc)
    assert node.status()["notices"] == []


def test_a_range_that_the_vpc_gets_later_is_direct_and_one_that_it_loses_is_not(own_node):
    node = own_node
    node.begin()
    vpc = set(node.region["vpc_cidrs"])
    node.admin.post("/vpc", {"assistant_cidrs": ["10.77.0.0/16"]})
    node.eventually("direct", lambda: elements(node, "direct_cidrs") == {*vpc, "10.77.0.0/16"}, seconds=60)
    node.admin.post("/vpc", {"assistant_cidrs": []})
    node.eventually("direct no more", lambda: elements(node, "direct_cidrs") == vpc, seconds=60)


def test_an_api_server_without_service_cidrs_is_told_with_the_flag_that_helps(own_node):
    node = own_node
    node.begin()
    node.stop(node.agent)
    node.admin.post(
        "/kube/faults", {"kind": "status", "verb": "list", "resource": "servicecidrs", "code": 404}
    )
    node.start_again()
    node.eventually("the notice", lambda: "(list servicecidrs" in " ".join(node.status()["notices"]))
    assert "--service-cidrs" in " ".join(node.status()["notices"])
    told = lambda: node.log().count("the Service CIDR is not known (list servicecidrs")  # noqa: E731
    node.eventually("it is logged", told)
    assert told() == 1

    node.stop(node.agent)
    node.options.append("--service-cidrs=172.16.252.0/22")
    node.start_again()
    assert "172.16.252.0/22" in elements(node, "direct_cidrs")
    assert node.status()["notices"] == []


def test_ranges_are_remembered_while_the_api_server_is_away(own_node):
    node = own_node
    node.begin()
    write(node, "10.8.0.0/16")
    publish(node, "kubernetes", "172.16.252.0/22")
    becomes(node, "unmasqueraded_cidrs", "10.8.0.0/16", seconds=60)
    becomes(node, "direct_cidrs", "172.16.252.0/22", *node.region["vpc_cidrs"])
    node.eventually("kept", lambda: b"10.8.0.0/16" in b"".join(map(Path.read_bytes, stores(node))))
    node.stop(node.agent)
    node.on_node("nft", "flush", "set", "ip", "tke_eni", "unmasqueraded_cidrs")
    node.on_node("nft", "flush", "set", "ip", "tke_eni", "direct_cidrs")
    node.admin.post("/kube/faults", {"kind": "refuse"})
    node.start_agent(options=node.options)

    becomes(node, "unmasqueraded_cidrs", "10.8.0.0/16", seconds=60)
    becomes(node, "direct_cidrs", "172.16.252.0/22", *node.region["vpc_cidrs"])
