"""Refusals that are believed for a while instead of being asked for again."""

import pytest

from ipamd.cloud.eips import scope_of
from ipamd.cloud.inhibition import Inhibitor, Scope
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.model import EipOrder
from tests.testkit.clock import Clock


@pytest.fixture
def clock():
    return Clock(0.0)


@pytest.fixture
def inhibitor(clock):
    return Inhibitor(clock=clock)


SUBNET_FULL = cloud_error("CreateAndAttachNetworkInterface", "ResourceInsufficient.Subnet", "full", "r-1")
DENIED = cloud_error("CreateAndAttachNetworkInterface", "UnauthorizedOperation", "no", "r-2")


def test_a_refusal_is_given_again_until_its_window_ends(clock, inhibitor):
    inhibitor.refused("CreateAndAttachNetworkInterface", Scope("subnet-a"), SUBNET_FULL)
    clock.now = 59.0
    with pytest.raises(CloudError) as caught:
        inhibitor.check("CreateAndAttachNetworkInterface", Scope("subnet-a"))
    assert caught.value is not SUBNET_FULL
    assert str(caught.value) == str(SUBNET_FULL)
    assert caught.value.kind is CloudErrorKind.SUBNET_FULL
    assert caught.value.request_id == "r-1"
    clock.now = 60.0
    inhibitor.check("CreateAndAttachNetworkInterface", Scope("subnet-a"))


def test_a_full_subnet_says_nothing_of_another_subnet_or_action(inhibitor):
    inhibitor.refused("CreateAndAttachNetworkInterface", Scope("subnet-a"), SUBNET_FULL)
    inhibitor.check("CreateAndAttachNetworkInterface", Scope("subnet-b"))
    inhibitor.check("AssignPrivateIpAddresses", Scope("subnet-a"))


def test_a_missing_permission_retry_after_every_scope(inhibitor):
    inhibitor.refused("CreateAndAttachNetworkInterface", Scope("subnet-a"), DENIED)
    with pytest.raises(CloudError, match="UnauthorizedOperation"):
        inhibitor.check("CreateAndAttachNetworkInterface", Scope("subnet-b"))


def test_a_success_ends_the_wait(inhibitor):
    inhibitor.refused("CreateAndAttachNetworkInterface", Scope("subnet-a"), DENIED)
    inhibitor.refused("CreateAndAttachNetworkInterface", Scope("subnet-a"), SUBNET_FULL)
    inhibitor.succeeded("CreateAndAttachNetworkInterface", Scope("subnet-a"))
    inhibitor.check("CreateAndAttachNetworkInterface", Scope("subnet-a"))


@pytest.mark.parametrize("action", ["UnassignPrivateIpAddresses", "DeleteNetworkInterface"])
def test_addresses_that_come_free_let_a_full_subnet_be_asked_again(inhibitor, action):
    inhibitor.refused("CreateAndAttachNetworkInterface", Scope("subnet-a"), SUBNET_FULL)
    inhibitor.succeeded(action, Scope(""))
    inhibitor.check("CreateAndAttachNetworkInterface", Scope("subnet-a"))


def test_an_eip_that_is_gone_lets_the_next_order_be_tried_at_once(clock):
    """Not yet one whose release was only accepted: until it is gone it counts."""
    inhibitor = Inhibitor(clock=clock)
    quota = cloud_error("AllocateAddresses", "AddressQuotaLimitExceeded", "20 of 20")
    inhibitor.refused("AllocateAddresses", Scope("BGP"), quota)
    for action in ("DescribeAddresses", "ReleaseAddresses"):
        inhibitor.succeeded(action, Scope(""))
        with pytest.raises(CloudError):
            inhibitor.check("AllocateAddresses", Scope("BGP"))
    inhibitor.completed("ReleaseAddresses")
    inhibitor.check("AllocateAddresses", Scope("BGP"))


@pytest.mark.parametrize("action", ["AssociateAddress", "AttachNetworkInterface"])
def test_an_eni_that_is_off_a_cvm_makes_room_for_another_eip_at_once(clock, action):
    """Its EIP has gone with it; while it is only on its way it counts."""
    inhibitor = Inhibitor(clock=clock)
    quota = cloud_error(action, "LimitExceeded.InstanceAddressQuota", "10 of 10")
    inhibitor.refused(action, Scope("ins-a"), quota)
    inhibitor.completed("DetachNetworkInterface")
    inhibitor.check(action, Scope("ins-a"))


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "FailedOperation.BalanceInsufficient"])
def test_what_comes_free_brings_neither_permission_nor_money(clock, code):
    inhibitor = Inhibitor(clock=clock)
    inhibitor.refused("AllocateAddresses", Scope("BGP"), cloud_error("AllocateAddresses", code, "no"))
    inhibitor.completed("ReleaseAddresses")
    with pytest.raises(CloudError):
        inhibitor.check("AllocateAddresses", Scope("BGP"))


@pytest.mark.parametrize(
    "code", ["RequestLimitExceeded", "OperationDenied.MutexTaskRunning", "InternalError"]
)
def test_what_passes_by_itself_is_not_believed(clock, code):
    inhibitor = Inhibitor(clock=clock)
    inhibitor.refused("AssociateAddress", Scope(""), cloud_error("AssociateAddress", code, "later"))
    inhibitor.check("AssociateAddress", Scope(""))


HOURLY = "BANDWIDTH_POSTPAID_BY_HOUR"


def order(isp="BGP", charge_type="TRAFFIC_POSTPAID_BY_HOUR", package=""):
    return scope_of(EipOrder(isp=isp, charge_type=charge_type, bandwidth_package_id=package))


IN_PACKAGE = order(charge_type="BANDWIDTH_PACKAGE", package="bwp-1")


def denied(resource, operation="cvm:AllocateAddresses"):
    said = (
        f"you are not authorized to perform operation ({operation})\nresource ({resource}) has no permission"
    )
    return cloud_error("AllocateAddresses", "UnauthorizedOperation", said)


def refusal(code):
    return cloud_error("AllocateAddresses", code, "refused")


@pytest.mark.parametrize(
    ("error", "refused", "also", "not_"),
    [
        (
            refusal("LimitExceeded.BandwidthPackageResourceQuota"),
            order(charge_type="BANDWIDTH_PACKAGE", package="bwp-1"),
            [order(isp="CMCC", charge_type="BANDWIDTH_PACKAGE", package="bwp-1")],
            [order(), order(charge_type="BANDWIDTH_PACKAGE", package="bwp-2")],
        ),
        (refusal("ResourceInsufficient"), order("CMCC"), [order("CMCC", HOURLY)], [order()]),
        (refusal("LimitExceeded"), order("CMCC"), [], [order(), order("CMCC", HOURLY)]),
        (refusal("AddressQuotaLimitExceeded"), order(), [order(charge_type=HOURLY)], [order("CMCC")]),
        (refusal("AddressQuotaLimitExceeded.DailyAllocate"), order("CMCC"), [order("CTCC")], [order()]),
        (refusal("FailedOperation.BalanceInsufficient"), order(), [order("CMCC")], []),
        (denied("qcs::cvm:ap-guangzhou:uin/1:eip/*"), order(), [order("CMCC"), order(package="bwp-1")], []),
        (
            denied("qcs::vpc:ap-guangzhou:uin/1:bandwidthPackage/bwp-1"),
            order(package="bwp-1"),
            [order("CMCC", package="bwp-1")],
            [order(), order(package="bwp-2")],
        ),
        (
            denied("qcs::vpc:ap-guangzhou:uin/1:bandwidthPackage/*"),
            IN_PACKAGE,
            [IN_PACKAGE],
            [order(), order(charge_type="BANDWIDTH_PACKAGE", package="bwp-2")],
        ),
        (
            denied("*", "vpc:AddBandwidthPackageResources"),
            IN_PACKAGE,
            [],
            [order(), order(charge_type="BANDWIDTH_PACKAGE", package="bwp-2")],
        ),
        (denied("*"), order(), [order("CMCC"), IN_PACKAGE], []),
        (refusal("UnauthorizedOperation"), order(), [order("CMCC"), IN_PACKAGE], []),
        (refusal("UnauthorizedOperation.InvalidAccount"), order("CMCC"), [], [order(), IN_PACKAGE]),
        (
            denied("qcs::cvm:ap-guangzhou:uin/1:eip/eip-1"),
            Scope("eip-1 eni-1"),
            [Scope("eip-1 eni-2")],
            [Scope("eip-2 eni-1")],
        ),
    ],
    ids=[
        "full package",
        "line sold out",
        "unknown limit",
        "quota",
        "daily quota",
        "money",
        "action denied",
        "package denied",
        "packages denied",
        "right to packages denied",
        "all denied",
        "nothing named",
        "line not allowed",
        "EIP denied",
    ],
)
def test_a_refusal_retry_after_what_it_is_about_and_for_nothing_else(clock, error, refused, also, not_):
    inhibitor = Inhibitor(clock=clock)
    inhibitor.refused("A", refused, error)

    for scope in (refused, *also):
        with pytest.raises(CloudError):
            inhibitor.check("A", scope)
    for scope in not_:
        inhibitor.check("A", scope)
