"""Reserving private addresses: what is asked over the wire, why it is refused, what the region does."""

import json

import pytest

from ipamd.core import model, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import Fault, FaultKind
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


def test_a_listing_that_the_cloud_lacks_is_told_from_a_wrong_one(scripted):
    cloud, _ = scripted(DescribeReserveIpAddresses=error("InvalidAction"))
    with pytest.raises(CloudError) as caught:
        cloud.describe_reservations(tags=TAGS)
    assert caught.value.kind is CloudErrorKind.NOT_OFFERED


@pytest.mark.parametrize(
    ("reserved", "used", "told"),
    [
        ([row(ReserveIpId="rsvip-other")], [], "in use by reservation rsvip-other"),
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


# Against the region.


@pytest.fixture
def eni(cloud, node):
    return cloud.describe_enis(node)[0].eni_id


def describe(cloud, reservation):
    found = {one.reservation_id: one for one in cloud.describe_reservations(tags=TAGS)}
    return found.get(reservation.reservation_id)


def test_a_reserved_address_is_assigned_by_its_name_and_comes_back_reserved(cloud, eni, soon):
    kept = reserve(cloud)
    assert kept.ip not in cloud.assign_ips(eni, 5, "token-1", soon())

    cloud.assign_named_ip(eni, kept.ip, tags.address_description("uid-1"), "token-2", soon())
    [address] = [a for a in cloud.describe_eni(eni).addresses if a.ip == kept.ip]
    assert address.state is model.IpState.AVAILABLE
    assert tags.described_claim(address.description) == "uid-1"
    bound = describe(cloud, kept)
    assert (bound.state, bound.resource_id) == (model.ReservationState.BIND, eni)

    cloud.unassign_ips(eni, [kept.ip], soon())
    assert describe(cloud, kept).state is model.ReservationState.UNBIND
    cloud.release_reservation(VPC, kept.reservation_id)
    assert cloud.describe_reservations(tags=TAGS) == []
    cloud.release_reservation(VPC, kept.reservation_id)


@pytest.mark.parametrize("fault", [FaultKind.TIMEOUT_AFTER, FaultKind.BROKEN_JSON, FaultKind.HTTP_500])
def test_a_lost_answer_reserves_once(cloud, region, fault):
    region.faults.add(Fault(kind=fault, action="CreateReserveIpAddresses"))
    made = reserve(cloud)
    assert cloud.describe_reservations(tags=TAGS) == [made]


def test_a_named_address_is_reserved_unless_somebody_has_it(cloud, eni, soon):
    assert reserve(cloud, "10.0.1.99").ip == "10.0.1.99"
    [used] = cloud.assign_ips(eni, 1, "token-1", soon())
    for ip in ("10.0.1.99", used):
        order = model.ReservationOrder(vpc_id=VPC, subnet_id=SUBNET, ip=ip)
        with pytest.raises(CloudError, match=f"{ip} is in use by") as caught:
            cloud.reserve_ip(order, f"token-{ip}")
        assert caught.value.kind is CloudErrorKind.ADDRESS_IN_USE


def test_where_nothing_can_be_reserved_the_caller_is_told_so(cloud, region):
    region.set_reservation_rules(offered=False)
    with pytest.raises(CloudError) as caught:
        reserve(cloud)
    assert caught.value.kind is CloudErrorKind.NOT_OFFERED

    region.set_reservation_rules(offered=True)
    region.accounts.set_policy("demo", deny=("vpc:CreateReserveIpAddresses",))
    with pytest.raises(CloudError, match="cam-policy") as caught:
        reserve(cloud)
    assert caught.value.kind is CloudErrorKind.PERMISSION


def test_an_address_is_used_when_an_eni_has_it_or_it_is_reserved(cloud, eni, soon):
    kept = reserve(cloud)
    [used] = cloud.assign_ips(eni, 1, "token-1", soon())
    found = cloud.describe_used_ips(VPC, SUBNET, [kept.ip, used, "10.0.1.200"])
    assert {ip: (use.resource_type, use.resource_id) for ip, use in found.items()} == {
        kept.ip: ("reservation", kept.reservation_id),
        used: ("ENI", eni),
    }


@pytest.mark.parametrize("hidden", ["not offered", "denied"])
def test_where_reservations_are_not_shown_the_enis_still_are(cloud, region, eni, soon, hidden):
    [used] = cloud.assign_ips(eni, 1, "token-1", soon())
    if hidden == "denied":
        region.accounts.set_policy("demo", deny=("vpc:DescribeReserveIpAddresses",))
    else:
        region.set_reservation_rules(offered=False)
    assert list(cloud.describe_used_ips(VPC, SUBNET, [used, "10.0.1.200"])) == [used]


def test_more_addresses_than_one_question_takes_are_asked_for_by_the_hundred(cloud, region, eni, soon):
    cloud.assign_named_ip(eni, "10.0.1.250", "", "token-1", soon())
    found = cloud.describe_used_ips(VPC, SUBNET, [f"10.0.1.{n}" for n in range(1, 255)])
    assert "10.0.1.250" in found
    assert region.audit.calls()["DescribeUsedIpAddress"] == 3
