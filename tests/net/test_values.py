from typing import Any

import pytest

from ipamd.core import errors
from ipamd.net.model import DataPlaneConfig, PodWiring, Ranges, checked_mac

GOOD: dict[str, Any] = {
    "netns_path": "/run/netns/x",
    "ifname": "eth0",
    "ip": "10.0.1.100",
    "host_veth": "eni0123456789a",
    "host_mac": "0a:e2:01:02:03:04",
    "eni_mark": 0x2000000,
    "mtu": 1500,
    "eip": False,
}


def test_a_usual_pod_is_accepted():
    assert PodWiring(**GOOD).ip == "10.0.1.100"


@pytest.mark.parametrize(
    "changes",
    [
        {"ip": "10.0.1.100/32"},
        {"ip": "10.0.1"},
        {"ip": "224.0.0.1"},
        {"ip": "127.0.0.1"},
        {"ip": "0.0.0.0"},
        {"ip": "fe80::1"},
        {"ip": "010.0.0.1"},
        {"host_veth": "eth0"},
        {"host_veth": "eni0123456789a; reboot"},
        {"host_veth": "../../eni0123456"},
        {"host_mac": ""},
        {"host_mac": "20:90:6f:00:00:10"},
        {"host_mac": "0a:e3:01:02:03:04"},
        {"host_mac": "0a:e2:01:02:03:04:05"},
        {"ifname": ""},
        {"ifname": "lo"},
        {"ifname": ".."},
        {"ifname": "a/b"},
        {"ifname": "eth0:1"},
        {"ifname": "eth 0"},
        {"ifname": "eth%d\n"},
        {"ifname": "x" * 16},
        {"ifname": "é" * 8},
        {"mtu": 67},
        {"mtu": 65536},
        {"eni_mark": 0},
        {"alias": "a\0b"},
        {"alias": "x" * 256},
    ],
)
def test_hostile_values_are_refused_before_anything_is_done(changes):
    with pytest.raises(errors.InvalidInputError) as caught:
        PodWiring(**{**GOOD, **changes})

    assert "allowed" in str(caught.value)


@pytest.mark.parametrize("mac", ["", "20:90:6f", "20:90:6f:00:00:1g", "209090906f00", "20:90:6f:00:00:11:22"])
def test_hostile_macs_are_refused(mac):
    with pytest.raises(errors.InvalidInputError, match="MAC"):
        checked_mac(mac)


@pytest.mark.parametrize("cidrs", [("10.0.0.1/16",), ("x",), ("fe80::/64",), ("10.0.0.0/33",)])
def test_hostile_cidrs_are_refused(cidrs):
    with pytest.raises(errors.InvalidInputError, match="ranges of Pods are"):
        Ranges(cidrs)
    with pytest.raises(errors.InvalidInputError, match="ranges of Pods are"):
        Ranges((), cidrs)


@pytest.mark.parametrize(
    "changes",
    [
        {"mark_mask": 0xFFFF},
        {"link_wait": -1},
        {"link_wait": 601},
        {"closed_to_pods": frozenset({"metadata.tencentyun.com"})},
        {"closed_to_pods": frozenset({"127.0.0.1"})},
    ],
)
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(errors.InvalidInputError):
        DataPlaneConfig(**changes)
