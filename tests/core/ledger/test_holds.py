"""For whom an address is kept when its sandbox has ended."""

from ipamd.core import model
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger import holds, ledger, states

NOW = 1000.0
TIMES = holds.HoldTimes(pod=120.0, retained=300.0)
POD = model.PodRef(namespace="default", name="web-0", uid="u1")


def address(*, retained=None):
    key = model.SandboxKey(container_id="c1", ifname="eth0")
    eip = None
    if retained is not None:
        stage = states.BindStage.BOUND
        eip = states.Binding(eip_id="eip-1", public_ip="", stage=stage, retained=retained)
    state = states.Assigned(
        key=key, pod=POD, since=NOW, host_interface="eni0123456789a", host_mac="0a:e2:01:02:03:04"
    )
    return states.Address(ip="10.0.1.10", eni_id="eni-1", state=state, added_at=NOW, eip=eip)


def decided(subject, pod, *, synced=True, times=TIMES):
    return holds.decide(subject, pod, times, NOW, cache_synced=synced)


def test_pod_that_still_exists_gets_its_address_back():
    assert decided(address(), PodView(ref=POD)) == ledger.AddressHold(until=NOW + 120, by_name=False)


def test_pod_that_is_being_deleted_or_has_finished_does_not_come_back():
    assert decided(address(), PodView(ref=POD, deleting=True)) is None
    assert decided(address(), PodView(ref=POD, phase="Succeeded")) is None
    assert decided(address(), PodView(ref=POD, phase="Failed")) is None


def test_pod_of_another_uid_is_not_the_same_pod():
    other = model.PodRef(namespace="default", name="web-0", uid="u2")

    assert decided(address(), PodView(ref=other)) is None


def test_unknown_pod_is_gone_only_if_the_cache_is_complete():
    assert decided(address(), None) is None
    assert decided(address(), None, synced=False) == ledger.AddressHold(until=NOW + 120, by_name=False)


def test_retained_claim_keeps_the_address_for_the_name():
    hold = ledger.AddressHold(until=NOW + 300, by_name=True)

    assert decided(address(retained=True), PodView(ref=POD, deleting=True)) == hold
    assert decided(address(retained=True), None) == hold
    assert decided(address(retained=False), None) is None


def test_no_hold_where_none_is_configured():
    none = holds.HoldTimes(pod=0, retained=0)

    assert decided(address(), PodView(ref=POD), times=none) is None
    assert decided(address(retained=True), None, times=none) is None
