"""An EIP that is changed while its Pod has it: what the cloud is asked, how often, and what people read."""

import json
import time

import pytest

from ipamd.core import tags
from ipamd.core.claim import eipclaim
from ipamd.core.claim.change import CHARGE_SETTLE, SETTLE
from ipamd.core.claim.change_record import CARRIED, CONFIRM
from ipamd.core.timing import timestamps
from ipamd.kube.resources import EIPCLAIMS, PODS
from simulator.cloud import Fault, FaultKind, InstanceOrder
from simulator.cloud.config import LEGACY, AccountConfig, BandwidthPackageConfig, Latencies, Quotas
from simulator.kube import Store
from simulator.kube.faults import Fault as KubeFault
from simulator.kube.faults import FaultKind as KubeFaultKind
from tests.controller.world import PREFIX

HOURLY = "BANDWIDTH_POSTPAID_BY_HOUR"
TRAFFIC = "TRAFFIC_POSTPAID_BY_HOUR"
PACKAGE = "BANDWIDTH_PACKAGE"
ONE, TWO = "bwp-demo0001", "bwp-demo0002"
CHANGES = (
    "AddBandwidthPackageResources",
    "MigrateBandwidthPackageResources",
    "ModifyAddressAttribute",
    "ModifyAddressInternetChargeType",
    "ModifyAddressesBandwidth",
    "RemoveBandwidthPackageResources",
)


@pytest.fixture
def served(world):
    """A Pod that has an EIP of 5 Mbps."""
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    return world.wait_provisioned("web-0")


def annotate(world, fields, name="web-0"):
    changed = {f"{PREFIX}eip-attributes": json.dumps(fields)}
    world.client.patch(PODS, name, {"metadata": {"annotations": changed}}, "default")


def edit(world, **attributes):
    """What `kubectl edit eipc` does."""
    world.client.patch(EIPCLAIMS, "web-0", {"spec": {"attributes": attributes}}, "default")


def confirm(world, charge_type):
    body = {"metadata": {"annotations": {CONFIRM: charge_type}}}
    world.client.patch(EIPCLAIMS, "web-0", body, "default")


def the_eip(world):
    return world.eips()[world.claim("web-0").address.eip_id]


def asked(world):
    """Names of the changes that the cloud was asked for and has accepted."""
    return [e.action for e in world.region.audit.writes() if e.action in CHANGES and not e.code]


def up_to_date(world):
    return eipclaim.condition(world.claim("web-0").conditions, eipclaim.UP_TO_DATE)


def wait_changed(world):
    return world.wait(lambda: (c := up_to_date(world)).get("reason") == "Changed" and c)


def wait_refused(world, text=""):
    return world.wait(
        lambda: (c := up_to_date(world)).get("reason") == "ChangeRefused" and text in c["message"] and c
    )


def wait_at_rest(world):
    """Wait until the controller has looked at the claim once more, after all that was due."""
    other = f"other-{len(world.eips())}"
    world.create_pod(other, {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    world.wait_provisioned(other)


def test_an_edit_of_the_pod_s_annotation_changes_the_bandwidth_of_the_same_eip(world, served):
    annotate(world, {"Bandwidth": "50"})
    condition = wait_changed(world)

    assert the_eip(world)["bandwidth"] == 50
    claim = world.claim("web-0")
    assert claim.address == served.address
    assert claim.request.order.bandwidth_mbps == 50
    assert "50 Mbps" in condition["message"]
    assert claim.change is None
    assert asked(world) == ["ModifyAddressesBandwidth"]
    for reason in ("Changing", "Changed"):
        kinds = {e["involvedObject"]["kind"] for e in world.wait(lambda r=reason: world.events(r))}
        assert kinds == {"Pod", "EIPClaim"}
    assert world.events("AnnotationsIgnored") == []


def test_an_edit_of_the_claim_changes_it_too_and_stays_until_the_annotation_is_edited(world, served):
    edit(world, bandwidthMbps=20)
    wait_changed(world)
    assert the_eip(world)["bandwidth"] == 20

    annotate(world, {"Bandwidth": "30"})
    world.wait(lambda: the_eip(world)["bandwidth"] == 30)
    wait_changed(world)
    assert world.claim("web-0").request.order.bandwidth_mbps == 30
    assert asked(world) == ["ModifyAddressesBandwidth"] * 2


def test_a_claim_that_a_person_made_counts_until_the_annotation_is_edited(world):
    world.client.create(
        EIPCLAIMS,
        {
            "metadata": {"name": "web-0", "namespace": "default"},
            "spec": {
                "attributes": {"isp": "BGP", "chargeType": TRAFFIC, "bandwidthMbps": 7},
                "deletePolicy": "Never",
            },
        },
    )
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True, never=True)
    world.wait_provisioned("web-0")
    world.wait(lambda: CARRIED in world.claim_object("web-0")["metadata"]["annotations"])
    assert the_eip(world)["bandwidth"] == 7
    annotate(world, {"Bandwidth": "9"})
    world.wait(lambda: the_eip(world)["bandwidth"] == 9)


def test_the_next_pod_of_a_retained_claim_brings_its_own_bandwidth(world):
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True, never=True)
    first = world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"9"}'}, resource=True, never=True)
    world.wait(lambda: the_eip(world)["bandwidth"] == 9)
    assert world.claim("web-0").address == first.address


def test_a_kept_eip_without_a_pod_is_changed_by_its_claim(world):
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True, never=True)
    world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").pod.last_seen)
    edit(world, bandwidthMbps=9)
    world.wait(lambda: the_eip(world)["bandwidth"] == 9)


def test_an_eip_joins_a_package_moves_and_leaves(world, served):
    for fields, package in (
        ({"InternetChargeType": PACKAGE, "BandwidthPackageId": ONE, "Bandwidth": 500}, ONE),
        ({"InternetChargeType": PACKAGE, "BandwidthPackageId": TWO, "Bandwidth": 500}, TWO),
        ({"Bandwidth": 10}, ""),
    ):
        annotate(world, fields)
        world.wait(lambda p=package: the_eip(world)["bandwidth_package_id"] == p and not asked_for(world))
        world.wait(lambda f=fields: the_eip(world)["bandwidth"] == f["Bandwidth"])
        wait_changed(world)
    assert the_eip(world)["charge_type"] == TRAFFIC
    assert asked(world) == [
        "AddBandwidthPackageResources",
        "ModifyAddressesBandwidth",
        "MigrateBandwidthPackageResources",
        "ModifyAddressesBandwidth",
        "RemoveBandwidthPackageResources",
    ]
    assert world.claim("web-0").address == served.address


def asked_for(world):
    return world.claim("web-0").change


def test_a_name_is_changed_and_goes_back_to_the_claim_s_own(world, served):
    annotate(world, {"Bandwidth": "5", "AddressName": "shop"})
    world.wait(lambda: the_eip(world)["name"] == "shop")
    wait_changed(world)
    annotate(world, {"Bandwidth": "5"})
    world.wait(lambda: the_eip(world)["name"] == tags.name_of("default", "web-0", served.uid))


def test_a_charge_type_waits_for_a_person_s_confirmation_and_is_asked_once(world, served):
    annotate(world, {"Bandwidth": "5", "InternetChargeType": HOURLY})
    condition = wait_refused(world, "confirm")
    assert f"kubectl annotate eipc web-0 -n default {CONFIRM}={HOURLY}" in condition["message"]
    assert asked(world) == []

    confirm(world, HOURLY)
    wait_changed(world)

    assert (the_eip(world)["charge_type"], the_eip(world)["charge_changes"]) == (HOURLY, 1)
    assert world.claim("web-0").confirmed == ""
    assert asked(world) == ["ModifyAddressInternetChargeType"]


def test_the_third_change_of_a_charge_type_is_refused_and_its_confirmation_used_up(world, served):
    for charge_type in (HOURLY, TRAFFIC):
        edit(world, chargeType=charge_type)
        confirm(world, charge_type)
        world.wait(lambda c=charge_type: the_eip(world)["charge_type"] == c)
        wait_changed(world)
    edit(world, chargeType=HOURLY)
    confirm(world, HOURLY)
    condition = wait_refused(world, "twice in its life")
    assert "LimitExceeded.ModifyAddressInternetChargeTypeQuota" in condition["message"]
    assert world.claim("web-0").confirmed == ""
    wait_at_rest(world)
    assert len(asked(world)) == 2


def test_a_confirmation_of_something_else_changes_nothing(world, served):
    edit(world, chargeType=HOURLY)
    confirm(world, TRAFFIC)
    wait_refused(world, "confirm")
    wait_at_rest(world)
    assert asked(world) == []


def test_a_confirmation_that_comes_before_the_edit_counts_for_it(world, served):
    confirm(world, HOURLY)
    wait_at_rest(world)
    assert world.claim("web-0").confirmed == HOURLY
    annotate(world, {"Bandwidth": "5", "InternetChargeType": HOURLY})
    wait_changed(world)
    assert (the_eip(world)["charge_type"], world.claim("web-0").confirmed) == (HOURLY, "")


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT_AFTER, FaultKind.TIMEOUT_BEFORE])
def test_a_charge_type_whose_answer_is_lost_is_never_asked_twice(world, served, kind):
    action = "ModifyAddressInternetChargeType"
    world.region.faults.add(Fault(kind=kind, action=action, seconds=0.1, count=None))
    edit(world, chargeType=HOURLY)
    confirm(world, HOURLY)
    world.wait(world.region.faults.injected)
    if kind is FaultKind.TIMEOUT_AFTER:
        wait_changed(world)
        assert the_eip(world)["charge_changes"] == 1
    else:
        world.wait(lambda: (c := world.claim("web-0").change) and c.started)
        age_change(world, CHARGE_SETTLE)
        wait_refused(world, "it may have counted")
        assert world.claim("web-0").confirmed == ""
    assert world.region.faults.injected() == {f"{kind.value}:{action}": 1}


def age_change(world, seconds):
    """Let the step look as if it had been given so long ago."""
    started = timestamps.to_text(time.time() - seconds)
    world._write(
        "web-0",
        lambda claim: {
            "metadata": {"resourceVersion": claim.resource_version},
            "status": {"change": {"startedAt": started}},
        },
    )


def test_a_bandwidth_whose_answer_is_lost_is_asked_again_when_nothing_shows(world, served):
    world.region.faults.add(
        Fault(kind=FaultKind.TIMEOUT_BEFORE, action="ModifyAddressesBandwidth", seconds=0.1)
    )
    annotate(world, {"Bandwidth": "50"})
    world.wait(lambda: (c := world.claim("web-0").change) and c.started)
    world.wait(world.region.faults.injected)
    age_change(world, SETTLE)
    wait_changed(world)
    assert the_eip(world)["bandwidth"] == 50


def test_a_task_that_fails_is_given_again(world, served):
    world.region.faults.add(Fault(kind=FaultKind.TASK_FAILURE, action="ModifyAddressesBandwidth"))
    annotate(world, {"Bandwidth": "50"})
    wait_changed(world)
    assert asked(world) == ["ModifyAddressesBandwidth"] * 2


def test_a_bandwidth_out_of_the_account_s_range_is_not_asked_for(make_world):
    world = make_world(quotas=Quotas(most_bandwidth=60))
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    world.wait_provisioned("web-0")
    edit(world, bandwidthMbps=80)
    condition = wait_refused(world, "1 to 60 Mbps")
    assert "edit bandwidthMbps" in condition["message"]
    wait_at_rest(world)
    assert asked(world) == []
    edit(world, bandwidthMbps=50)
    wait_changed(world)


def test_a_range_that_cannot_be_read_stops_no_change(world, served):
    denied = {"code": "UnauthorizedOperation", "message": "you are not authorized", "count": None}
    world.region.faults.add(Fault(kind=FaultKind.ERROR, action="DescribeAddressBandwidthRange", **denied))

    edit(world, bandwidthMbps=50)
    wait_changed(world)

    assert world.region.faults.injected()
    assert the_eip(world)["bandwidth"] == 50


def test_a_package_that_is_full_is_joined_when_it_has_room(make_world):
    packages = (BandwidthPackageConfig(most_eips=0),)
    world = make_world(account=AccountConfig(bandwidth_packages=packages))
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    world.wait_provisioned("web-0")
    annotate(world, {"InternetChargeType": PACKAGE, "BandwidthPackageId": ONE, "Bandwidth": 5})
    condition = wait_refused(world, "LimitExceeded.BandwidthPackageResourceQuota")
    assert "tried again every" in condition["message"]
    assert world.claim("web-0").change is None


def test_another_line_is_refused_on_the_pod_and_nothing_is_changed(world, served):
    annotate(world, {"Bandwidth": "50", "ISP": "CMCC"})
    (event,) = world.wait(lambda: world.events("ChangeRefused"))
    assert "InternetServiceProvider is BGP, not CMCC" in event["message"]
    assert "kubectl delete eipc web-0 -n default" in event["message"]
    assert world.claim("web-0").request == served.request
    assert asked(world) == []


def test_an_account_that_pays_by_cvm_refuses_all_but_names(make_world):
    world = make_world(account=AccountConfig(network_type=LEGACY))
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    world.wait_provisioned("web-0")
    annotate(world, {"Bandwidth": "5", "AddressName": "shop"})
    world.wait(lambda: the_eip(world)["name"] == "shop")
    wait_changed(world)
    annotate(world, {"Bandwidth": "50", "AddressName": "shop"})
    wait_refused(world, "LEGACY")
    assert asked(world) == ["ModifyAddressAttribute"]


def test_an_eip_of_the_user_s_own_is_never_changed(world):
    world.start_controller()
    eip_id = world.users_eip()
    world.create_pod("web-0", {"eip-id-list": eip_id}, resource=True)
    world.wait_provisioned("web-0")
    annotate(world, {"Bandwidth": "50"})
    (event,) = world.wait(lambda: world.events("AttributesIgnored"))
    assert "eip-id-list names EIPs that exist" in event["message"]
    wait_at_rest(world)
    assert asked(world) == []
    assert the_eip(world)["bandwidth"] == 1


def test_a_change_waits_for_a_bind_that_runs(make_world):
    world = make_world(latencies=Latencies(eip_bind=1.0))
    controller = world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    claim = world.wait_provisioned("web-0")
    world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
    (eni,) = world.region.snapshot()["enis"].values()
    controller.cloud.associate_eip(claim.address.eip_id, eni["eni_id"], next(iter(eni["addresses"])))
    annotate(world, {"Bandwidth": "50"})
    wait_changed(world)
    assert (the_eip(world)["status"].value, the_eip(world)["bandwidth"]) == ("BIND", 50)
    refused = [e.code for e in world.region.audit.writes() if e.action in CHANGES and e.code]
    assert refused == []


def test_a_right_that_is_missing_is_told_and_the_change_made_when_it_is_granted(world, served):
    number = world.region.faults.add(
        Fault(
            kind=FaultKind.ERROR,
            action="ModifyAddressesBandwidth",
            code="UnauthorizedOperation",
            message="you are not authorized to perform operation (cvm:ModifyAddressesBandwidth)",
            count=None,
        )
    )
    annotate(world, {"Bandwidth": "50"})
    wait_refused(world, "grant cvm:ModifyAddressesBandwidth")
    assert world.claim("web-0").change is None
    world.region.faults.remove(number)


def test_what_is_at_rest_asks_the_cloud_nothing(world, served):
    annotate(world, {"Bandwidth": "50"})
    wait_changed(world)
    before = world.region.audit.calls()
    label = {"metadata": {"labels": {"touched": "true"}}}
    world.client.patch(PODS, "web-0", label, "default")
    wait_at_rest(world)
    after = world.region.audit.calls()
    watched = (*CHANGES, "DescribeAddressBandwidthRange", "DescribeTaskResult")
    assert {action: after.get(action, 0) for action in watched} == {
        action: before.get(action, 0) for action in watched
    }


class StoreOfAnEarlierRelease(Store):
    """Drops what the definition of EIPClaims did not have before EIPs could be changed."""

    def put(self, key, obj):
        if obj.get("kind") == "EIPClaim" and "status" in obj:
            status = {name: v for name, v in obj["status"].items() if name not in ("change", "attributes")}
            obj = {**obj, "status": status}
        return super().put(key, obj)


def test_a_cluster_with_the_definition_of_an_earlier_release_has_no_eip_changed(make_world):
    world = make_world(StoreOfAnEarlierRelease())
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    world.wait_provisioned("web-0")

    edit(world, bandwidthMbps=50)

    told = world.wait(lambda: world.events("ChangeRefused"))
    assert "apply that of this release (deploy/crd.yaml)" in told[0]["message"]
    wait_at_rest(world)
    assert asked(world) == []


def test_a_claim_of_an_earlier_definition_that_is_as_it_should_be_is_left_alone(make_world):
    world = make_world(StoreOfAnEarlierRelease())
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    world.wait_provisioned("web-0")

    world.client.patch(EIPCLAIMS, "web-0", {"spec": {"deletePolicy": "Never"}}, "default")

    world.wait(lambda: len(world.events("ChangeRefused")) == 2)
    wait_at_rest(world)
    assert asked(world) == []
    assert [event["count"] for event in world.events("ChangeRefused")] == [1, 1]


def test_an_edit_that_the_server_does_not_take_is_told_and_the_next_one_counts(world, served):
    fault = KubeFault(
        kind=KubeFaultKind.STATUS, verb="patch", resource="eipclaims", name="web-0", code=422, times=1
    )
    world.wait(lambda: world.claim("web-0").carried)
    world.kube.faults.add(fault)

    annotate(world, {"Bandwidth": "50"})

    world.wait(lambda: world.events("ChangeRefused"))
    wait_at_rest(world)
    assert asked(world) == []
    annotate(world, {"Bandwidth": "60"})
    wait_changed(world)
    assert the_eip(world)["bandwidth"] == 60
