"""Every action of the cloud's API that the product calls: what for, and how a right to it is looked at. Pure.

One table for the check before an installation; tests compare it with what the adapter calls, with the CAM
policy that is shipped and with the rates that calls keep to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Purpose(Enum):
    """What an action is needed for; the words follow "for"."""

    PODS = "networks of Pods and their EIPs"
    EIP_CHANGES = "changes of EIPs that are bound"
    FIXED_IPS = "keeping fixed addresses in the VPC"
    FIXED_ENIS = "fixed addresses with an ENI of the Pod's own"

    @property
    def is_essential(self) -> bool:
        """Whether nothing works without it."""
        return self is Purpose.PODS


class Trial(Enum):
    """How the right to an action can be looked at before an installation."""

    ASKED = "asked"
    """It only reads, and is called."""
    NEEDS_OBJECT = "needs an object"
    """It only reads, and only about something that is not there yet."""
    CHANGES = "changes"
    """It changes something; none of these takes DryRun."""


@dataclass(frozen=True, slots=True)
class CloudAction:
    """One action, by its name in the API."""

    name: str
    purpose: Purpose = Purpose.PODS
    trial: Trial = Trial.ASKED


_FOR_PODS: Final = (
    "AllocateAddresses",
    "AssociateAddress",
    "DisassociateAddress",
    "ReleaseAddresses",
    "CreateAndAttachNetworkInterface",
    "DetachNetworkInterface",
    "DeleteNetworkInterface",
    "AssignPrivateIpAddresses",
    "UnassignPrivateIpAddresses",
    "AssociateNetworkInterfaceSecurityGroups",
    "DisassociateNetworkInterfaceSecurityGroups",
)
_ASKED: Final = (
    "DescribeInstances",
    "DescribeNetworkInterfaces",
    "DescribeNetworkInterfaceLimit",
    "DescribeVpcs",
    "DescribeSubnets",
    "DescribeRouteTables",
    "DescribeAddresses",
    "DescribeAddressQuota",
    "DescribeNetworkAccountType",
    "DescribeTaskResult",
    "DescribeVpcTaskResult",
)
_FOR_CHANGES: Final = (
    "ModifyAddressAttribute",
    "ModifyAddressesBandwidth",
    "ModifyAddressInternetChargeType",
    "AddBandwidthPackageResources",
    "RemoveBandwidthPackageResources",
    "MigrateBandwidthPackageResources",
)
ACTIONS: Final = (
    *(CloudAction(name, trial=Trial.CHANGES) for name in _FOR_PODS),
    *(CloudAction(name) for name in _ASKED),
    *(CloudAction(name, Purpose.EIP_CHANGES, Trial.CHANGES) for name in _FOR_CHANGES),
    CloudAction("DescribeAddressBandwidthRange", Purpose.EIP_CHANGES, Trial.NEEDS_OBJECT),
    CloudAction("CreateReserveIpAddresses", Purpose.FIXED_IPS, Trial.CHANGES),
    CloudAction("DeleteReserveIpAddresses", Purpose.FIXED_IPS, Trial.CHANGES),
    CloudAction("DescribeReserveIpAddresses", Purpose.FIXED_IPS),
    CloudAction("DescribeUsedIpAddress", Purpose.FIXED_IPS),
    CloudAction("CreateNetworkInterface", Purpose.FIXED_ENIS, Trial.CHANGES),
    CloudAction("AttachNetworkInterface", Purpose.FIXED_ENIS, Trial.CHANGES),
)
"""All of them; in each group in the order in which people are told."""
BY_NAME: Final = {action.name: action for action in ACTIONS}


def by_purpose(names: Iterable[str]) -> dict[Purpose, list[str]]:
    """Return the names under what they are needed for, in the order of the purposes."""
    given = list(names)
    found = {purpose: [name for name in given if BY_NAME[name].purpose is purpose] for purpose in Purpose}
    return {purpose: of_it for purpose, of_it in found.items() if of_it}


def untried() -> list[str]:
    """Return the actions that cannot be called without an effect, or without an object that is not there."""
    return [action.name for action in ACTIONS if action.trial is not Trial.ASKED]
