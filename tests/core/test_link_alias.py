"""What stands beside a link tells its sandbox, however long the names are and whoever wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import link_alias
from ipamd.core.link_alias import LinkAlias
from ipamd.core.model import PodRef, SandboxKey

KEY = SandboxKey(container_id="ab" * 32, ifname="eth0")
UID = "11111111-2222-3333-4444-555555555555"


def alias(*, name="web-0", network="tke-eni", key=KEY, uid=UID, ips=("10.0.1.10",)):
    pod = PodRef(namespace="default", name=name, uid=uid)
    return LinkAlias(key=key, network=network, pod=pod, uid=uid, ips=ips)


def test_owner_and_addresses_are_written_in_one_line():
    assert alias().encode() == f"tke-eni {KEY.container_id} eth0 default/web-0 {UID} 10.0.1.10"


@given(
    container=st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}", fullmatch=True),
    network=st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}", fullmatch=True),
    name=st.from_regex(r"[a-z0-9.-]{1,253}", fullmatch=True),
    uid=st.from_regex(r"([a-zA-Z0-9][a-zA-Z0-9-]{0,127})?", fullmatch=True),
    ips=st.lists(st.ip_addresses().map(str), max_size=2).map(tuple),
)
def test_sandbox_is_read_back_whatever_had_to_make_room(container, network, name, uid, ips):
    written = alias(
        key=SandboxKey(container_id=container, ifname="eth0"), network=network, name=name, uid=uid, ips=ips
    )
    text = written.encode()

    assert len(text.encode()) <= 255
    found = link_alias.parse(text)
    if found is None:
        assert len(f"- {container} eth0 - - {','.join(ips) or '-'}") > 255
    else:
        assert (found.key, found.ips) == (written.key, ips)
        assert found.uid in (uid, "")
        assert found.pod in (written.pod, None)
        assert found.network in (network, "")


def test_name_of_the_pod_makes_room_first_then_the_network():
    assert alias(name="a" * 200).encode() == f"tke-eni {KEY.container_id} eth0 - {UID} 10.0.1.10"
    assert alias(network="n" * 200).encode() == f"- {KEY.container_id} eth0 - {UID} 10.0.1.10"


def test_alias_of_an_earlier_release_tells_all_but_the_address():
    assert link_alias.parse(f"tke-eni {KEY.container_id} eth0 default/web-0 {UID}") == alias(ips=())
    assert link_alias.parse(f"tke-eni {KEY.container_id} eth0 default/web-0 ") == alias(ips=(), uid="")


@pytest.mark.parametrize(
    "text",
    ["", "-", "tke-eni c eth0 default/web-0", "tke-eni c eth0 default/web-0 u 10.0.1.1 x", "a b c/d - u -"],
)
def test_what_nobody_of_ours_has_written_names_nobody(text):
    assert link_alias.parse(text) is None
    assert not link_alias.names_same_sandbox(text, alias().encode())


def test_what_is_no_address_is_not_taken_for_one():
    found = link_alias.parse("tke-eni c eth0 default/web-0 u 10.0.1.1,999.1.1.1,:,fd00::1")

    assert found is not None
    assert found.ips == ("10.0.1.1", "fd00::1")


def test_same_sandbox_is_told_by_container_and_interface_alone():
    other = SandboxKey(container_id=KEY.container_id, ifname="net1")

    assert link_alias.names_same_sandbox(alias().encode(), alias(name="b", network="c", ips=()).encode())
    assert not link_alias.names_same_sandbox(alias().encode(), alias(key=other).encode())
