"""What each error code of the cloud means to us, and what a person should do about it: one table.

The codes are those that the API documentation lists for the actions in use (vpc and cvm 2017-03-12: "Error
Codes" on the page of each action), the SDK's own (`ClientNetworkError`, `ServerNetworkError`), and ours, all
`Client...`, for what happens on this side of the wire. A code that is not listed has its family's meaning:
the text before its last dot, and so on upwards. Messages are shown and never parsed for meaning: the cloud
translates them.
"""

import re
from typing import NamedTuple

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind

EIP_POLICY = "QcloudAccessForIPAMDRoleInQcloudAllocateEIP"
"""Preset policy for EIPs (document 457/64886)."""
ENI_POLICY = "QcloudAccessForIPAMDofTKERole"
"""Preset policy for ENIs (international document 457/37363)."""
OUR_POLICY = "deploy/cam-policy.json"
"""The custom policy with all that is called; no page says which preset one has reservations."""
EIP_LIMITS = "https://cloud.tencent.com/document/product/1199/41648"
"""Page with the quotas of EIPs."""

_ACCOUNT = "the account is not entitled to it or its billing type does not offer it: see the console"
_CLOCK = "compare the node's clock with the true time: requests that are 5 minutes off are refused"
_GRANT = (
    "grant {denied} in CAM: associate {policy} with the CAM role of the CVM that asks, or with the user "
    "whose keys it has"
)
_LOOK = "the object is looked at again before the next attempt; act only if this repeats"
_QUOTA = "release what is unused or ask for a higher quota in the console"
_REPORT = "a defect of tke-eni or a change of the API: report it with the RequestId"
_TAGS = (
    "the account takes no more tags, or no more values of one (1,000 for a key in older accounts): in the "
    "console delete values of tke-eipclaim-uid that no resource has, or ask for more"
)
_VALUES = "check the values that were configured or annotated"
_WAIT = "it is repeated by itself; if it lasts, ask for a higher API rate or let fewer clients share it"
_WAY = "check the way to the cloud API: name resolution, routes, proxies, security groups"

_K = CloudErrorKind
_ADVICE_BY_CODE: dict[CloudErrorKind, dict[str, str]] = {
    _K.UNKNOWN_OUTCOME: {
        "ClientNetworkError": _WAY,
        "ServerNetworkError": _WAY,
        "ClientBrokenAnswer": _WAY,
        "ClientEndUnseen": _LOOK,
    },
    _K.CREDENTIALS: {
        "ClientNoCredential": "bind a CAM role to the CVM or set TENCENTCLOUD_SECRET_ID and _SECRET_KEY",
        "AuthFailure": "check the CAM role of the CVM or the configured SecretId",
        "AuthFailure.SignatureExpire": _CLOCK,
        "AuthFailure.SignatureFailure": f"check the configured SecretKey, and {_CLOCK}",
        "AuthFailure.TokenFailure": "a new temporary credential is taken from the metadata service",
    },
    _K.PERMISSION: {
        "AuthFailure.UnauthorizedOperation": _GRANT,
        "UnauthorizedOperation": _GRANT,
        "UnauthorizedOperation.AnycastEip": _ACCOUNT,
        "UnauthorizedOperation.InvalidAccount": _ACCOUNT,
        "IpInBlacklist": "the account's API access list forbids this source address",
        "IpNotInWhitelist": "the account's API access list lacks this source address",
    },
    _K.THROTTLED: {
        "ClientRateLimit": _WAIT,
        "RequestLimitExceeded": _WAIT,
        "LimitExceeded.ActionLimited": _WAIT,
    },
    _K.BUSY: {
        "ClientNoTimeLeft": "it is repeated with the next request",
        "DesOperation.MutexTaskRunning": _LOOK,
        "OperationDenied.MutexTaskRunning": _LOOK,
        "ResourceBusy": _LOOK,
        "ResourceUnavailable": _LOOK,
        "UnsupportedOperation.IdempotentProcessing": _LOOK,
        "UnsupportedOperation.MutexOperationTaskRunning": _LOOK,
    },
    _K.QUOTA: {
        "LimitExceeded": _QUOTA,
        "LimitExceeded.BandwidthPackageResourceQuota": "the bandwidth package has all the EIPs it may have "
        "(100 in a post-paid one): name another package in eip-attributes, or ask for more in the console",
        "LimitExceeded.InstanceAddressQuota": "the CVM has all public IPs its size allows: use another node",
        "LimitExceeded.ModifyAddressInternetChargeTypeQuota": "an EIP's charge type changes twice in its "
        "life: write chargeType as it was, or delete the claim for another EIP",
        "LimitExceeded.NetworkInterfaceLimitExceeded": "the CVM or the VPC has all the ENIs it may have",
        "AddressQuotaLimitExceeded": f"the region's EIPs are used up ({EIP_LIMITS}): {_QUOTA}",
        "AddressQuotaLimitExceeded.DailyAllocate": "the day's EIP purchases are used up: wait for tomorrow",
        "ResourceInsufficient": "the region has none left: choose another ISP or zone, or wait",
    },
    _K.TAGS: {
        "InvalidParameterValue.TagNotAllocatedQuota": _TAGS,
        "LimitExceeded.TagKey": _TAGS,
        "LimitExceeded.TagQuota": _TAGS,
        "LimitExceeded.TagValue": _TAGS,
    },
    _K.SUBNET_FULL: {
        "ResourceInsufficient.Subnet": "free addresses in the subnet or configure another of the same zone",
    },
    _K.MONEY: {
        "FailedOperation.BalanceInsufficient": "top up the account",
        "InvalidAddressIdState.InArrears": "the EIP is isolated for arrears: top up the account",
        "InvalidParameterValue.ResourceExpired": "the resource has expired: renew it",
        "OperationDenied.AddressInArrears": "the EIP is isolated for arrears: top up the account",
        "UnsupportedOperation.UnpaidOrderAlreadyExists": "pay or cancel the open order",
    },
    _K.NOT_FOUND: {
        "ClientNotFound": "check the id; it may have been deleted",
        "InvalidAddressId.NotFound": "",
        "InvalidInstanceId.NotFound": "",
        "InvalidNetworkInterfaceId.NotFound": "",
        "InvalidParameterValue.AddressNotFound": "",
        "InvalidParameterValue.NetworkInterfaceNotFound": "",
        "InvalidParameterValue.ResourceNotFound": "",
        "InvalidParameterValue.ResourceNotExisted": "",
        "ResourceNotFound": "",
    },
    _K.WRONG_STATE: {
        "ClientBoundElsewhere": "unbind it there or use another EIP; a bound EIP is never taken away",
        "FailedOperation.AddressEniInfoNotFound": _LOOK,
        "InvalidAddressId.Blocked": "the EIP is blocked (attack or abuse): see the console",
        "InvalidAddressIdStatus": _LOOK,
        "InvalidAddressState": _LOOK,
        "InvalidInstanceId.AlreadyBindEip": _LOOK,
        "InvalidParameterValue.InvalidInstanceState": "start the CVM",
        "InvalidParameterValue.NetworkInterfaceIdNotMatch": _LOOK,
        "InvalidParameterValue.PrivateIpAddressNotMatch": _LOOK,
        "InvalidPrivateIpAddress.AlreadyBindEip": _LOOK,
        "OperationDenied": _LOOK,
        "OperationDenied.AddressDeletionProtectionEnabled": "switch the EIP's deletion protection off",
        "ResourceInUse": _LOOK,
        "UnsupportedOperation": _LOOK,
        "UnsupportedOperation.InstanceStateNotSupported": "start the CVM",
    },
    _K.INVALID: {
        "ActionOffline": _REPORT,
        "ClientAccountType": "remove InternetChargeType from eip-attributes, or name one that it has",
        "ClientError": _REPORT,
        "ClientParamsError": _REPORT,
        "FailedOperation.IpTypeNotPermit": "such an EIP stays in its package: write the package as it was",
        "InvalidAccount": _ACCOUNT,
        "InvalidAction": _REPORT,
        "InvalidAddressId": _VALUES,
        "InvalidFilter": _REPORT,
        "InvalidFilterValue": _REPORT,
        "InvalidInstance": "the CVM does not support it",
        "InvalidInstanceId": _VALUES,
        "InvalidNetworkInterfaceId": _VALUES,
        "InvalidParameter": _REPORT,
        "InvalidParameterCombination": _REPORT,
        "InvalidParameterConflict": _VALUES,
        "InvalidParameterValue": _VALUES,
        "InvalidParameterValueLimit": _REPORT,
        "LimitExceeded.NumberOfFilters": _REPORT,
        "MissingParameter": _REPORT,
        "NoSuchProduct": _REPORT,
        "NoSuchVersion": _REPORT,
        "RequestSizeLimitExceeded": _REPORT,
        "UnknownParameter": _REPORT,
        "UnsupportedOperation.AccountNotSupported": _ACCOUNT,
        "UnsupportedOperation.BandwidthPackageIdNotSupported": "choose another package or charge type",
        "UnsupportedOperation.InvalidAddressInternetChargeType": "choose another charge type",
        "UnsupportedOperation.InvalidResourceInternetChargeType": "what is billed so joins no package",
        "UnsupportedOperation.NatNotSupported": "EIPs of NAT gateways are changed in the console",
        "UnsupportedOperation.IspNotSupported": "choose another ISP in eip-attributes",
        "UnsupportedOperation.OfflineChargeType": "choose another charge type",
        "UnsupportedOperation.ResourceMismatch": "subnet, CVM and VPC must belong together, in one zone",
        "UnsupportedOperation.UnsupportedInstanceFamily": "the CVM does not support it",
        "UnsupportedOperation.UnsupportedRegion": "this region does not offer it",
        "UnsupportedOperation.VpcMismatch": "ENI and CVM must be in one VPC",
        "UnsupportedOperation.ZoneMismatch": "ENI and CVM must be in one zone",
        "UnsupportedProtocol": _REPORT,
        "UnsupportedRegion": "check the configured region",
    },
    _K.NEW_TOKEN: {
        "UnsupportedOperation.DeliveryFailed": "the order is placed again by itself",
        "UnsupportedOperation.IdempotentParameterMismatch": "the EIP of the first order is waited for",
    },
    _K.TASK_FAILED: {
        "ClientTaskFailed": _LOOK,
        "FailedOperation.TaskFailed": _LOOK,
    },
    _K.INTERNAL: {
        "ClientUnexpectedAnswer": _REPORT,
    },
}


class ErrorMeaning(NamedTuple):
    """What a code means to the caller, and what it asks of a person."""

    kind: CloudErrorKind
    advice: str


_TABLE = {
    code: ErrorMeaning(kind, advice)
    for kind, codes in _ADVICE_BY_CODE.items()
    for code, advice in codes.items()
}
_UNLISTED = ErrorMeaning(_K.INTERNAL, "if it lasts, ask Tencent Cloud with the RequestId")
_DENIED = re.compile(r"\(([a-z]+:[A-Za-z*]+)\)")
"""How CAM names the action that it denies: `... perform operation (cvm:AllocateAddresses)`."""


def meaning(code: str) -> ErrorMeaning:
    """Return the meaning of a code, or of the nearest family that is listed."""
    family = code
    while family:
        if family in _TABLE:
            return _TABLE[family]
        family = family.rpartition(".")[0]
    return _UNLISTED


def cloud_error(action: str, code: str, message: str, request_id: str = "") -> CloudError:
    """Return the error for an API `action` that was answered with `code`.

    CAM checks EIP actions in the namespace `cvm:` although their endpoint is vpc, so the name of a denied
    action is taken from the cloud's message where it has one.
    """
    kind, advice = meaning(code)
    if advice is _GRANT:
        named = _DENIED.search(message)
        denied = named.group(1) if named else action
        advice = _GRANT.format(denied=denied, policy=_policy_with(denied))
    return CloudError(kind, message.strip(), action=action, code=code, request_id=request_id, advice=advice)


def _policy_with(denied: str) -> str:
    """Return the policy that allows an action, in words."""
    if "ReserveIp" in denied or "UsedIp" in denied:
        return f"the policy {OUR_POLICY}"
    of_eips = "Address" in denied and "PrivateIpAddress" not in denied
    return f"the preset policy {EIP_POLICY if of_eips else ENI_POLICY}"
