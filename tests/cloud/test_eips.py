"""Ordering, finding and giving back EIPs."""

import pytest

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import CloudRegion, CloudServer, Fault, FaultKind, RegionConfig, loopback_socket
from simulator.cloud.config import Quotas, RateLimits

TAGS = {"tke-clusterId": "cls-1", "tke-created-eip": "true", "tke-eipclaim-uid": "uid-1"}


@pytest.fixture
def allocate(cloud, region):
    def allocate(token, order=None, tags=None):
        eip_id = cloud.allocate_eip(order or model.EipOrder(), tags or TAGS, token).eip_id
        assert region.wait_idle(60)
        return eip_id

    return allocate


def test_an_order_becomes_an_unbound_eip_with_its_attributes_and_tags(cloud, region, allocate):
    eip_id = allocate("token-1", model.EipOrder(isp="CMCC", bandwidth_mbps=20, name="web-0"))
    (eip,) = cloud.describe_eips(eip_ids=[eip_id])
    assert (eip.eip_id, eip.status, eip.isp) == (eip_id, model.EipStatus.UNBIND, "CMCC")
    assert eip.public_ip.startswith("198.18.")
    assert eip.tags == TAGS
    assert not eip.bound
    stored = region.snapshot()["addresses"][eip_id]
    assert (stored["bandwidth"], stored["name"]) == (20, "web-0")


def test_the_tags_of_the_order_stand_beside_ours_and_never_in_their_place(cloud, allocate):
    eip_id = allocate("token-1", model.EipOrder(tags=(("team", "web"), *((key, "x") for key in TAGS))))
    assert cloud.describe_eip(eip_id).tags == {**TAGS, "team": "web"}


def test_a_bandwidth_package_is_named_in_the_order(region, allocate):
    order = model.EipOrder(charge_type="BANDWIDTH_PACKAGE", bandwidth_package_id="bwp-demo0001")
    eip_id = allocate("token-1", order)
    assert region.snapshot()["addresses"][eip_id]["bandwidth_package_id"] == "bwp-demo0001"


@pytest.mark.parametrize("fault", [FaultKind.TIMEOUT_AFTER, FaultKind.BROKEN_JSON, FaultKind.HTTP_500])
def test_a_lost_answer_orders_no_second_eip(cloud, region, allocate, fault):
    region.faults.add(Fault(kind=fault, action="AllocateAddresses", count=2))
    eip_id = allocate("token-1")
    assert set(region.snapshot()["addresses"]) == {eip_id}


def test_a_throttled_order_is_placed_once(region, allocate):
    region.faults.add(Fault(kind=FaultKind.THROTTLE, action="AllocateAddresses", count=3))
    eip_id = allocate("token-1")
    assert set(region.snapshot()["addresses"]) == {eip_id}


def test_an_answer_that_never_comes_is_an_unknown_outcome_and_found_by_tags(cloud, region):
    region.faults.add(Fault(kind=FaultKind.TIMEOUT_AFTER, action="AllocateAddresses", count=None))
    with pytest.raises(CloudError) as caught:
        cloud.allocate_eip(model.EipOrder(), TAGS, "token-1")
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    (eip,) = cloud.describe_eips(tags={"tke-eipclaim-uid": "uid-1"})
    assert {eip.eip_id} == set(region.snapshot()["addresses"])


def test_a_failed_delivery_asks_for_a_new_token(cloud, region):
    region.faults.add(
        Fault(kind=FaultKind.ERROR, action="AllocateAddresses", code="UnsupportedOperation.DeliveryFailed")
    )
    with pytest.raises(CloudError) as caught:
        cloud.allocate_eip(model.EipOrder(), TAGS, "token-1")
    assert caught.value.kind is CloudErrorKind.NEW_TOKEN


def test_a_used_up_quota_is_remembered_until_a_released_eip_is_gone(open_cloud):
    config = RegionConfig(quotas=Quotas(total_eips=1), rate_limits=RateLimits(enabled=False))
    with (
        CloudRegion(config) as region,
        CloudServer(region, [loopback_socket()]) as server,
        open_cloud(f"http://{server.endpoint}") as cloud,
    ):
        held = cloud.allocate_eip(model.EipOrder(), TAGS, "token-1").eip_id
        region.wait_idle(60)
        for _ in range(3):
            with pytest.raises(CloudError) as caught:
                cloud.allocate_eip(model.EipOrder(), TAGS, "token-2")
            assert caught.value.kind is CloudErrorKind.QUOTA
        assert region.audit.calls()["AllocateAddresses"] == 2
        cloud.release_eip(held)
        region.wait_idle(60)
        cloud.release_completed()
        cloud.allocate_eip(model.EipOrder(), TAGS, "token-2")


def test_a_denied_order_names_action_policy_and_role(cloud, region):
    region.accounts.set_policy("demo", deny=("cvm:AllocateAddresses",))
    with pytest.raises(CloudError) as caught:
        cloud.allocate_eip(model.EipOrder(), TAGS, "token-1")
    assert caught.value.kind is CloudErrorKind.PERMISSION
    assert "grant cvm:AllocateAddresses" in caught.value.advice
    assert "QcloudAccessForIPAMDRoleInQcloudAllocateEIP" in caught.value.advice
    assert "with the CAM role of the CVM that asks" in caught.value.advice
    assert caught.value.request_id in str(caught.value)


def test_an_empty_account_is_a_matter_of_money(cloud, region):
    region.set_balance_ok(False)
    with pytest.raises(CloudError) as caught:
        cloud.allocate_eip(model.EipOrder(), TAGS, "token-1")
    assert caught.value.kind is CloudErrorKind.MONEY


def test_a_bandwidth_out_of_range_is_invalid(cloud):
    with pytest.raises(CloudError, match="BandwidthOutOfRange") as caught:
        cloud.allocate_eip(model.EipOrder(bandwidth_mbps=101), TAGS, "token-1")
    assert caught.value.kind is CloudErrorKind.INVALID


def test_eips_are_found_by_all_of_their_tags(cloud, allocate):
    first = allocate("token-1")
    allocate("token-2", tags={**TAGS, "tke-eipclaim-uid": "uid-2"})
    assert [eip.eip_id for eip in cloud.describe_eips(tags=TAGS)] == [first]
    assert len(cloud.describe_eips(tags={"tke-clusterId": "cls-1"})) == 2


def test_ids_that_do_not_exist_are_left_out(cloud, allocate):
    eip_id = allocate("token-1")
    assert [eip.eip_id for eip in cloud.describe_eips(eip_ids=["eip-00000000", eip_id])] == [eip_id]
    assert cloud.describe_eip("eip-00000000") is None


@pytest.mark.parametrize("given", [{}, {"tags": {}}, {"eip_ids": [], "eni_ids": []}])
def test_a_question_that_would_list_the_whole_account_is_a_mistake_of_the_caller(cloud, region, given):
    with pytest.raises(ValueError, match="describe_eips"):
        cloud.describe_eips(**given)
    assert region.audit.calls() == {}


def test_a_released_eip_is_gone_and_releasing_it_again_is_a_success(cloud, region, allocate):
    eip_id = allocate("token-1")
    task = cloud.release_eip(eip_id)
    assert cloud.release_eip(eip_id) == ""
    assert region.wait_idle(60)
    assert cloud.describe_eip(eip_id) is None
    assert cloud.release_eip(eip_id) == ""
    assert cloud.describe_eip_task(task).value == "SUCCESS"


def test_a_lost_answer_to_a_release_is_settled_by_a_look(cloud, region, allocate):
    eip_id = allocate("token-1")
    region.faults.add(Fault(kind=FaultKind.TIMEOUT_AFTER, action="ReleaseAddresses"))
    assert cloud.release_eip(eip_id) == ""
    assert region.wait_idle(60)
    assert cloud.describe_eip(eip_id) is None


def test_a_release_that_did_not_reach_the_cloud_is_not_taken_for_done(cloud, region, allocate):
    eip_id = allocate("token-1")
    region.faults.add(Fault(kind=FaultKind.TIMEOUT_BEFORE, action="ReleaseAddresses"))
    with pytest.raises(CloudError) as caught:
        cloud.release_eip(eip_id)
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    assert cloud.describe_eip(eip_id).status is model.EipStatus.UNBIND
    assert region.audit.calls().get("ReleaseAddresses", 0) == 0


def test_quotas_tell_what_is_used_and_what_there_is(cloud, allocate):
    allocate("token-1")
    quotas = {quota.quota_id: quota for quota in cloud.describe_eip_quota()}
    total = quotas["TOTAL_EIP_QUOTA"]
    assert (total.used, total.limit) == (1, 20)
    assert quotas["DAILY_EIP_APPLY"].used == 1


def test_a_task_that_is_unknown_or_has_no_number_is_no_failure(cloud):
    assert cloud.describe_eip_task("99999999").value == "UNKNOWN"
    assert cloud.describe_eip_task("").value == "UNKNOWN"
