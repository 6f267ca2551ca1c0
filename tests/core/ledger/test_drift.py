"""What Pods are told of what somebody else did to their addresses and EIPs in the cloud."""

from dataclasses import replace

from ipamd.core import model
from ipamd.core.ledger import acquisition, cloud_listing, drift, eip_records, ledger, states

NOW = 1000.0
IP = "10.0.1.10"
POD = model.PodRef(namespace="default", name="web-0", uid="u1")
KEY = model.SandboxKey(container_id="c1", ifname="eth0")


def with_a_pod(*, eip_id="eip-1"):
    current = ledger.adopt(ledger.Ledger(), "eni-1", [IP, "10.0.1.11"], NOW - 100).ledger
    current = acquisition.acquire(current, acquisition.Attachment(key=KEY, pod=POD), 30.0, NOW - 100).ledger
    binding = states.Binding(eip_id=eip_id, public_ip="198.18.0.9", stage=states.BindStage.BINDING)
    current = eip_records.begin_bind(current, IP, binding).ledger
    return eip_records.confirm_bound(current, IP, eip_id).ledger


def test_the_pod_of_an_address_in_quarantine_hears_of_it_and_a_free_address_concerns_nobody():
    current = cloud_listing.lost_eni(with_a_pod(), ["eni-1"], NOW).ledger

    told = drift.missing(current, {})

    assert set(told) == {POD}
    assert "the VPC does not list it at eni-1" in told[POD]
    assert IP in told[POD]


def test_it_is_said_what_is_wrong_with_the_eni():
    current = cloud_listing.lost_eni(with_a_pod(), ["eni-1"], NOW).ledger
    assert "no link has MAC" in drift.missing(current, {"eni-1": "no link has MAC 52:54"})[POD]


def test_nothing_is_said_while_all_is_well():
    current = with_a_pod()
    assert drift.missing(current, {}) == {}
    assert drift.unbound(current, current) == {}


def test_an_eip_that_was_unbound_is_told_with_its_name_and_place():
    before = with_a_pod()
    eni = model.Eni(
        eni_id="eni-1",
        mac="",
        vpc_id="",
        subnet_id="",
        primary=False,
        state=model.EniState.AVAILABLE,
        instance_id="",
        addresses=(model.EniAddress(ip=IP, primary=False, state=model.IpState.AVAILABLE),),
    )
    after = cloud_listing.observe(
        before, cloud_listing.CloudListing(enis=(eni,), as_of=NOW, loose=frozenset({"eip-1"})), NOW
    ).ledger

    told = drift.unbound(before, after)

    assert told[POD].startswith(f"somebody has unbound EIP 198.18.0.9 (eip-1) from {IP}")


def test_our_own_unbind_is_nobody_elses():
    before = with_a_pod()
    assert drift.unbound(before, eip_records.begin_unbind(before, IP, "eip-1").ledger) == {}


def test_each_unbound_eip_is_told_of_also_after_an_address_that_concerns_nobody():
    before = with_a_pod()
    after = before
    for ip, name in (("10.0.1.09", "free"), ("10.0.1.20", "web-1"), ("10.0.1.30", "web-2")):
        after = ledger.adopt(after, "eni-1", [ip], NOW).ledger
        if name != "free":
            pod = model.PodRef(namespace="default", name=name, uid=name)
            key = model.SandboxKey(container_id=name, ifname="eth0")
            state = states.Assigned(key=key, pod=pod, since=NOW, host_interface="", host_mac="")
            bound = states.Binding(eip_id=f"eip-{name}", public_ip="", stage=states.BindStage.BOUND)
            after = after.changed(replace(after.addresses[ip], state=state, eip=bound)).ledger
    before = after

    for ip in ("10.0.1.20", "10.0.1.30"):
        lost = replace(after.addresses[ip].eip, stage=states.BindStage.BINDING)
        after = after.changed(replace(after.addresses[ip], eip=lost)).ledger

    assert {pod.name for pod in drift.unbound(before, after)} == {"web-1", "web-2"}


def test_a_pod_waits_for_its_eip_from_the_unbinding_until_it_is_bound_again():
    before = with_a_pod()
    (address,) = [a for a in before.addresses.values() if a.ip == IP]
    loose = replace(address, eip=replace(address.eip, stage=states.BindStage.BINDING))
    after = before.changed(loose).ledger

    bound = eip_records.confirm_bound(after, IP, "eip-1").ledger
    stages = [drift.eip_stage(state, POD) for state in (before, after, bound)]
    assert stages == [states.BindStage.BOUND, states.BindStage.BINDING, states.BindStage.BOUND]


def test_a_pod_without_eip_waits_for_none():
    nobody = model.PodRef(namespace="default", name="nobody", uid="u2")

    assert drift.eip_stage(with_a_pod(), nobody) is None
