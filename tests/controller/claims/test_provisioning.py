"""A Pod that asks gets a claim, and the claim exactly one EIP."""

import pytest

from ipamd.core.claim import eipclaim
from ipamd.kube.resources import EIPCLAIMS, PODS
from simulator.cloud import Fault, FaultKind
from simulator.cloud.config import Quotas


@pytest.fixture
def controller(world):
    return world.start_controller()


def test_the_page_s_annotation_makes_a_claim_with_an_eip(world, controller):
    pod = world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"50","ISP":"BGP"}'})

    claim = world.wait_provisioned("web-0")
    obj = world.claim_object("web-0")
    ((eip_id, eip),) = world.eips().items()

    assert obj["spec"] == {
        "attributes": {"bandwidthMbps": 50, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"},
        "deletePolicy": "Delete",
    }
    assert obj["metadata"]["labels"][eipclaim.NODE_LABEL] == "node-a"
    assert obj["status"]["phase"] == "Provisioned"
    assert obj["status"]["pod"] == {"uid": pod["metadata"]["uid"], "node": "node-a"}
    assert obj["status"]["address"] == {"id": eip_id, "ip": eip["ip"], "owned": True}
    assert world.condition("web-0")["status"] == "True"
    assert f"{eip_id} ({eip['ip']}), ordered with RequestId " in world.condition("web-0")["message"]
    assert eip["bandwidth"] == 50
    assert eip["tags"] == {
        "tke-clusterId": "cls-test",
        "tke-created-eip": "true",
        "tke-eipclaim-uid": claim.uid,
    }
    world.wait(lambda: world.events("AllocatedEIP"))


def test_the_resource_alone_gets_the_defaults(world, controller):
    world.create_pod("web-0", resource=True)

    claim = world.wait_provisioned("web-0")

    assert claim.request.order.bandwidth_mbps == 100
    assert not claim.retained


def test_a_pod_that_runs_already_when_the_controller_starts_gets_its_eip(world):
    world.create_pod("web-0")
    world.start_controller()

    world.wait_provisioned("web-0")


def test_pods_that_do_not_ask_get_nothing(world, controller):
    world.create_pod("plain", {})
    world.create_pod("host", host_network=True)
    world.create_pod("asks")

    world.wait_provisioned("asks")

    assert [c["metadata"]["name"] for c in world.client.list(EIPCLAIMS).items] == ["asks"]


def test_many_pods_at_once_get_one_eip_each_with_few_looks(world, controller):
    for number in range(18):
        world.create_pod(f"web-{number}")

    eips = {world.wait_provisioned(f"web-{number}").address.eip_id for number in range(18)}

    assert len(eips) == 18
    assert set(world.eips()) == eips
    assert world.region.audit.calls()["DescribeAddresses"] < 40


def test_what_became_of_an_order_is_not_asked_while_its_eip_is_shown_or_after_we_released_it(
    world, controller
):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    world.age_claim("web-0")
    world.remove_pod("web-0")
    world.wait_gone("web-0")

    assert "DescribeTaskResult" not in world.region.audit.calls()


def test_wrong_attributes_are_told_on_the_pod_and_cost_nothing(world, controller):
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"101"}'})

    (event,) = world.wait(lambda: world.events("InvalidAttributes"))

    assert event["involvedObject"]["kind"] == "Pod"
    assert "tke.cloud.tencent.com/eip-attributes" in event["message"]
    assert "101" in event["message"]
    assert not world.claim_object("web-0")
    assert world.eips() == {}


def test_corrected_attributes_of_a_waiting_pod_are_served(world, controller):
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"101"}'})
    world.wait(lambda: world.events("InvalidAttributes"))

    world.client.patch(
        PODS,
        "web-0",
        {"metadata": {"annotations": {"tke.cloud.tencent.com/eip-attributes": '{"Bandwidth":"10"}'}}},
        "default",
    )

    assert world.wait_provisioned("web-0").request.order.bandwidth_mbps == 10


class TestQuota:
    @pytest.fixture
    def settings(self):
        return {"quotas": Quotas(total_eips=1)}

    def test_no_quota_is_told_with_code_and_request_id_and_mended_by_a_release(self, world, controller):
        world.create_pod("first")
        world.wait_provisioned("first")
        world.create_pod("second")

        condition = world.wait(lambda: (c := world.condition("second")).get("reason") and c)
        (event, *_) = world.wait(lambda: world.events("FailedAllocateEIP"))
        world.remove_pod("first")
        world.wait_gone("first")

        assert condition["reason"] == "QuotaExceeded"
        assert world.claim_object("second")["status"]["phase"] in ("Failed", "Pending", "Provisioned")
        assert "AddressQuotaLimitExceeded" in condition["message"]
        assert "RequestId" in condition["message"]
        assert "RequestId" in event["message"]
        world.wait_provisioned("second")
        assert len(world.eips()) == 1


def test_no_permission_names_the_policy_to_grant(world, controller):
    world.region.accounts.set_policy("demo", deny=("*AllocateAddresses",))
    world.create_pod("web-0")

    condition = world.wait(lambda: (c := world.condition("web-0")).get("reason") and c)

    assert condition["reason"] == "PermissionDenied"
    assert "QcloudAccessForIPAMDRoleInQcloudAllocateEIP" in condition["message"]
    assert world.claim_object("web-0")["status"]["phase"] == "Failed"


def test_no_money_is_told(world, controller):
    world.region.set_balance_ok(False)
    world.create_pod("web-0")

    condition = world.wait(lambda: (c := world.condition("web-0")).get("reason") and c)

    assert condition["reason"] == "NoMoney"


def test_what_the_cloud_finds_wrong_in_the_attributes_is_told(world, controller):
    package = '{"InternetChargeType":"BANDWIDTH_PACKAGE","BandwidthPackageId":"bwp-absent"}'
    world.create_pod("web-0", {"eip-attributes": package})

    condition = world.wait(lambda: (c := world.condition("web-0")).get("reason") and c)

    assert condition["reason"] == "InvalidAttributes"
    assert "bwp-absent" in condition["message"] or "BandwidthPackage" in condition["message"]


class TestAnOrderWhoseEipIsHidden:
    """Before it is recorded: by a policy that filters lists, or the keys of another account."""

    @pytest.fixture
    def hide(self, world):
        """Lists show from now on what there is now."""
        return lambda: world.region.faults.add(
            Fault(kind=FaultKind.STALE_READ, action="DescribeAddresses", seconds=3600.0, count=None)
        )

    def test_none_is_ordered_a_second_time_and_it_is_told(self, world, hide):
        controller = world.start_controller()
        hide()
        world.create_pod("web-0")
        world.wait(world.eips)
        world.skip_attempt_window("web-0")

        said = world.wait(lambda: (c := world.condition("web-0")).get("reason") == "EIPNotShown" and c)
        (eip_id,) = world.eips()
        assert f"{eip_id} was delivered" in said["message"]
        assert world.claim_object("web-0")["status"]["phase"] == "Failed"

        # Another process knows nothing of what was promised: it asks with the same token.
        world.stop_controller(controller)
        world.start_controller()
        calls = world.region.audit.calls()["AllocateAddresses"]
        world.wait(lambda: world.region.audit.calls()["AllocateAddresses"] > calls)
        assert world.orders() == 1

    def test_it_is_recorded_when_it_is_shown_again(self, world, hide):
        world.start_controller()
        hidden = hide()
        world.create_pod("web-0")
        world.wait(world.eips)
        (eip_id,) = world.eips()

        world.region.faults.remove(hidden)

        assert world.wait_provisioned("web-0").address.eip_id == eip_id
        assert world.orders() == 1
