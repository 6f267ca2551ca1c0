"""The table of everything a call can be refused for: situation, error code, message.

Codes are those which the Go SDK (vpc and cvm, v20170312) lists for the actions concerned, or the common codes
of API v3. Where an API lists several codes that fit, the comment says why this one was taken. Actions raise
`situations.SOME_SITUATION.error(...)`; the shell turns it into a `Response.Error`.
"""

from dataclasses import dataclass


class ApiError(Exception):
    """The call is refused with this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Situation:
    """One reason for a refusal; `message` has named fields in braces."""

    code: str
    message: str

    def error(self, **facts: object) -> ApiError:
        """Give the exception for the objects at hand."""
        return ApiError(self.code, self.message.format(**facts))


# The gateway: common to all products (document 215/15694).
NO_AUTHORIZATION = Situation(
    "AuthFailure.InvalidAuthorization", "The Authorization header is not valid: {reason}."
)
SECRET_ID_UNKNOWN = Situation(
    "AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure it is correct."
)
SIGNATURE_EXPIRED = Situation(
    "AuthFailure.SignatureExpire",
    "Signature expired: the timestamp {timestamp} is more than {window} seconds away from {now}.",
)
SIGNATURE_WRONG = Situation(
    "AuthFailure.SignatureFailure",
    "The provided credentials could not be validated. Please check your signature is correct.",
)
TOKEN_WRONG = Situation("AuthFailure.TokenFailure", "The token is not valid: {reason}.")
ACTION_UNKNOWN = Situation(
    "InvalidAction", "The action `{action}` of product `{product}` is invalid or not found."
)
VERSION_UNKNOWN = Situation("NoSuchVersion", "The version `{version}` of product `{product}` does not exist.")
PRODUCT_UNKNOWN = Situation("NoSuchProduct", "The product `{product}` does not exist.")
PARAMETER_MISSING = Situation("MissingParameter", "The request is missing a required parameter `{name}`.")
PARAMETER_UNKNOWN = Situation("UnknownParameter", "The parameter `{name}` is not recognized.")
PARAMETER_TYPE = Situation("InvalidParameter", "The value type of parameter `{name}` is not valid.")
BODY_NOT_JSON = Situation("InvalidParameter", "The request body is not a JSON object: {reason}.")
PROTOCOL_UNSUPPORTED = Situation(
    "UnsupportedProtocol", "Only GET and POST with {content_type} are supported."
)
REGION_UNSUPPORTED = Situation("UnsupportedRegion", "The region `{region}` is not supported here.")
CAM_DENIED = Situation(
    "UnauthorizedOperation",
    "[request id:{request_id}]you are not authorized to perform operation ({operation})\n"
    "resource ({resource}) has no permission",
)
SERVER_FAULT = Situation("InternalError", "An internal error has occurred: {reason}.")

# Too many calls: the EIP and cvm actions list the gateway's code, the ENI actions their own.
RATE_EXCEEDED = Situation(
    "RequestLimitExceeded",
    "Your current request times equals to `{current}` in a second, which exceeds the frequency limit "
    "`{limit}` for a second. Please reduce the frequency of calls.",
)
ACTION_LIMITED = Situation(
    "LimitExceeded.ActionLimited",
    "The action {action} was called {current} times in a second; the limit is {limit} times.",
)

# ClientToken.
TOKEN_MALFORMED = Situation("InvalidParameterValue", "The ClientToken must be 1 to 64 ASCII characters.")
TOKEN_REUSED = Situation(
    "UnsupportedOperation.IdempotentParameterMismatch",
    "The ClientToken {token} was used with other parameters.",
)
# AllocateAddresses lists no Idempotent* code; of those it lists this one fits.
EIP_TOKEN_REUSED = Situation(
    "InvalidParameterConflict", "The ClientToken {token} was used for an order with other parameters."
)
TOKEN_IN_PROGRESS = Situation(
    "UnsupportedOperation.IdempotentProcessing",
    "The previous request with ClientToken {token} is in progress.",
)

# EIP.
EIP_MALFORMED = Situation(
    "InvalidParameterValue.AddressIdMalformed", "The address id {address_id} is malformed."
)
EIP_NOT_FOUND = Situation("InvalidAddressId.NotFound", "The address {address_id} does not exist.")
EIP_BUSY = Situation(
    "OperationDenied.MutexTaskRunning", "A mutually exclusive task is running on {address_id}."
)
EIP_NOT_UNBOUND = Situation(
    "UnsupportedOperation.AddressStatusNotPermit",
    "The address {address_id} is {status}; the operation needs status UNBIND.",
)
EIP_NOT_BOUND = Situation(
    "InvalidAddressIdStatus.NotPermit",
    "The address {address_id} is {status}; only BIND and BIND_ENI can be unbound.",
)
EIP_BLOCKED = Situation("InvalidAddressId.Blocked", "The address {address_id} is blocked.")
EIP_IN_ARREARS = Situation(
    "OperationDenied.AddressInArrears", "The address {address_id} is isolated for arrears."
)
EIP_TARGET_MISSING = Situation(
    "InvalidParameterValue.MissingAssociateEntity", "One of InstanceId and NetworkInterfaceId is needed."
)
EIP_TARGETS_CONFLICT = Situation(
    "InvalidParameterConflict", "InstanceId and NetworkInterfaceId cannot be given together."
)
EIP_IS_ORDINARY = Situation(
    "InvalidParameterValue.ResourceNotSupport", "The address {address_id} is an ordinary public IP."
)
EIP_RELEASE_TYPE = Situation(
    "InvalidParameterValue.AddressTypeConflict", "The address {address_id} is an ordinary public IP."
)
EIP_OF_NAT_GATEWAY = Situation(
    "InvalidInstance.NotSupported", "The address {address_id} is bound to the NAT gateway {nat_gateway_id}."
)
EIP_ENI_NOT_FOUND = Situation(
    "InvalidNetworkInterfaceId.NotFound",
    "The network interface {eni_id} does not exist or does not have the private address {private_ip}.",
)
EIP_ENI_NOT_READY = Situation(
    "FailedOperation.AddressEniInfoNotFound",
    "The private address {private_ip} of {eni_id} is {state}; it must be AVAILABLE.",
)
EIP_ENI_BUSY = Situation(
    "OperationDenied.MutexTaskRunning", "A mutually exclusive task is running on {eni_id}."
)
EIP_PRIVATE_IP_TAKEN = Situation(
    "InvalidPrivateIpAddress.AlreadyBindEip",
    "The private address {private_ip} of {eni_id} has an EIP already.",
)
EIP_INSTANCE_TAKEN = Situation(
    "InvalidInstanceId.AlreadyBindEip", "The instance {instance_id} has an EIP already."
)
EIP_INSTANCE_HAS_WAN_IP = Situation(
    "InvalidParameterValue.InstanceHasWanIP",
    "The instance {instance_id} has an ordinary public IP; return it first.",
)
EIP_INSTANCE_MALFORMED = Situation(
    "InvalidParameterValue.InstanceIdMalformed", "The instance id {instance_id} is malformed."
)
EIP_INSTANCE_NOT_FOUND = Situation("InvalidInstanceId.NotFound", "The instance {instance_id} does not exist.")
EIP_INSTANCE_STATE = Situation(
    "UnsupportedOperation.InstanceStateNotSupported", "The instance {instance_id} is {state}."
)
EIP_INSTANCE_QUOTA = Situation(
    "LimitExceeded.InstanceAddressQuota",
    "The instance {instance_id} can have {limit} public IPs and has {current}.",
)
EIP_NOT_PRIMARY = Situation(
    "InvalidParameterValue.OnlySupportedForMasterNetworkCard",
    "ReallocateNormalPublicIp needs an EIP on the primary address of the primary interface.",
)
EIP_QUOTA = Situation(
    "AddressQuotaLimitExceeded",
    "The account can have {limit} EIPs in this region and has {current}; {count} more asked.",
)
EIP_DAILY_QUOTA = Situation(
    "AddressQuotaLimitExceeded.DailyAllocate",
    "The account can apply for EIPs {limit} times a day in this region and did {current} times.",
)
EIP_POOL_EMPTY = Situation("ResourceInsufficient", "No address of line {isp} is left.")
EIP_NO_BALANCE = Situation(
    "FailedOperation.BalanceInsufficient", "The balance of the account is not sufficient."
)
EIP_COUNT = Situation("InvalidParameterValue.Range", "AddressCount {count} is not within 1 to {limit}.")
EIP_ISP_NOT_ALLOWED = Situation(
    "UnsupportedOperation.AccountNotSupported", "The account is not on the whitelist for line {isp}."
)
EIP_ISP_UNKNOWN = Situation(
    "InvalidParameterValue.ResourceNotSupport", "The line {isp} is not one of BGP, CMCC, CTCC, CUCC."
)
EIP_TYPE_UNSUPPORTED = Situation(
    "InvalidParameterValue.ResourceNotSupport", "The address type {address_type} is not sold in this region."
)
EIP_ANYCAST = Situation(
    "UnauthorizedOperation.AnycastEip", "The account is not on the whitelist for Anycast EIPs."
)
EIP_BILLED_BY_CVM = Situation(
    "UnsupportedOperation.AccountNotSupported",
    "The account is of type LEGACY, so {names} may not be given.",
)
EIP_CHARGE_TYPE = Situation("InvalidParameterValue.Combination", "The charge type {charge_type} {reason}.")
EIP_BANDWIDTH_SMALL = Situation(
    "InvalidParameterValue.BandwidthTooSmall", "The bandwidth {bandwidth} Mbps is below 1."
)
EIP_BANDWIDTH_RANGE = Situation(
    "InvalidParameterValue.BandwidthOutOfRange",
    "The bandwidth {bandwidth} Mbps is not within 1 to {limit} for charge type {charge_type}.",
)
EIP_PACKAGE_MALFORMED = Situation(
    "InvalidParameterValue.BandwidthPackageIdMalformed", "The bandwidth package id {package_id} is malformed."
)
EIP_PACKAGE_NOT_FOUND = Situation(
    "InvalidParameterValue.BandwidthPackageNotFound", "The bandwidth package {package_id} does not exist."
)
EIP_PACKAGE_FULL = Situation(
    "LimitExceeded.BandwidthPackageResourceQuota",
    "The bandwidth package {package_id} can have {limit} resources and has {current}.",
)
EIP_PACKAGE_LINE = Situation(
    "UnsupportedOperation.BandwidthPackageIdNotSupported",
    "The bandwidth package {package_id} is of network type {network_type}, not {wanted}.",
)
EIP_IN_PACKAGE = Situation(
    "InvalidParameterValue.ResourceAlreadyExisted", "The address {address_id} is in {package_id} already."
)
EIP_PREPAID_IN_PACKAGE = Situation(
    "UnsupportedOperation.InvalidResourceInternetChargeType",
    "The charge type {charge_type} of {address_id} cannot join a bandwidth package.",
)
EIP_NOT_IN_PACKAGE = Situation(
    "InvalidParameterValue.ResourceNotFound", "The address {address_id} is not in {package_id}."
)
EIP_TYPE_STAYS_IN_PACKAGE = Situation(
    "FailedOperation.IpTypeNotPermit", "A {address_type} cannot leave its bandwidth package."
)
EIP_RESOURCE_MALFORMED = Situation(
    "InvalidParameterValue.ResourceIdMalformed", "The resource id {address_id} is malformed."
)
EIP_RESOURCE_NOT_FOUND = Situation(
    "InvalidParameterValue.ResourceNotFound", "The resource {address_id} does not exist."
)
EIP_CHARGE_TYPE_SAME = Situation(
    "InvalidParameterValue.InternetChargeTypeNotChanged", "The address {address_id} is {charge_type} already."
)
EIP_CHARGE_TYPE_QUOTA = Situation(
    "LimitExceeded.ModifyAddressInternetChargeTypeQuota",
    "The charge type of {address_id} was changed {limit} times, as often as it may be.",
)
EIP_CHARGE_TYPE_STAYS = Situation(
    "UnsupportedOperation.InvalidAddressInternetChargeType",
    "The charge type {charge_type} of {address_id} cannot be changed so.",
)
EIP_CHARGE_TYPE_NAT = Situation(
    "UnsupportedOperation.NatNotSupported", "The address {address_id} belongs to a NAT gateway."
)
EIP_CHARGE_TYPE_ACCOUNT = Situation(
    "InvalidAccount.NotSupported", "The account is of type LEGACY: EIPs are billed with their CVMs."
)
EIP_BANDWIDTH_OF_CVM = Situation(
    "InvalidParameterValue.InconsistentInstanceInternetChargeType",
    "The account is of type LEGACY: the bandwidth of {address_id} is its CVM's.",
)
EIP_CHARGE_RANGE = Situation(
    "InvalidParameterValue.Range", "The bandwidth {bandwidth} Mbps is not within 1 to {limit}."
)
EIP_RANGE_MALFORMED = Situation(
    "InvalidParameterValue.AddressIdMalformed", "The address id {address_id} is malformed."
)
EIP_RANGE_NOT_FOUND = Situation(
    "InvalidParameterValue.AddressNotFound", "The address {address_id} does not exist."
)
EIP_RANGE_ACCOUNT = Situation(
    "UnsupportedOperation.AccountNotSupported", "The account is of type LEGACY: EIPs have no range."
)
EIP_EGRESS = Situation(
    "InvalidParameterValue.UnsupportedEgress", "The egress {egress} is not offered for {kind}."
)
EIP_TYPE_NEEDS = Situation(
    "InvalidParameterValue.Combination", "The address type {address_type} and {name} {reason}."
)
EIP_TAG_INVALID = Situation("InvalidParameterValue.InvalidTag", "The tag {key} is not valid: {reason}.")
EIP_TAG_QUOTA = Situation("LimitExceeded.TagQuota", "A resource can have {limit} tags; {count} were given.")
# The page of the tag product has LimitExceeded.TagValue; this is the code that AllocateAddresses lists.
EIP_TAG_VALUES = Situation(
    "LimitExceeded.TagQuota", "The tag key {key} has {limit} values, as many as it may have."
)
EIP_NAME_TOO_LONG = Situation(
    "InvalidParameterValue.TooLong", "The address name is longer than 128 characters."
)
EIP_DIRECT = Situation(
    "UnsupportedOperation.ModifyAddressAttribute", "The account does not have {feature} for {address_id}."
)
EIP_LIMIT = Situation("InvalidParameterValue.LimitExceeded", "{name} {value} is not within {low} to {high}.")
EIP_FILTER_UNKNOWN = Situation("InvalidParameter.InvalidFilter", "The filter `{name}` is not supported.")
EIP_FILTERS_MANY = Situation(
    "LimitExceeded.NumberOfFilters", "At most {limit} filters are allowed; {count} were given."
)
EIP_IDS_AND_FILTER = Situation(
    "InvalidParameter", "AddressIds and the filter address-id cannot be given together."
)
EIP_TASK_UNKNOWN = Situation("InvalidParameter", "The task {task_id} does not exist.")

# ENI and VPC.
VPC_NOT_FOUND = Situation("ResourceNotFound", "The resource {resource_id} does not exist.")
VPC_MALFORMED = Situation("InvalidParameterValue.Malformed", "The value {value} of {name} is malformed.")
VPC_TOO_LONG = Situation(
    "InvalidParameterValue.TooLong", "The parameter {name} is longer than {limit} characters."
)
VPC_RANGE = Situation("InvalidParameterValue.Range", "{name} {value} is not within {allowed}.")
VPC_LIMIT = Situation("InvalidParameterValue.LimitExceeded", "{name} has {value}, which exceeds {limit}.")
VPC_DUPLICATE = Situation(
    "InvalidParameterValue.DuplicatePara", "The value {value} of {name} is given twice."
)
VPC_COEXIST = Situation("InvalidParameter.Coexist", "{name} and Filters cannot be given together.")
VPC_FILTER_UNKNOWN = Situation("InvalidParameter.FilterInvalidKey", "The filter `{name}` is not supported.")
VPC_FILTER_NEEDS = Situation(
    "InvalidParameter.FilterMissParameter", "The filter `{name}` needs the filters {needed}."
)
VPC_TASK_UNKNOWN = Situation("ResourceNotFound", "The task {task_id} does not exist.")
TAG_INVALID = Situation("InvalidParameterValue.TagInvalidKey", "The tag key {key} is not valid: {reason}.")
TAG_DUPLICATE = Situation("InvalidParameterValue.TagDuplicateKey", "The tag key {key} is given twice.")
TAG_LIMIT = Situation(
    "LimitExceeded.TagKeyPerResourceExceeded", "A resource can have {limit} tags; {count} were given."
)
SUBNET_MISMATCH = Situation(
    "UnsupportedOperation.ResourceMismatch", "The subnet {subnet_id} does not belong to {vpc_id}."
)
SUBNET_FULL = Situation(
    "ResourceInsufficient.Subnet",
    "The subnet {subnet_id} has {available} free addresses; {count} are needed.",
)
IP_OUTSIDE = Situation("InvalidParameterValue.Range", "The address {ip} is not within {cidr} of {subnet_id}.")
IP_RESERVED = Situation("InvalidParameterValue.Reserved", "The address {ip} is reserved in {subnet_id}.")
IP_TAKEN = Situation("ResourceInUse", "The address {ip} is in use in {subnet_id}.")
IP_NOT_ON_ENI = Situation(
    "ResourceNotFound", "The network interface {eni_id} does not have the address {ip}."
)
IP_KEPT = Situation("ResourceInUse", "The address {ip} of {subnet_id} is kept by {reservation_id}.")
IP_QUOTA = Situation(
    "LimitExceeded", "The network interface {eni_id} can have {limit} addresses; it would have {count}."
)
IP_IS_PRIMARY = Situation(
    "UnsupportedOperation", "The primary address {ip} of {eni_id} cannot be taken away."
)
IP_BUSY = Situation(
    "UnsupportedOperation.MutexOperationTaskRunning", "A task is running on the addresses of {eni_id}."
)
IP_MIGRATE_PRIMARY = Situation(
    "UnsupportedOperation.PrimaryIp", "The primary address {ip} cannot be migrated."
)
IP_MIGRATE_MISSING = Situation(
    "UnauthorizedOperation.AttachmentNotFound", "The address {ip} is not assigned to {eni_id}."
)
IP_MIGRATE_SUBNET = Situation(
    "UnsupportedOperation", "{source} and {destination} are not two ENIs of one subnet."
)
IP_DETACH_UNSUPPORTED = Situation(
    "UnsupportedOperation.AttachmentNotFound", "The parameter InstanceId is for service-managed ENIs only."
)
# Of what can be wrong with a reservation, CreateReserveIpAddresses lists only this code.
RESERVE_REFUSED = Situation("InvalidParameterValue", "The request is refused: {reason}.")
RESERVATION_NOT_FOUND = Situation(
    "InvalidParameterValue.ResourceNotFound", "The reserved address {reservation_id} does not exist."
)
USED_MISMATCH = Situation(
    "InvalidParameterValue.ParameterMismatch", "{name} {value} does not belong together."
)
TOKEN_OF_OTHERS = Situation(
    "InvalidParameterValue", "The ClientToken {token} was used with other parameters."
)
ENI_STATE = Situation("UnsupportedOperation.InvalidState", "The network interface {eni_id} is {state}.")
ENI_BUSY = Situation(
    "UnsupportedOperation.InvalidState", "A task is running on the network interface {eni_id}."
)
ENI_CREATE_ZONE = Situation(
    "UnsupportedOperation.ResourceMismatch", "The subnet {subnet_id} is in zone {zone}, {instance_id} is not."
)
ENI_QUOTA_INSTANCE = Situation(
    "LimitExceeded", "The instance {instance_id} can have {limit} ENIs and has {current}."
)
ENI_PUBLIC_QUOTA = Situation(
    "LimitExceeded",
    "The instance {instance_id} can have {limit} public IPs; it would have {count}.",
)
ENI_WITH_EIP = Situation("UnsupportedOperation", "The network interface {eni_id} has an EIP.")
ENI_QUOTA_VPC = Situation(
    "LimitExceeded.NetworkInterfaceLimitExceeded", "The VPC {vpc_id} can have {limit} network interfaces."
)
ENI_ATTACHED = Situation(
    "UnsupportedOperation.AttachmentAlreadyExists",
    "The network interface {eni_id} is attached to {instance_id}.",
)
ENI_IN_USE = Situation(
    "ResourceInUse", "The network interface {eni_id} is attached to {instance_id}; detach it first."
)
ENI_NOT_ATTACHED = Situation(
    "UnsupportedOperation", "The network interface {eni_id} is not attached to {instance_id}."
)
ENI_PRIMARY = Situation(
    "UnsupportedOperation", "The primary network interface {eni_id} lives with its instance."
)
ENI_ZONE = Situation(
    "UnsupportedOperation.ZoneMismatch",
    "The network interface is in zone {zone}, {instance_id} in {instance_zone}.",
)
ENI_EXTENDED = Situation(
    "UnsupportedOperation.UnsupportedInstanceFamily", "{instance_id} takes no extended network interfaces."
)
ENI_UNSUPPORTED = Situation("UnsupportedOperation", "{name} is not supported by this region.")
ENI_INSTANCE_STATE = Situation(
    "UnsupportedOperation.ResourceIsInvalidState",
    "The instance {instance_id} is {state}, not RUNNING or STOPPED.",
)
# CreateAndAttachNetworkInterface does not list ResourceIsInvalidState.
ENI_CREATE_INSTANCE_STATE = Situation(
    "UnsupportedOperation.InvalidState", "The instance {instance_id} is {state}, not RUNNING or STOPPED."
)
LIMIT_INSTANCE_NOT_FOUND = Situation(
    "InvalidInstanceId.NotFound", "The instance {instance_id} does not exist."
)
ROUTE_TAKEN = Situation(
    "ResourceInUse", "The route to {destination} by {gateway_type} exists in {route_table_id}."
)
ROUTE_NEXT_HOP = Situation(
    "InvalidParameterValue.RouteNextHopInvalid",
    "The next hop {gateway_id} of type {gateway_type} is not valid.",
)
ROUTE_IN_VPC = Situation(
    "InvalidParameterValue.CidrConflict", "The destination {destination} lies within the VPC's own addresses."
)

# cvm.
CVM_MALFORMED = Situation("InvalidInstanceId.Malformed", "The instance id {instance_id} is malformed.")
CVM_COEXIST = Situation("InvalidParameterCombination", "InstanceIds and Filters cannot be given together.")
CVM_LIMIT = Situation("InvalidParameterValueLimit", "{name} {value} is not within {low} to {high}.")
CVM_FILTER_UNKNOWN = Situation("InvalidFilter", "The filter `{name}` is not supported.")
CVM_FILTERS_MANY = Situation(
    "InvalidFilterValue.LimitExceeded", "At most {limit} {what} are allowed; {count} given."
)
