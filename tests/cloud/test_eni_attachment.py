"""An ENI that lives longer than its attachment: created alone, attached, detached, attached again."""

import pytest

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import Fault, FaultKind, InstanceOrder

OURS = {"tke-clusterId": "cls-1", "tke-vpcipclaim-uid": "uid-1"}
LOST = [FaultKind.TIMEOUT_AFTER, FaultKind.BROKEN_JSON, FaultKind.HTTP_500]


def order(**changes):
    wanted = {"vpc_id": "vpc-demo0001", "subnet_id": "subnet-demo0001", "name": "web-0", "tags": OURS}
    return model.EniOrder(**{**wanted, **changes})


def secondary_enis(region):
    return {eni_id for eni_id, eni in region.snapshot()["enis"].items() if not eni["primary"]}


def with_eip(cloud, region, eni):
    eip_id = cloud.allocate_eip(model.EipOrder(), {}, f"token-{eni.eni_id}").eip_id
    assert region.wait_idle(60)
    cloud.associate_eip(eip_id, eni.eni_id, eni.primary_ip)
    assert region.wait_idle(60)
    return eip_id


@pytest.fixture
def lone(cloud, soon):
    return cloud.create_eni(order(), "token-lone", soon())


@pytest.fixture
def other_node(region):
    return str(region.create_instance(InstanceOrder(instance_type="S5.LARGE8")).instance_id)


def test_a_new_eni_is_available_and_attached_to_nothing(cloud, region, soon):
    wish = order(ip="10.0.1.77", security_groups=("sg-demo0001",))
    eni = cloud.create_eni(wish, "token-1", soon())
    assert (eni.state, eni.instance_id, eni.primary_ip) == (model.EniState.AVAILABLE, "", "10.0.1.77")
    assert (eni.tags, eni.security_groups) == (OURS, ("sg-demo0001",))
    assert secondary_enis(region) == {eni.eni_id}


def test_without_a_name_the_vpc_chooses_the_address(lone):
    assert [address.primary for address in lone.addresses] == [True]


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_makes_no_second_eni(cloud, region, soon, fault):
    region.faults.add(Fault(kind=fault, action="CreateNetworkInterface", count=2))
    eni = cloud.create_eni(order(), "token-1", soon())
    assert cloud.create_eni(order(), "token-1", soon()).eni_id == eni.eni_id
    assert secondary_enis(region) == {eni.eni_id}


def test_a_creation_whose_task_failed_leaves_nothing(cloud, region, soon):
    region.faults.add(Fault(kind=FaultKind.TASK_FAILURE, action="CreateNetworkInterface"))
    with pytest.raises(CloudError) as caught:
        cloud.create_eni(order(), "token-1", soon())
    assert caught.value.kind is CloudErrorKind.TASK_FAILED
    assert secondary_enis(region) == set()


def test_an_address_that_somebody_has_is_told(cloud, region, lone, soon):
    with pytest.raises(CloudError, match=rf"{lone.primary_ip} of subnet-demo0001 is in use") as caught:
        cloud.create_eni(order(ip=lone.primary_ip), "token-1", soon())
    assert caught.value.kind is CloudErrorKind.ADDRESS_IN_USE
    assert secondary_enis(region) == {lone.eni_id}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("LimitExceeded.NetworkInterfaceLimitExceeded", CloudErrorKind.QUOTA),
        ("ResourceInsufficient.Subnet", CloudErrorKind.SUBNET_FULL),
    ],
)
def test_a_creation_that_lacks_something_is_not_asked_for_again_at_once(cloud, region, soon, code, kind):
    region.faults.add(Fault(kind=FaultKind.ERROR, action="CreateNetworkInterface", code=code))
    for _ in range(2):
        with pytest.raises(CloudError) as caught:
            cloud.create_eni(order(), "token-1", soon())
        assert caught.value.kind is kind
    assert region.audit.calls()["CreateNetworkInterface"] == 1


def test_an_eni_is_attached_as_an_extended_one(cloud, lone, node, soon):
    eni = cloud.attach_eni(lone.eni_id, node, soon())
    assert (eni.eni_id, eni.instance_id, eni.state) == (lone.eni_id, node, model.EniState.AVAILABLE)
    assert eni.extended
    assert (eni.tags, eni.primary_ip, eni.mac) == (lone.tags, lone.primary_ip, lone.mac)
    assert [one.eni_id for one in cloud.describe_enis(node) if not one.primary] == [lone.eni_id]


def test_an_eni_moves_back_and_forth_with_its_eip(cloud, region, lone, node, other_node, soon):
    eip_id = with_eip(cloud, region, lone)
    for instance_id in (node, other_node, node):
        cloud.attach_eni(lone.eni_id, instance_id, soon())
        eip = cloud.describe_eip(eip_id)
        assert (eip.status, eip.instance_id) == (model.EipStatus.BIND, instance_id)
        cloud.detach_eni(lone.eni_id, instance_id, soon())
        eip = cloud.describe_eip(eip_id)
        assert (eip.status, eip.eni_id, eip.private_ip, eip.instance_id) == (
            model.EipStatus.BIND_ENI,
            lone.eni_id,
            lone.primary_ip,
            "",
        )
    assert region.audit.calls()["AssociateAddress"] == 1


@pytest.mark.parametrize(
    ("rule", "kind"), [("NONE", CloudErrorKind.WRONG_STATE), ("LIMITED", CloudErrorKind.QUOTA)]
)
def test_an_eni_whose_eip_the_cvm_does_not_take_keeps_it(cloud, region, lone, rule, kind, soon):
    crowded = region.create_instance(InstanceOrder(instance_type="S5.SMALL2", public_ip=True)).instance_id
    first = cloud.create_eni(order(), "token-first", soon())
    with_eip(cloud, region, first)
    cloud.attach_eni(first.eni_id, crowded, soon())
    eip_id = with_eip(cloud, region, lone)
    region.set_attachment_of_eips(rule)
    with pytest.raises(CloudError) as caught:
        cloud.attach_eni(lone.eni_id, crowded, soon())
    assert caught.value.kind is kind
    assert cloud.describe_eip(eip_id).eni_id == lone.eni_id


def test_attaching_what_is_there_is_a_success(cloud, region, lone, node, soon):
    cloud.attach_eni(lone.eni_id, node, soon())
    assert cloud.attach_eni(lone.eni_id, node, soon()).instance_id == node


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_does_not_hide_that_it_was_attached(cloud, region, lone, node, soon, fault):
    region.faults.add(Fault(kind=fault, action="AttachNetworkInterface"))
    assert cloud.attach_eni(lone.eni_id, node, soon()).instance_id == node


def test_an_eni_is_not_taken_from_another_cvm(cloud, lone, node, other_node, soon):
    cloud.attach_eni(lone.eni_id, other_node, soon())
    with pytest.raises(CloudError, match=f"{lone.eni_id} is attached to {other_node}") as caught:
        cloud.attach_eni(lone.eni_id, node, soon())
    assert caught.value.kind is CloudErrorKind.WRONG_STATE
    assert cloud.describe_eni(lone.eni_id).instance_id == other_node


def test_an_eni_that_does_not_exist_is_not_found(cloud, node, soon):
    with pytest.raises(CloudError) as caught:
        cloud.attach_eni("eni-00000000", node, soon())
    assert caught.value.kind is CloudErrorKind.NOT_FOUND


def test_a_failed_task_leaves_it_detached(cloud, region, lone, node, soon):
    region.faults.add(Fault(kind=FaultKind.TASK_FAILURE, action="AttachNetworkInterface"))
    with pytest.raises(CloudError) as caught:
        cloud.attach_eni(lone.eni_id, node, soon())
    assert caught.value.kind is CloudErrorKind.TASK_FAILED
    assert cloud.describe_eni(lone.eni_id).instance_id == ""
    assert cloud.attach_eni(lone.eni_id, node, soon()).instance_id == node
