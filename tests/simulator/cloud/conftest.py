"""A region under a manual clock behind its real HTTP server, and the unmodified SDK as its client."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from simulator.cloud import (
    CloudRegion,
    CloudServer,
    InstanceOrder,
    ManualClock,
    RateLimits,
    RegionConfig,
    loopback_socket,
)
from simulator.fabric.api import EniPort, FabricError, NullFabric

VPC = "vpc-demo0001"
SUBNET = "subnet-demo0001"

LISTED_CODES = json.loads(Path(__file__).with_name("listed_codes.json").read_text())
"""Error codes that the Go SDK lists for each action."""

GATEWAY_CODES = (
    "InvalidAction",
    "InvalidParameter",
    "InvalidParameterValue",
    "MissingParameter",
    "RequestLimitExceeded",
    "UnauthorizedOperation",
    "UnknownParameter",
)
"""Codes that the API gateway may give for any action."""


class StrictFabric(NullFabric):
    """Records the calls of the data plane, and as violations those that contradict earlier ones."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.ports: dict[str, EniPort] = {}
        self.ips: dict[str, str] = {}
        self.eips: dict[str, str] = {}
        self.violations: list[str] = []
        self.broken = ""
        """Name of a method that fails."""

    def _demand(self, holds: bool, violation: str) -> None:
        if not holds:
            # The region survives whatever the data plane raises, so an assertion would be lost.
            self.violations.append(violation)

    def _note(self, *call: Any) -> None:
        if call[0] == self.broken:
            raise FabricError(f"{call[0]} is broken")
        self.calls.append(call)

    def remove_instance(self, instance_id):
        self._note("remove_instance", instance_id)
        for port in [p for p in self.ports.values() if p.instance_id == instance_id]:
            self.detach_eni(port.eni_id)

    def attach_eni(self, port):
        self._note("attach_eni", port.eni_id)
        self._demand(port.primary_ip not in self.ips, f"{port} has an address in use")
        self._demand(port.eni_id not in self.ports, f"{port} is attached already")
        self._demand(bool(port.instance_id), f"{port} has no instance")
        self.ports[port.eni_id] = port
        self.ips[port.primary_ip] = port.eni_id

    def detach_eni(self, eni_id):
        self._note("detach_eni", eni_id)
        self.ports.pop(eni_id, None)
        self.ips = {ip: eni for ip, eni in self.ips.items() if eni != eni_id}

    def add_ip(self, eni_id, ip):
        self._note("add_ip", eni_id, ip)
        self._demand(eni_id in self.ports, f"{ip} is added to {eni_id}, which is not attached")
        self._demand(ip not in self.ips, f"{ip} is added twice")
        self.ips[ip] = eni_id

    def remove_ip(self, eni_id, ip):
        self._note("remove_ip", eni_id, ip)
        self._demand(self.ips.pop(ip, "") == eni_id, f"{ip} is removed from {eni_id}, which does not have it")

    def bind_eip(self, public_ip, private_ip):
        self._note("bind_eip", public_ip, private_ip)
        self._demand(private_ip not in self.eips.values(), f"{private_ip} has an EIP already")
        self._demand(public_ip not in self.eips, f"{public_ip} is bound already")
        self.eips[public_ip] = private_ip

    def unbind_eip(self, public_ip):
        self._note("unbind_eip", public_ip)
        self.eips.pop(public_ip, None)

    def set_ingress(self, eni_id, sources):
        self._note("set_ingress", eni_id, sources)
        self._demand(eni_id in self.ports, f"ENI {eni_id} is filtered and not attached")

    def set_routes(self, subnet_cidr, routes):
        self._note("set_routes", subnet_cidr, list(routes))

    def add_nat_gateway(self, gateway_id, public_ip):
        self._note("add_nat_gateway", gateway_id, public_ip)


class Cloud:
    """A region, its server, and clients of it; time moves by `pass_time` only."""

    def __init__(self, config: RegionConfig) -> None:
        self.clock = ManualClock()
        self.fabric = StrictFabric()
        self.region = CloudRegion(config, self.fabric, self.clock)
        self.server = CloudServer(self.region, [loopback_socket()])
        self._clients: list[Any] = []

    def client(self, make: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Make a client of the SDK; `make` is a typed client class, else a CommonClient for vpc."""
        profile = ClientProfile(
            httpProfile=HttpProfile(
                protocol="http",
                endpoint=self.server.endpoint,
                reqMethod=options.get("method", "POST"),
                reqTimeout=options.get("timeout", 30),
            ),
        )
        profile.unsignedPayload = options.get("unsigned_payload", False)
        credential = options.get("credential", Credential("AKIDdemo", "demo-secret-key"))
        region = options.get("region", "ap-guangzhou")
        if make is None:
            product = options.get("product", "vpc")
            client = CommonClient(product, options.get("version", "2017-03-12"), credential, region, profile)
        else:
            client = make(credential, region, profile)
        self._clients.append(client)
        return client

    def call(self, action: str, params: dict[str, Any] | None = None, **options: Any) -> Any:
        """Call an action through a CommonClient and give the fields of `Response`."""
        response = self.client(**options).call_json(action, params or {})
        return response["Response"]

    def refused(self, action: str, params: dict[str, Any] | None = None, **options: Any) -> str:
        """Call an action that is to be refused and give the code, which the API must list."""
        with pytest.raises(TencentCloudSDKException) as caught:
            self.call(action, params, **options)
        code = caught.value.code
        assert caught.value.requestId
        listed = LISTED_CODES.get(action)
        common = code in GATEWAY_CODES or code.startswith("AuthFailure.")
        assert listed is None or code in listed or common, code
        return str(code)

    def message(self, action: str, params: dict[str, Any] | None = None, **options: Any) -> str:
        """Call an action that is to be refused and give the message."""
        with pytest.raises(TencentCloudSDKException) as caught:
            self.call(action, params, **options)
        return str(caught.value.message)

    def pass_time(self, seconds: float = 1.0) -> None:
        """Let time pass and end what became due."""
        self.clock.advance(seconds)
        self.region.run_due()

    # What most tests need.

    def node(self, instance_type: str = "S5.LARGE8", **order: Any) -> str:
        """Boot a CVM and give its id."""
        instance = self.region.create_instance(InstanceOrder(instance_type=instance_type, **order))
        return instance.instance_id

    def eip(self, **params: Any) -> Any:
        """Allocate an EIP and wait until it is UNBIND."""
        (address_id,) = self.call("AllocateAddresses", params)["AddressSet"]
        self.pass_time()
        return address_id

    def eips(self, count: int) -> Any:
        """Allocate several EIPs and wait until they are UNBIND."""
        ids = self.call("AllocateAddresses", {"AddressCount": count})["AddressSet"]
        self.pass_time()
        return ids

    def eni(self, instance_id: str = "", secondaries: int = 0, **params: Any) -> Any:
        """Create an ENI, attached if an instance is named, and wait until it is AVAILABLE."""
        request = {
            "VpcId": VPC,
            "SubnetId": SUBNET,
            "NetworkInterfaceName": "pods",
            "SecondaryPrivateIpAddressCount": secondaries,
            **params,
        }
        if instance_id:
            created = self.call("CreateAndAttachNetworkInterface", {**request, "InstanceId": instance_id})
        else:
            created = self.call("CreateNetworkInterface", request)
        self.pass_time()
        return created["NetworkInterface"]["NetworkInterfaceId"]

    def ips(self, eni_id: str) -> Any:
        """Give the secondary addresses of an ENI."""
        return [
            p["PrivateIpAddress"] for p in self.shown_eni(eni_id)["PrivateIpAddressSet"] if not p["Primary"]
        ]

    def bind(self, address_id: str, eni_id: str, private_ip: str, *, wait: bool = True) -> Any:
        """Associate an EIP with an address of an ENI."""
        answer = self.call(
            "AssociateAddress",
            {"AddressId": address_id, "NetworkInterfaceId": eni_id, "PrivateIpAddress": private_ip},
        )
        if wait:
            self.pass_time()
        return answer

    def shown_eip(self, address_id: str) -> Any:
        """Give an EIP as DescribeAddresses shows it."""
        (address,) = self.call("DescribeAddresses", {"AddressIds": [address_id]})["AddressSet"]
        return address

    def status(self, address_id: str) -> Any:
        """Give the status of an EIP; empty when it is gone."""
        found = self.call("DescribeAddresses", {"AddressIds": [address_id]})["AddressSet"]
        return found[0]["AddressStatus"] if found else ""

    def shown_eni(self, eni_id: str) -> Any:
        """Give an ENI as DescribeNetworkInterfaces shows it."""
        (eni,) = self.call("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [eni_id]})[
            "NetworkInterfaceSet"
        ]
        return eni

    def primary_eni(self, instance_id: str) -> Any:
        """Give the id of the primary ENI of a CVM."""
        filters = [
            {"Name": "attachment.instance-id", "Values": [instance_id]},
            {"Name": "is-primary", "Values": ["true"]},
        ]
        (eni,) = self.call("DescribeNetworkInterfaces", {"Filters": filters})["NetworkInterfaceSet"]
        return eni["NetworkInterfaceId"]

    def task(self, answer: dict[str, Any]) -> Any:
        """Give the result of the task of an EIP action's answer."""
        return self.call("DescribeTaskResult", {"TaskId": int(answer["TaskId"])})["Result"]

    def vpc_task(self, answer: dict[str, Any]) -> Any:
        """Give the result of the task of an ENI action's answer."""
        return self.call("DescribeVpcTaskResult", {"TaskId": answer["RequestId"]})["Status"]

    def close(self) -> None:
        assert self.fabric.violations == []
        for client in self._clients:
            client.request.conn._session.close()
        self.server.close()
        self.region.close()


@pytest.fixture
def make_cloud() -> Iterator[Callable[..., Cloud]]:
    """Makes regions with other settings than the usual; rate limits are off unless asked for."""
    made: list[Cloud] = []

    def make(**settings: Any) -> Cloud:
        config = dataclasses.replace(RegionConfig(rate_limits=RateLimits(enabled=False), seed=1), **settings)
        cloud = Cloud(config)
        made.append(cloud)
        return cloud

    yield make
    for cloud in made:
        cloud.close()


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    return make_cloud()
