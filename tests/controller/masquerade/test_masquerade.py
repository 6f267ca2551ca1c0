"""NonMasqueradeSrcCIDRs of ip-masq-agent follows the Pods with EIP, and nothing else changes in it."""

import json
import time
from typing import Any

import pytest

from ipamd.core.eip.masquerade import OURS, MasqueradeMode
from ipamd.core.timing.deadline import Deadline
from ipamd.kube import errors
from ipamd.kube.resources import CONFIGMAPS
from simulator.cloud import InstanceOrder

CONFIG = {
    "NonMasqueradeCIDRs": ["172.16.0.0/16"],
    "NonMasqueradeSrcCIDRs": ["10.9.0.0/24"],
    "MasqLinkLocal": True,
    "ResyncInterval": "1m0s",
}
WHERE = ("ip-masq-agent-config", "kube-system")


@pytest.fixture
def ports(world):
    """Addresses of an ENI that EIPs may be bound to."""
    world.region.create_instance(InstanceOrder(instance_type="S5.4XLARGE32"))
    (eni,) = world.region.snapshot()["enis"].values()

    def assign(replica, count):
        soon = Deadline.after(10, time.monotonic)
        ips = replica.cloud.assign_ips(eni["eni_id"], count, "token", soon)
        return [{"eni_id": eni["eni_id"], "ip": ip} for ip in ips]

    return assign


def create(world, text):
    body = {"metadata": {"name": WHERE[0], "namespace": WHERE[1], "labels": {"team": "net"}}}
    world.client.create(CONFIGMAPS, {**body, "data": {"config": text, "other": "x"}})


def write(world, text):
    world.client.patch(CONFIGMAPS, WHERE[0], {"data": {"config": text}}, WHERE[1])


def config_map(world) -> dict[str, Any]:
    return dict(world.client.get(CONFIGMAPS, *WHERE))


def entries(world):
    return json.loads(config_map(world)["data"]["config"])["NonMasqueradeSrcCIDRs"]


def writes(world, replica):
    return world.kube.traffic.count(verb="patch", resource="configmaps", user_agent=replica.name)


def bind_pod(world, port, name):
    world.create_pod(name)
    world.wait_provisioned(name)
    world.bind(name, **port)


def complaints(world):
    return [event["message"] for event in world.events("InvalidIPMasqAgentConfig")]


def test_entries_come_with_the_binding_and_go_with_it_and_the_rest_stays(world, ports):
    create(world, json.dumps(CONFIG))
    replica = world.start_controller(ip_masq_agent_config=MasqueradeMode.KEEP)
    pods = ports(replica, 3)
    for number, port in enumerate(pods):
        bind_pod(world, port, f"web-{number}")

    ours = [f"{port['ip']}/32" for port in pods]
    world.wait(lambda: set(entries(world)) == {"10.9.0.0/24", *ours})
    # One for each Pod would be three; a burst is one, or two when it began just before a round.
    assert writes(world, replica) <= 2
    assert set(config_map(world)["metadata"]["annotations"][OURS].split(",")) == set(ours)

    world.remove_pod("web-0")
    world.unbind("web-0")

    world.wait(lambda: set(entries(world)) == {"10.9.0.0/24", *ours[1:]})
    left = config_map(world)
    assert left["metadata"]["labels"] == {"team": "net"}
    assert left["data"]["other"] == "x"
    assert {**json.loads(left["data"]["config"]), "NonMasqueradeSrcCIDRs": ["10.9.0.0/24"]} == CONFIG


def test_what_somebody_takes_out_comes_back_and_what_they_add_stays(world, ports):
    create(world, json.dumps(CONFIG))
    replica = world.start_controller(ip_masq_agent_config=MasqueradeMode.KEEP)
    [port] = ports(replica, 1)
    bind_pod(world, port, "web-0")
    world.wait(lambda: len(entries(world)) == 2)

    write(world, json.dumps({**CONFIG, "NonMasqueradeSrcCIDRs": ["192.168.7.0/24"]}))

    world.wait(lambda: entries(world) == ["192.168.7.0/24", f"{port['ip']}/32"])


def test_what_somebody_took_out_is_ours_no_more_once_its_pod_is_gone_too(world, ports):
    create(world, json.dumps(CONFIG))
    replica = world.start_controller(ip_masq_agent_config=MasqueradeMode.KEEP)
    [port] = ports(replica, 1)
    bind_pod(world, port, "web-0")
    world.wait(lambda: len(entries(world)) == 2)
    world.stop_controller(replica)
    write(world, json.dumps(CONFIG))
    elsewhere = world.start_controller(ip_masq_agent_config=MasqueradeMode.OFF)
    world.unbind("web-0")
    world.stop_controller(elsewhere)
    assert config_map(world)["metadata"]["annotations"][OURS]

    world.start_controller(ip_masq_agent_config=MasqueradeMode.KEEP)

    world.wait(lambda: OURS not in config_map(world)["metadata"].get("annotations", {}))
    assert entries(world) == ["10.9.0.0/24"]


def test_a_broken_configuration_is_told_once_and_left_alone_until_it_is_mended(world, ports):
    create(world, '{"NonMasqueradeCIDRs": [')
    replica = world.start_controller(ip_masq_agent_config=MasqueradeMode.KEEP)
    [port] = ports(replica, 1)
    bind_pod(world, port, "web-0")

    world.wait(lambda: complaints(world))
    assert "kube-system/ip-masq-agent-config" in complaints(world)[0]
    assert config_map(world)["data"]["config"] == '{"NonMasqueradeCIDRs": ['

    write(world, json.dumps(CONFIG))

    world.wait(lambda: entries(world) == ["10.9.0.0/24", f"{port['ip']}/32"])
    assert len(complaints(world)) == 1


def test_a_config_map_that_does_not_exist_is_told_and_not_made(world, ports):
    replica = world.start_controller(ip_masq_agent_config=MasqueradeMode.KEEP)
    [port] = ports(replica, 1)
    bind_pod(world, port, "web-0")

    world.wait(lambda: complaints(world))
    assert "does not exist" in complaints(world)[0]
    with pytest.raises(errors.NotFoundError):
        config_map(world)

    create(world, json.dumps(CONFIG))

    world.wait(lambda: f"{port['ip']}/32" in entries(world))


def test_clear_takes_out_what_keep_has_put_in(world, ports):
    create(world, json.dumps(CONFIG))
    replica = world.start_controller(ip_masq_agent_config=MasqueradeMode.KEEP)
    [port] = ports(replica, 1)
    bind_pod(world, port, "web-0")
    world.wait(lambda: len(entries(world)) == 2)
    world.stop_controller(replica)

    world.start_controller(ip_masq_agent_config=MasqueradeMode.CLEAR)

    world.wait(lambda: entries(world) == ["10.9.0.0/24"])
    assert OURS not in config_map(world)["metadata"].get("annotations", {})


def test_off_asks_for_nothing(world, ports):
    create(world, json.dumps(CONFIG))
    replica = world.start_controller()
    [port] = ports(replica, 1)
    bind_pod(world, port, "web-0")

    # By get it asks for another one, with the switch that stops releases.
    for verb in ("list", "watch", "patch"):
        assert world.kube.traffic.count(verb=verb, resource="configmaps", user_agent=replica.name) == 0
