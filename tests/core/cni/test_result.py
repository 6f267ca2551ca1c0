import json

import pytest

from ipamd.core import errors
from ipamd.core.cni import errors as cni_errors
from ipamd.core.cni import netconf
from ipamd.core.cni import result as cni_result
from ipamd.core.cni.errors import SUPPORTED_VERSIONS, CniError, Code

MADE = cni_result.PodInterface(
    ifname="eth0",
    netns="/var/run/netns/cni-1",
    ip="10.0.1.5",
    pod_mac="0a:e1:0a:00:01:05",
    host_veth="eni0123456789a",
    host_mac="0a:e0:0a:00:01:05",
    mtu=1500,
)


@pytest.mark.parametrize("version", SUPPORTED_VERSIONS)
def test_a_result_has_the_form_of_its_version(version):
    result = json.loads(cni_result.encode(MADE, version))

    assert result["cniVersion"] == version
    host, pod = result["interfaces"]
    assert (host["name"], "sandbox" in host) == ("eni0123456789a", False)
    assert (pod["name"], pod["sandbox"]) == ("eth0", "/var/run/netns/cni-1")
    (address,) = result["ips"]
    assert (address["address"], address["gateway"]) == ("10.0.1.5/32", "169.254.1.1")
    assert result["interfaces"][address["interface"]] == pod
    assert result["routes"] == [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}]
    assert address.get("version") == ("4" if version < "1" else None)
    assert pod.get("mtu") == (1500 if version == "1.1.0" else None)


@pytest.mark.parametrize("version", [v for v in SUPPORTED_VERSIONS if v >= "0.4.0"])
def test_a_result_is_read_back_from_prev_result(version):
    conf = netconf.parse(
        json.dumps(
            {
                "cniVersion": version,
                "name": "tke-eni",
                "prevResult": json.loads(cni_result.encode(MADE, version)),
            }
        ).encode()
    )
    previous = cni_result.parse_previous(conf)

    assert previous.addresses == ("10.0.1.5",)
    assert [interface.mac for interface in previous.interfaces] == [MADE.host_mac, MADE.pod_mac]


def with_mtu(mtu):
    result = json.loads(cni_result.encode(MADE, "1.1.0"))
    result["interfaces"][1]["mtu"] = mtu
    return netconf.parse(
        json.dumps({"cniVersion": "1.1.0", "name": "tke-eni", "prevResult": result}).encode()
    )


@pytest.mark.parametrize("mtu", [0, 1500, 2**32 - 1])
def test_every_mtu_that_a_link_may_have_is_read_back(mtu):
    assert len(cni_result.parse_previous(with_mtu(mtu)).interfaces) == 2


@pytest.mark.parametrize("mtu", [-1, 2**32, True, "1500", 1.5])
def test_what_is_no_mtu_is_named(mtu):
    with pytest.raises(CniError, match="mtu of the configuration is not a number from 0 to 4294967295"):
        cni_result.parse_previous(with_mtu(mtu))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NetnsError("x"), Code.INVALID_NETNS),
        (errors.InvalidInputError("x"), Code.INVALID_POD),
        (errors.TryAgainError("x"), Code.TRY_AGAIN),
        (errors.KernelError("x", errno=1), Code.IO_FAILURE),
        (errors.IpamError("x"), Code.INTERNAL),
        (CniError(Code.DRIFTED, "x"), Code.DRIFTED),
    ],
)
def test_an_error_of_ours_gets_the_runtimes_code(error, code):
    assert cni_errors.from_error(error).code is code


def test_the_codes_are_those_that_runtimes_know():
    """People and runtimes read numbers: CNI specification ("Error"), its library's pkg/types, ours."""
    assert {code.name: int(code) for code in Code} == {
        "INCOMPATIBLE_VERSION": 1,
        "UNSUPPORTED_FIELD": 2,
        "UNKNOWN_CONTAINER": 3,
        "INVALID_ENVIRONMENT": 4,
        "IO_FAILURE": 5,
        "DECODING_FAILURE": 6,
        "INVALID_CONFIG": 7,
        "INVALID_NETNS": 8,
        "TRY_AGAIN": 11,
        "PLUGIN_NOT_AVAILABLE": 50,
        "LIMITED_CONNECTIVITY": 51,
        "INVALID_POD": 100,
        "DRIFTED": 101,
        "INTERNAL": 999,
    }


def test_an_error_object_carries_what_to_do_as_details():
    error = cni_errors.from_error(errors.TryAgainError("pool is empty", advice="wait"), version="0.4.0")

    assert json.loads(error.encoded()) == {
        "cniVersion": "0.4.0",
        "code": 11,
        "msg": "pool is empty",
        "details": "wait",
    }


def previous(*, addresses=("10.0.1.5",), interfaces=None):
    named = [("eni0123456789a", ""), ("eth0", "/run/netns/1")] if interfaces is None else interfaces
    return cni_result.PreviousResult(
        interfaces=tuple(
            cni_result.PreviousInterface(name=name, mac="", sandbox=sandbox) for name, sandbox in named
        ),
        addresses=tuple(addresses),
    )


def differences(result):
    return cni_result.differences("10.0.1.5", "eth0", "eni0123456789a", result)


def test_what_later_plugins_of_a_chain_have_added_is_no_difference():
    assert differences(previous()) == []
    assert differences(previous(addresses=["fd00::5", "10.0.1.5"])) == []
    assert (
        differences(previous(interfaces=[("eni0123456789a", ""), ("lo", "/n"), ("eth0", "/n"), ("br0", "")]))
        == []
    )
    assert differences(previous(addresses=[], interfaces=[])) == []


def test_what_the_result_says_otherwise_is_named():
    (address,) = differences(previous(addresses=["10.0.1.250"]))
    assert "10.0.1.250" in address
    assert "10.0.1.5" in address
    (inside,) = differences(previous(interfaces=[("eni0123456789a", ""), ("net1", "/n")]))
    assert "net1" in inside
    assert "eth0" in inside
    (outside,) = differences(previous(interfaces=[("eth0", "/n")]))
    assert "no interface" in outside
    assert "eni0123456789a" in outside


def test_an_interface_in_the_sandbox_is_found_by_its_name_the_last_of_several():
    told = previous(
        interfaces=[
            ("eth0", "/run/netns/1"),
            ("net1", "/run/netns/1"),
            ("eth0", "/run/netns/2"),
            ("eth0", ""),
        ]
    )

    assert told.inside("eth0").sandbox == "/run/netns/2"
    assert told.inside("net1").name == "net1"
    assert told.inside("eth9") is None
