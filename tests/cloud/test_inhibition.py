"""Refusals that are believed for a while instead of being asked for again."""

import pytest

from ipamd.cloud.inhibition import Inhibitor
from ipamd.core.cloud_errors import cloud_error
from ipamd.core.errors import CloudError, CloudErrorKind


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def inhibitor(clock):
    return Inhibitor(clock=clock, windows={CloudErrorKind.SUBNET_FULL: 60, CloudErrorKind.PERMISSION: 60})


SUBNET_FULL = cloud_error("CreateAndAttachNetworkInterface", "ResourceInsufficient.Subnet", "full", "r-1")
DENIED = cloud_error("CreateAndAttachNetworkInterface", "UnauthorizedOperation", "no", "r-2")


def test_a_refusal_is_given_again_until_its_window_ends(clock, inhibitor):
    inhibitor.refused("CreateAndAttachNetworkInterface", "subnet-a", SUBNET_FULL)
    clock.now = 59.0
    with pytest.raises(CloudError) as caught:
        inhibitor.check("CreateAndAttachNetworkInterface", "subnet-a")
    assert caught.value is not SUBNET_FULL
    assert str(caught.value) == str(SUBNET_FULL)
    assert caught.value.kind is CloudErrorKind.SUBNET_FULL
    assert caught.value.request_id == "r-1"
    clock.now = 60.0
    inhibitor.check("CreateAndAttachNetworkInterface", "subnet-a")


def test_a_full_subnet_says_nothing_of_another_subnet_or_action(inhibitor):
    inhibitor.refused("CreateAndAttachNetworkInterface", "subnet-a", SUBNET_FULL)
    inhibitor.check("CreateAndAttachNetworkInterface", "subnet-b")
    inhibitor.check("AssignPrivateIpAddresses", "subnet-a")


def test_a_missing_permission_holds_for_every_scope(inhibitor):
    inhibitor.refused("CreateAndAttachNetworkInterface", "subnet-a", DENIED)
    with pytest.raises(CloudError, match="UnauthorizedOperation"):
        inhibitor.check("CreateAndAttachNetworkInterface", "subnet-b")


def test_a_success_ends_the_wait(inhibitor):
    inhibitor.refused("CreateAndAttachNetworkInterface", "subnet-a", DENIED)
    inhibitor.refused("CreateAndAttachNetworkInterface", "subnet-a", SUBNET_FULL)
    inhibitor.succeeded("CreateAndAttachNetworkInterface", "subnet-a")
    inhibitor.check("CreateAndAttachNetworkInterface", "subnet-a")


@pytest.mark.parametrize("action", ["UnassignPrivateIpAddresses", "DeleteNetworkInterface"])
def test_addresses_that_come_free_let_a_full_subnet_be_asked_again(inhibitor, action):
    inhibitor.refused("CreateAndAttachNetworkInterface", "subnet-a", SUBNET_FULL)
    inhibitor.succeeded(action, "")
    inhibitor.check("CreateAndAttachNetworkInterface", "subnet-a")


def test_a_release_lets_the_next_order_be_tried_at_once(clock):
    inhibitor = Inhibitor(clock=clock)
    quota = cloud_error("AllocateAddresses", "AddressQuotaLimitExceeded", "20 of 20")
    inhibitor.refused("AllocateAddresses", "BGP", quota)
    inhibitor.succeeded("DescribeAddresses", "")
    with pytest.raises(CloudError):
        inhibitor.check("AllocateAddresses", "BGP")
    inhibitor.succeeded("ReleaseAddresses", "")
    inhibitor.check("AllocateAddresses", "BGP")


@pytest.mark.parametrize(
    "code", ["RequestLimitExceeded", "OperationDenied.MutexTaskRunning", "InternalError"]
)
def test_what_passes_by_itself_is_not_believed(clock, code):
    inhibitor = Inhibitor(clock=clock)
    inhibitor.refused("AssociateAddress", "", cloud_error("AssociateAddress", code, "later"))
    inhibitor.check("AssociateAddress", "")
