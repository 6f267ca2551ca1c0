"""Binding and unbinding: repeats, lost answers, and holders that are in the way."""

import contextlib
import threading

import pytest

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import CloudRegion, Fault, FaultKind, InstanceOrder, Latencies, RateLimits, RegionConfig
from simulator.fabric.api import NullFabric

PATIENCE = 60
"""Seconds for what takes a fraction of one, on a busy machine."""


class SlowBinds(NullFabric):
    """A data plane on which a bind takes as long as the test says."""

    def __init__(self):
        self.goes_on = threading.Event()
        self.goes_on.set()

    def bind_eip(self, public_ip, private_ip):
        assert self.goes_on.wait(PATIENCE)

    @contextlib.contextmanager
    def held(self):
        """Let no bind end in the block."""
        self.goes_on.clear()
        try:
            yield
        finally:
            self.goes_on.set()


@pytest.fixture
def fabric():
    return SlowBinds()


@pytest.fixture
def region(fabric):
    config = RegionConfig(latencies=Latencies(scale=0.1), rate_limits=RateLimits(enabled=False))
    with CloudRegion(config, fabric) as region:
        yield region


@pytest.fixture
def node(region):
    """A CVM that takes 3 public IPs."""
    return region.create_instance(InstanceOrder(instance_type="S5.2XLARGE16")).instance_id


@pytest.fixture
def eni(cloud, node):
    return cloud.describe_enis(node)[0]


@pytest.fixture
def ips(cloud, eni, soon):
    return cloud.assign_ips(eni.eni_id, 5, "token-ips", soon())


@pytest.fixture
def eips(cloud, region):
    found = [cloud.allocate_eip(model.EipOrder(), {"k": "v"}, f"token-{n}").eip_id for n in range(5)]
    assert region.wait_idle(PATIENCE)
    return found


def associations(region):
    return [entry for entry in region.audit.writes() if entry.action == "AssociateAddress" and not entry.code]


def test_a_bound_eip_shows_where(cloud, region, fabric, node, eni, ips, eips):
    with fabric.held():
        task = cloud.associate_eip(eips[0], eni.eni_id, ips[0])
        assert cloud.describe_eip(eips[0]).status is model.EipStatus.BINDING
    assert region.wait_idle(PATIENCE)
    eip = cloud.describe_eip(eips[0])
    assert eip.bound
    assert (eip.eni_id, eip.private_ip, eip.instance_id) == (eni.eni_id, ips[0], node)
    assert cloud.describe_eips(eni_ids=[eni.eni_id]) == [eip]
    assert cloud.describe_eip_task(task).value == "SUCCESS"
    (address,) = (a for a in cloud.describe_eni(eni.eni_id).addresses if a.ip == ips[0])
    assert (address.eip_id, address.public_ip) == (eips[0], eip.public_ip)


def test_binding_again_to_the_same_address_is_a_success_while_under_way_and_when_done(
    cloud, region, fabric, eni, ips, eips
):
    with fabric.held():
        assert cloud.associate_eip(eips[0], eni.eni_id, ips[0])
        threading.Timer(0.2, fabric.goes_on.set).start()
        assert cloud.associate_eip(eips[0], eni.eni_id, ips[0]) == ""
    assert region.wait_idle(PATIENCE)
    assert cloud.associate_eip(eips[0], eni.eni_id, ips[0]) == ""
    assert len(associations(region)) == 1


@pytest.mark.parametrize("fault", [FaultKind.TIMEOUT_AFTER, FaultKind.BROKEN_JSON])
def test_a_lost_answer_to_a_bind_is_settled_by_a_look(cloud, region, eni, ips, eips, fault):
    region.faults.add(Fault(kind=fault, action="AssociateAddress"))
    assert cloud.associate_eip(eips[0], eni.eni_id, ips[0]) == ""
    assert len(associations(region)) == 1


def test_a_bind_that_did_not_reach_the_cloud_has_an_unknown_outcome_and_is_not_repeated(
    cloud, region, eni, ips, eips
):
    region.faults.add(Fault(kind=FaultKind.TIMEOUT_BEFORE, action="AssociateAddress"))
    with pytest.raises(CloudError) as caught:
        cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    assert associations(region) == []


def test_a_busy_eip_is_bound_when_it_is_free_again(cloud, region, eni, ips, eips):
    region.faults.add(Fault(kind=FaultKind.BUSY, action="AssociateAddress", count=3))
    cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    assert len(associations(region)) == 1


def test_an_eip_that_is_bound_elsewhere_is_left_there_and_its_holder_named(
    cloud, region, node, eni, ips, eips
):
    cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    assert region.wait_idle(PATIENCE)
    with pytest.raises(CloudError, match=f"{eips[0]} is bound to {ips[0]} {eni.eni_id} of {node}") as caught:
        cloud.associate_eip(eips[0], eni.eni_id, ips[1])
    assert caught.value.kind is CloudErrorKind.WRONG_STATE
    assert cloud.describe_eip(eips[0]).private_ip == ips[0]


def test_an_address_that_has_another_eip_keeps_it_and_that_eip_is_named(cloud, region, eni, ips, eips):
    cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    assert region.wait_idle(PATIENCE)
    with pytest.raises(CloudError, match=f"{ips[0]} of {eni.eni_id} already has {eips[0]}") as caught:
        cloud.associate_eip(eips[1], eni.eni_id, ips[0])
    assert caught.value.kind is CloudErrorKind.WRONG_STATE


@pytest.mark.parametrize(("eip", "on"), [("eip-00000000", None), (None, "eni-00000000")])
def test_what_does_not_exist_is_not_found(cloud, eni, ips, eips, eip, on):
    with pytest.raises(CloudError) as caught:
        cloud.associate_eip(eip or eips[0], on or eni.eni_id, ips[0])
    assert caught.value.kind is CloudErrorKind.NOT_FOUND


def test_an_address_that_the_eni_does_not_have_is_refused(cloud, eni, eips):
    with pytest.raises(CloudError) as caught:
        cloud.associate_eip(eips[0], eni.eni_id, "10.0.1.250")
    assert caught.value.kind in (CloudErrorKind.WRONG_STATE, CloudErrorKind.NOT_FOUND)


def test_a_node_with_all_its_public_ips_is_a_quota_error_until_one_is_unbound(cloud, region, eni, ips, eips):
    for n in range(3):
        cloud.associate_eip(eips[n], eni.eni_id, ips[n])
    assert region.wait_idle(PATIENCE)
    for _ in range(2):
        with pytest.raises(CloudError, match="use another node") as caught:
            cloud.associate_eip(eips[3], eni.eni_id, ips[3])
        assert caught.value.kind is CloudErrorKind.QUOTA
    assert region.audit.calls()["AssociateAddress"] == 4
    cloud.disassociate_eip(eips[0])
    assert region.wait_idle(PATIENCE)
    cloud.associate_eip(eips[3], eni.eni_id, ips[3])


def test_an_eip_in_arrears_is_a_matter_of_money(cloud, region, eni, ips, eips):
    region.set_eip_condition(eips[0], arrears=True)
    with pytest.raises(CloudError) as caught:
        cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    assert caught.value.kind is CloudErrorKind.MONEY
    cloud.associate_eip(eips[1], eni.eni_id, ips[0])


def test_an_unbound_eip_is_free_and_unbinding_it_again_is_a_success(cloud, region, eni, ips, eips):
    cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    assert region.wait_idle(PATIENCE)
    assert cloud.disassociate_eip(eips[0])
    assert cloud.disassociate_eip(eips[0]) == ""
    assert region.wait_idle(PATIENCE)
    eip = cloud.describe_eip(eips[0])
    assert (eip.status, eip.eni_id, eip.private_ip) == (model.EipStatus.UNBIND, "", "")
    assert cloud.disassociate_eip(eips[0]) == ""
    assert cloud.disassociate_eip("eip-00000000") == ""


def test_unbinding_during_the_bind_waits_until_the_eip_is_free_for_it(cloud, region, eni, ips, eips):
    cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    cloud.disassociate_eip(eips[0])
    assert region.wait_idle(PATIENCE)
    assert cloud.describe_eip(eips[0]).status is model.EipStatus.UNBIND


def test_a_lost_answer_to_an_unbind_is_settled_by_a_look(cloud, region, eni, ips, eips):
    cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    assert region.wait_idle(PATIENCE)
    region.faults.add(Fault(kind=FaultKind.TIMEOUT_AFTER, action="DisassociateAddress"))
    assert cloud.disassociate_eip(eips[0]) == ""


def test_an_unbind_that_did_not_reach_the_cloud_is_not_taken_for_done(cloud, region, eni, ips, eips):
    cloud.associate_eip(eips[0], eni.eni_id, ips[0])
    assert region.wait_idle(PATIENCE)
    region.faults.add(Fault(kind=FaultKind.TIMEOUT_BEFORE, action="DisassociateAddress"))
    with pytest.raises(CloudError) as caught:
        cloud.disassociate_eip(eips[0])
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    assert cloud.describe_eip(eips[0]).bound
