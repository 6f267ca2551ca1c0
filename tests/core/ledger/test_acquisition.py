"""Which of several addresses a sandbox gets: where the EIP is, then the Pod's own, then what is unused."""

from dataclasses import replace

import pytest

from ipamd.core.ledger.acquisition import Attachment, acquire, resumable
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage, Held, Occupied, Warm
from ipamd.core.model import SandboxKey
from tests.testkit.pods import pod_ref

OWN, EARLIER = pod_ref("web-0", "u2"), pod_ref("web-0", "u1")
OLD = SandboxKey(container_id="old", ifname="eth0")
WARM = Address(ip="10.0.1.10", eni_id="eni-1", state=Warm(since=0.0), added_at=0.0)
EIP = Binding(eip_id="eip-1", public_ip="", stage=BindStage.BOUND, retained=True)


def asks(eip_id=""):
    return Attachment(key=SandboxKey(container_id="new", ifname="eth0"), pod=OWN, eip_id=eip_id)


def held(ip, pod=OWN, *, eip=None):
    return replace(WARM, ip=ip, state=Held(key=OLD, pod=pod, until=900.0, by_name=True), eip=eip)


def used(ip, pod=OWN):
    state = Assigned(key=OLD, pod=pod, since=1.0, host_interface="eni1", host_mac="0a:e2:00:00:00:01")
    return replace(WARM, ip=ip, state=state)


def occupied(pod):
    return Occupied(since=1.0, pod=pod, host_interface="eni1", host_mac="0a:e2:00:00:00:01")


def chosen(*addresses, eip_id=""):
    current = Ledger()
    for address in addresses:
        current = current.changed(address).ledger
    return acquire(current, asks(eip_id), 30.0, 100.0).address.ip


BOUND = held("10.0.1.30", EARLIER, eip=EIP)


@pytest.mark.parametrize(
    ("addresses", "eip_id", "ip"),
    [
        ((held("10.0.1.20"), BOUND), "eip-1", "10.0.1.30"),
        ((held("10.0.1.20"), BOUND), "eip-2", "10.0.1.20"),
        ((held("10.0.1.20"), BOUND), "", "10.0.1.20"),
        ((used("10.0.1.20"), held("10.0.1.30")), "", "10.0.1.30"),
        ((used("10.0.1.20"), held("10.0.1.30", EARLIER)), "", "10.0.1.20"),
        ((held("10.0.1.30"), held("10.0.1.20")), "", "10.0.1.20"),
        ((WARM, held("10.0.1.30")), "", "10.0.1.30"),
        ((WARM,), "eip-1", "10.0.1.10"),
        ((replace(WARM, state=Warm(since=9.0)), replace(WARM, ip="10.0.1.11")), "", "10.0.1.11"),
    ],
)
def test_of_several_addresses_the_one_comes_that_costs_least(addresses, eip_id, ip):
    assert chosen(*addresses, eip_id=eip_id) == ip


@pytest.mark.parametrize(
    ("address", "may"),
    [
        (WARM, False),
        (held("10.0.1.20"), True),
        (held("10.0.1.20", EARLIER), True),
        (replace(held("10.0.1.20", EARLIER), state=replace(BOUND.state, by_name=False)), False),
        (held("10.0.1.20", pod_ref("web-1", "u2")), False),
        (replace(held("10.0.1.20"), missing_since=5.0), False),
        (replace(WARM, state=replace(held("x").state, key=replace(OLD, ifname="net1"))), False),
        (used("10.0.1.20"), True),
        (used("10.0.1.20", EARLIER), False),
        (replace(used("10.0.1.20", EARLIER), eip=EIP), True),
        (replace(used("10.0.1.20", EARLIER), eip=replace(EIP, retained=False)), False),
        (replace(WARM, state=occupied(OWN)), True),
        (replace(WARM, state=occupied(EARLIER)), False),
    ],
)
def test_a_new_sandbox_goes_on_with_what_is_its_pods(address, may):
    assert resumable(address, asks()) is may
