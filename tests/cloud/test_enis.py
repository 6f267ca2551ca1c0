"""Listing ENIs, and taking them away."""

import pytest

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import Fault, FaultKind, InstanceOrder


@pytest.fixture
def second(cloud, node, soon):
    request = model.EniRequest(
        instance_id=node,
        vpc_id="vpc-demo0001",
        subnet_id="subnet-demo0001",
        security_groups=(),
        secondary_ips=2,
        tags={"tke-clusterId": "cls-1"},
    )
    return cloud.create_and_attach_eni(request, "token-second", soon())


def test_the_enis_of_a_node_are_listed_with_addresses_and_groups(cloud, node, second):
    enis = {eni.eni_id: eni for eni in cloud.describe_enis(node)}
    assert len(enis) == 2
    assert enis[second.eni_id] == second
    (primary,) = (eni for eni in enis.values() if eni.primary)
    assert primary.primary_ip == cloud.describe_instance(node).private_ip
    assert primary.mac == primary.mac.lower()
    assert len(second.addresses) == 3
    assert second.primary_ip in {address.ip for address in second.addresses}


def test_enis_of_other_nodes_are_not_listed(cloud, region, node, second):
    other = region.create_instance(InstanceOrder(instance_type="S5.MEDIUM4")).instance_id
    assert second.eni_id not in {eni.eni_id for eni in cloud.describe_enis(other)}


def test_a_node_without_enis_in_the_listing_is_an_empty_list(cloud):
    assert cloud.describe_enis("ins-00000000") == []


def test_leftovers_are_found_by_their_tags(cloud, node, second, soon):
    cloud.detach_eni(second.eni_id, node, soon())
    (found,) = cloud.find_enis({"tke-clusterId": "cls-1", "tke-eni-node": node})
    assert (found.eni_id, found.instance_id) == (second.eni_id, "")
    assert cloud.find_enis({"tke-clusterId": "cls-2"}) == []


def test_enis_without_a_tag_to_look_for_are_not_listed_at_all(cloud, region):
    with pytest.raises(ValueError, match="tag"):
        cloud.find_enis({})
    assert region.audit.calls() == {}


def test_detached_and_deleted_is_gone(cloud, region, node, second, soon):
    cloud.detach_eni(second.eni_id, node, soon())
    assert cloud.describe_eni(second.eni_id).instance_id == ""
    cloud.delete_eni(second.eni_id, soon())
    assert cloud.describe_eni(second.eni_id) is None
    assert second.eni_id not in region.snapshot()["enis"]


def test_doing_it_again_is_a_success(cloud, node, second, soon):
    for _ in range(2):
        cloud.detach_eni(second.eni_id, node, soon())
    for _ in range(2):
        cloud.delete_eni(second.eni_id, soon())
    cloud.detach_eni(second.eni_id, node, soon())


def test_an_attached_eni_is_not_deleted(cloud, second, soon):
    with pytest.raises(CloudError, match=second.eni_id) as caught:
        cloud.delete_eni(second.eni_id, soon())
    assert caught.value.kind is CloudErrorKind.WRONG_STATE


@pytest.mark.parametrize("fault", [FaultKind.TIMEOUT_AFTER, FaultKind.BROKEN_JSON])
def test_a_lost_answer_does_not_hide_that_it_was_done(cloud, region, node, second, soon, fault):
    region.faults.add(Fault(kind=fault, action="DetachNetworkInterface"))
    cloud.detach_eni(second.eni_id, node, soon())
    region.faults.add(Fault(kind=fault, action="DeleteNetworkInterface"))
    cloud.delete_eni(second.eni_id, soon())
    assert cloud.describe_eni(second.eni_id) is None


def test_a_failed_task_is_told(cloud, region, node, second, soon):
    region.faults.add(Fault(kind=FaultKind.TASK_FAILURE, action="DetachNetworkInterface"))
    with pytest.raises(CloudError) as caught:
        cloud.detach_eni(second.eni_id, node, soon())
    assert caught.value.kind is CloudErrorKind.TASK_FAILED
    assert caught.value.request_id


def test_enis_are_read_by_their_ids_and_those_that_are_gone_are_left_out(cloud, region, node, second):
    (primary,) = [eni for eni in cloud.describe_enis(node) if eni.primary]
    known = [primary.eni_id, second.eni_id]

    assert {eni.eni_id for eni in cloud.describe_enis_by_id(known)} == set(known)
    assert {eni.eni_id for eni in cloud.describe_enis_by_id([*known, "eni-00000000"])} == set(known)
    assert cloud.describe_enis_by_id([]) == []
