"""What a person does in the VPC console, by the unmodified SDK: routes, EIPs, an ENI for another purpose."""

from typing import Any

from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

NAT = "NAT"
EIP = "EIP"


class VpcConsole:
    """The console of the simulated region whose cloud API is at `endpoint` (an http URL)."""

    def __init__(self, endpoint: str):
        profile = ClientProfile(
            httpProfile=HttpProfile(protocol="http", endpoint=endpoint.removeprefix("http://"))
        )
        key = Credential("AKIDdemo", "demo-secret-key")
        self._client = CommonClient("vpc", "2017-03-12", key, "ap-guangzhou", profile)

    def add_route(self, table: str, destination: str, kind: str, gateway: str = "0") -> str:
        """Make a route; return its item id."""
        route = {"DestinationCidrBlock": destination, "GatewayType": kind, "GatewayId": gateway}
        answer = self._call("CreateRoutes", {"RouteTableId": table, "Routes": [route]})
        return str(answer["RouteTableSet"][0]["RouteSet"][0]["RouteItemId"])

    def delete_route(self, table: str, item_id: str) -> None:
        """Take a route away."""
        self._call("DeleteRoutes", {"RouteTableId": table, "Routes": [{"RouteItemId": item_id}]})

    def allocate_eip(self, **tags: str) -> str:
        """Buy an EIP; return its id."""
        order = {"InternetMaxBandwidthOut": 1, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        return str(self._call("AllocateAddresses", order)["AddressSet"][0])

    def release_eip(self, eip_id: str) -> None:
        """Give an unbound EIP back."""
        self._call("ReleaseAddresses", {"AddressIds": [eip_id]})

    def attach_eni(self, instance_id: str, vpc_id: str, subnet_id: str, *groups: str, **tags: str) -> None:
        """Make an ENI with these security groups, attach it to a CVM; it is there when the cloud lists it."""
        wish: dict[str, Any] = {"VpcId": vpc_id, "SubnetId": subnet_id, "InstanceId": instance_id}
        wish["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if groups:
            wish["SecurityGroupIds"] = list(groups)
        self._call("CreateAndAttachNetworkInterface", {"NetworkInterfaceName": "by-hand", **wish})

    def _call(self, action: str, params: dict[str, Any]) -> Any:
        return self._client.call_json(action, params)["Response"]
