"""Reserving private addresses, over the wire: what is asked, and why something is refused."""

import json

import pytest

from ipamd.core import model, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from tests.cloud import scripted_http

VPC, SUBNET = "vpc-demo0001", "subnet-demo0001"
TAGS = tags.of_vpc_ip_claim("cls-1", "uid-1")


@pytest.fixture
def scripted(open_cloud, serve):
    """Opens an adapter onto a server that answers each action with what a test gives for it."""

    def scripted(**answers):
        def handler(request):
            return answers[request.headers["x-tc-action"]]

        server = serve(scripted_http.api(handler))
        return open_cloud(server.url), server

    return scripted


def error(code, message="scripted"):
    return {"Error": {"Code": code, "Message": message}}


def row(**changed):
    return {
        "ReserveIpId": "rsvip-00000001",
        "VpcId": VPC,
        "SubnetId": SUBNET,
        "ReserveIpAddress": "10.0.1.9",
        "ResourceId": "",
        "State": "UnBind",
        "Name": "x",
        "TagSet": [],
        **changed,
    }


def reserve(cloud, ip=""):
    order = model.ReservationOrder(vpc_id=VPC, subnet_id=SUBNET, ip=ip, name="default-web-0", tags=TAGS)
    return cloud.reserve_ip(order, "token-1")


def test_a_reservation_is_asked_for_with_name_tags_and_token(scripted):
    cloud, server = scripted(CreateReserveIpAddresses={"ReserveIpAddressSet": [row()]})
    made = reserve(cloud)
    assert (made.reservation_id, made.ip, made.state) == (
        "rsvip-00000001",
        "10.0.1.9",
        model.ReservationState.UNBIND,
    )
    [request] = server.requests
    asked = json.loads(request.body)
    assert asked["IpAddressCount"] == 1
    assert "IpAddresses" not in asked
    assert {tag["Key"]: tag["Value"] for tag in asked["Tags"]} == TAGS
    assert asked["ClientToken"] == "token-1"


@pytest.mark.parametrize(
    "code", ["InvalidAction", "UnsupportedOperation", "UnsupportedOperation.AppIdNotFound", "ActionOffline"]
)
def test_an_action_that_the_cloud_lacks_is_told_from_a_wrong_request(scripted, code):
    cloud, _ = scripted(CreateReserveIpAddresses=error(code))
    with pytest.raises(CloudError) as caught:
        reserve(cloud)
    assert caught.value.kind is CloudErrorKind.NOT_OFFERED
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("reserved", "used", "told"),
    [
        ([row(ReserveIpId="rsvip-other", Name="db")], [], "the reservation rsvip-other (db)"),
        ([], [{"IpAddress": "10.0.1.9", "ResourceType": "ENI", "ResourceId": "eni-1"}], "ENI eni-1"),
    ],
)
def test_a_named_address_of_somebody_else_is_told_with_its_user(scripted, reserved, used, told):
    cloud, _ = scripted(
        CreateReserveIpAddresses=error("InvalidParameterValue"),
        DescribeReserveIpAddresses={"ReserveIpAddressSet": reserved, "TotalCount": len(reserved)},
        DescribeUsedIpAddress={"IpAddressStates": used, "TotalCount": len(used)},
    )
    with pytest.raises(CloudError, match="is in use by") as caught:
        reserve(cloud, "10.0.1.9")
    assert caught.value.kind is CloudErrorKind.ADDRESS_IN_USE
    assert told in str(caught.value)


def test_a_wrong_address_that_nobody_has_stays_a_wrong_request(scripted):
    cloud, _ = scripted(
        CreateReserveIpAddresses=error("InvalidParameterValue"),
        DescribeReserveIpAddresses={"ReserveIpAddressSet": [], "TotalCount": 0},
        DescribeUsedIpAddress={"IpAddressStates": [], "TotalCount": 0},
    )
    with pytest.raises(CloudError) as caught:
        reserve(cloud, "10.0.1.1")
    assert caught.value.kind is CloudErrorKind.INVALID


@pytest.mark.parametrize(
    "rows", [[], [row(), row(ReserveIpId="rsvip-2")], [row(ReserveIpAddress="10.0.1.8")]]
)
def test_another_reservation_than_asked_for_is_no_success(scripted, rows):
    cloud, _ = scripted(CreateReserveIpAddresses={"ReserveIpAddressSet": rows})
    with pytest.raises(CloudError, match="ClientUnexpectedAnswer"):
        reserve(cloud, "10.0.1.9")


def test_reservations_are_found_by_all_of_their_tags(scripted):
    answer = {"ReserveIpAddressSet": [row(State="Bind", ResourceId="eni-1")], "TotalCount": 1}
    cloud, server = scripted(DescribeReserveIpAddresses=answer)
    [found] = cloud.describe_reservations(tags=TAGS)
    assert (found.state, found.resource_id) == (model.ReservationState.BIND, "eni-1")
    filters = json.loads(server.requests[0].body)["Filters"]
    assert {f["Name"]: f["Values"] for f in filters} == {
        "tag:tke-clusterId": ["cls-1"],
        "tag:tke-vpcipclaim-uid": ["uid-1"],
    }


def test_a_listing_of_everything_is_never_asked_for(scripted):
    cloud, server = scripted()
    for tags_, ips, vpc_id in ((None, None, ""), ({}, None, ""), (None, ["10.0.1.9"], ""), (TAGS, [], VPC)):
        with pytest.raises(ValueError, match="takes tags, or ips"):
            cloud.describe_reservations(tags=tags_, ips=ips, vpc_id=vpc_id)
    assert not server.requests


def test_releasing_what_is_gone_is_a_success(scripted):
    gone = {"ReserveIpAddressSet": [], "TotalCount": 0}
    for code in ("InvalidParameterValue.ResourceNotFound", "InvalidParameterValue"):
        cloud, _ = scripted(DeleteReserveIpAddresses=error(code), DescribeReserveIpAddresses=gone)
        cloud.release_reservation(VPC, "rsvip-00000001")


def test_a_release_that_is_refused_is_told(scripted):
    still = {"ReserveIpAddressSet": [row()], "TotalCount": 1}
    cloud, _ = scripted(
        DeleteReserveIpAddresses=error("InvalidParameterValue"), DescribeReserveIpAddresses=still
    )
    with pytest.raises(CloudError, match="InvalidParameterValue"):
        cloud.release_reservation(VPC, "rsvip-00000001")
