"""An account of the cloud as the contract tests use it: the unmodified typed SDK, and nothing left behind."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.cvm.v20170312 import cvm_client
from tencentcloud.cvm.v20170312 import models as cvm
from tencentcloud.vpc.v20170312 import models as vpc
from tencentcloud.vpc.v20170312 import vpc_client

from ipamd.core.cloud_errors.codes import meaning
from ipamd.core.cloud_errors.kind import CloudErrorKind

_Found = TypeVar("_Found")
VERSION = "2017-03-12"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """What the tests need of a region: where it is, who calls, and one running CVM with room for ENIs."""

    protocol: str
    host: str
    region: str
    secret_id: str
    secret_key: str
    instance_id: str
    """A CVM of at least 2 ENIs, 6 addresses for each, and 2 public IPs."""
    vpc_id: str
    subnet_id: str
    metadata: str = ""
    """Address of the CVM's metadata service; without one (not on the CVM) its tests are skipped."""
    seconds: float = 60.0
    """The longest that a change of state takes."""
    pause: float = 1.0
    """Seconds between two looks."""


@dataclass
class Account:
    """Clients of one endpoint, and what the test made with them."""

    endpoint: Endpoint
    eip_ids: list[str] = field(default_factory=list)
    eni_ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        credential = Credential(self.endpoint.secret_id, self.endpoint.secret_key)
        self.vpc = vpc_client.VpcClient(credential, self.endpoint.region, self.profile())
        self.cvm = cvm_client.CvmClient(credential, self.endpoint.region, self.profile())
        self._tokens = 0

    def profile(self) -> ClientProfile:
        return ClientProfile(
            httpProfile=HttpProfile(protocol=self.endpoint.protocol, endpoint=self.endpoint.host),
            language="en-US",
        )

    def common(self, product: str = "vpc", version: str = VERSION, **changes: str) -> CommonClient:
        """Return a CommonClient, with another secret_id, secret_key or region where a test wants it."""
        credential = Credential(
            changes.get("secret_id", self.endpoint.secret_id),
            changes.get("secret_key", self.endpoint.secret_key),
        )
        return CommonClient(
            product, version, credential, changes.get("region", self.endpoint.region), self.profile()
        )

    def token(self) -> str:
        self._tokens += 1
        return f"contract-{time.time_ns()}-{self._tokens}"

    def until(self, look: Callable[[], _Found | None], what: str) -> _Found:
        """Look again and again until there is something, within the endpoint's seconds."""
        deadline = time.monotonic() + self.endpoint.seconds
        while (found := _unless_throttled(look)) is None:
            assert time.monotonic() < deadline, f"{what} did not come about in {self.endpoint.seconds} s"
            time.sleep(self.endpoint.pause)
        return found

    # EIPs.

    def allocate(self, **fields: Any) -> str:
        """Order an EIP and return its id, once it is UNBIND."""
        answer = self.vpc.AllocateAddresses(request(vpc.AllocateAddressesRequest, **fields))
        (eip_id,) = answer.AddressSet
        self.eip_ids.append(eip_id)
        self.until_status(eip_id, "UNBIND")
        return str(eip_id)

    def address(self, eip_id: str) -> Any:
        """Return the Address, or None if there is none."""
        answer = self.vpc.DescribeAddresses(request(vpc.DescribeAddressesRequest, AddressIds=[eip_id]))
        return next(iter(answer.AddressSet), None)

    def until_status(self, eip_id: str, *statuses: str) -> Any:
        def look() -> Any:
            address = self.address(eip_id)
            return address if address is not None and address.AddressStatus in statuses else None

        return self.until(look, f"{eip_id} {' or '.join(statuses)}")

    def associate(self, eip_id: str, eni_id: str, ip: str) -> Any:
        """Bind an EIP to an address of an ENI; return the answer."""
        return self.vpc.AssociateAddress(
            request(
                vpc.AssociateAddressRequest, AddressId=eip_id, NetworkInterfaceId=eni_id, PrivateIpAddress=ip
            )
        )

    def disassociate(self, eip_id: str) -> Any:
        return self.vpc.DisassociateAddress(request(vpc.DisassociateAddressRequest, AddressId=eip_id))

    def release(self, eip_id: str) -> Any:
        return self.vpc.ReleaseAddresses(request(vpc.ReleaseAddressesRequest, AddressIds=[eip_id]))

    # ENIs.

    def create_eni(self, secondary: int = 0, **fields: Any) -> Any:
        """Create an ENI on the CVM and return it, once its task has succeeded."""
        answer = self.vpc.CreateAndAttachNetworkInterface(self.eni_request(secondary, **fields))
        eni_id = answer.NetworkInterface.NetworkInterfaceId
        self.eni_ids.append(eni_id)
        self.until_done(answer.RequestId)
        return self.eni(eni_id)

    def eni_request(self, secondary: int = 0, **fields: Any) -> Any:
        return request(
            vpc.CreateAndAttachNetworkInterfaceRequest,
            VpcId=self.endpoint.vpc_id,
            SubnetId=self.endpoint.subnet_id,
            InstanceId=self.endpoint.instance_id,
            NetworkInterfaceName="contract",
            SecondaryPrivateIpAddressCount=secondary,
            **fields,
        )

    def eni(self, eni_id: str) -> Any:
        """Return the NetworkInterface, or None if there is none."""
        found = self.enis(**{"network-interface-id": eni_id})
        return found[0] if found else None

    def enis(self, **filters: str) -> list[Any]:
        answer = self.vpc.DescribeNetworkInterfaces(
            request(vpc.DescribeNetworkInterfacesRequest, Filters=filter_list(filters), Limit=100)
        )
        return list(answer.NetworkInterfaceSet)

    def primary_eni(self) -> Any:
        return next(
            e for e in self.enis(**{"attachment.instance-id": self.endpoint.instance_id}) if e.Primary
        )

    def task(self, request_id: str) -> Any:
        return self.vpc.DescribeVpcTaskResult(request(vpc.DescribeVpcTaskResultRequest, TaskId=request_id))

    def until_done(self, request_id: str) -> None:
        """Wait for the task of an ENI write; it must succeed."""
        status = self.until(lambda: _ended(self.task(request_id).Status), f"the task of {request_id}")
        assert status == "SUCCESS"

    def assign(self, eni_id: str, count: int, **fields: Any) -> list[str]:
        """Assign addresses and return them, once they are AVAILABLE."""
        answer = self.vpc.AssignPrivateIpAddresses(
            request(
                vpc.AssignPrivateIpAddressesRequest,
                NetworkInterfaceId=eni_id,
                SecondaryPrivateIpAddressCount=count,
                **fields,
            )
        )
        self.until_done(answer.RequestId)
        return [address.PrivateIpAddress for address in answer.PrivateIpAddressSet]

    def unassign(self, eni_id: str, ips: Iterable[str]) -> Any:
        listed = [{"PrivateIpAddress": ip} for ip in ips]
        return self.vpc.UnassignPrivateIpAddresses(
            request(
                vpc.UnassignPrivateIpAddressesRequest, NetworkInterfaceId=eni_id, PrivateIpAddresses=listed
            )
        )

    def clean_up(self) -> None:
        """Take back everything that the test made; what is gone already is no failure."""
        for eip_id in self.eip_ids:
            self._take_back_eip(eip_id)
        for eni_id in self.eni_ids:
            self._take_back_eni(eni_id)

    def _take_back_eip(self, eip_id: str) -> None:
        def look() -> bool | None:
            address = self.address(eip_id)
            if address is None:
                return True
            if address.AddressStatus in ("BIND", "BIND_ENI"):
                self.disassociate(eip_id)
            elif address.AddressStatus == "UNBIND":
                self.release(eip_id)
            return None

        self.until(look, f"the end of {eip_id}")

    def _take_back_eni(self, eni_id: str) -> None:
        def look() -> bool | None:
            eni = self.eni(eni_id)
            if eni is None:
                return True
            if eni.State == "AVAILABLE" and eni.Attachment is not None:
                self.vpc.DetachNetworkInterface(
                    request(
                        vpc.DetachNetworkInterfaceRequest,
                        NetworkInterfaceId=eni_id,
                        InstanceId=eni.Attachment.InstanceId,
                    )
                )
            elif eni.State == "AVAILABLE":
                self.vpc.DeleteNetworkInterface(
                    request(vpc.DeleteNetworkInterfaceRequest, NetworkInterfaceId=eni_id)
                )
            return None

        self.until(look, f"the end of {eni_id}")


def request(model: Callable[[], Any], **fields: Any) -> Any:
    """Return a typed request of the SDK with these fields."""
    made = model()
    made._deserialize(fields)
    return made


def filter_list(filters: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": [value]} for name, value in filters.items()]


def refusal(call: Callable[[], object]) -> tuple[str, CloudErrorKind]:
    """Return the code that the call is refused with, and what our table makes of it."""
    with pytest.raises(TencentCloudSDKException) as caught:
        call()
    code = str(caught.value.code)
    assert caught.value.requestId, f"{code} came without a RequestId"
    return code, meaning(code).kind


def instances(account: Account, *instance_ids: str) -> list[Any]:
    answer = account.cvm.DescribeInstances(
        request(cvm.DescribeInstancesRequest, InstanceIds=list(instance_ids))
    )
    return list(answer.InstanceSet)


def _unless_throttled(look: Callable[[], _Found | None]) -> _Found | None:
    try:
        return look()
    except TencentCloudSDKException as e:
        if meaning(str(e.code)).kind is CloudErrorKind.THROTTLED:
            return None
        raise


def _ended(status: str) -> str | None:
    return None if status == "RUNNING" else status
