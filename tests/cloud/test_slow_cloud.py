"""A cloud that does one write in several visible steps, where the simulated region does it in one."""

import pytest

from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from tests.cloud import scripted_http

ENI = "eni-12345678"
NODE = "ins-12345678"


def refused(code):
    return {"Error": {"Code": code, "Message": "scripted"}}


def eni(*addresses, state="AVAILABLE", attached=True):
    """Return the listing of one ENI with its primary address and these (ip, state)."""
    listed = [("10.0.1.4", "AVAILABLE"), *addresses]
    row = {
        "NetworkInterfaceId": ENI,
        "State": state,
        "Attachment": {"InstanceId": NODE} if attached else None,
        "PrivateIpAddressSet": [
            {"PrivateIpAddress": ip, "State": shown, "Primary": ip == "10.0.1.4"} for ip, shown in listed
        ],
    }
    return {"TotalCount": 1, "NetworkInterfaceSet": [row]}


SUCCESS, FAILED = {"Status": "SUCCESS"}, {"Status": "FAILED"}
GIVEN = {
    "PrivateIpAddressSet": [
        {"PrivateIpAddress": "10.0.1.5", "State": "PENDING"},
        {"PrivateIpAddress": "10.0.1.6", "State": "PENDING"},
    ]
}


@pytest.fixture
def script(open_cloud, serve):
    """Opens an adapter onto a cloud that gives each action its answers in turn, the last one for ever."""

    def script(**answers):
        left = {action: list(listed) for action, listed in answers.items()}

        def handler(request):
            turn = left[request.action]
            return turn.pop(0) if len(turn) > 1 else turn[0]

        server = serve(scripted_http.api(handler))
        return open_cloud(server.url), server

    return script


def count(server, action):
    return [request.action for request in server.requests].count(action)


def test_addresses_are_waited_for_until_the_last_one_is_available(script, soon):
    cloud, server = script(
        AssignPrivateIpAddresses=[GIVEN],
        DescribeVpcTaskResult=[{"Status": "RUNNING"}, SUCCESS],
        DescribeNetworkInterfaces=[
            eni(),
            eni(("10.0.1.5", "AVAILABLE"), ("10.0.1.6", "PENDING")),
            eni(("10.0.1.5", "AVAILABLE"), ("10.0.1.6", "AVAILABLE")),
        ],
    )
    assert cloud.assign_ips(ENI, 2, "token", soon()) == ("10.0.1.5", "10.0.1.6")
    assert count(server, "DescribeVpcTaskResult") == 2


def test_of_a_failed_assignment_what_came_is_returned(script, soon):
    cloud, _ = script(
        AssignPrivateIpAddresses=[GIVEN],
        DescribeVpcTaskResult=[FAILED],
        DescribeNetworkInterfaces=[eni(("10.0.1.6", "AVAILABLE"))],
    )
    assert cloud.assign_ips(ENI, 2, "token", soon()) == ("10.0.1.6",)


def test_an_assignment_that_gives_nothing_is_no_success(script, soon):
    cloud, _ = script(AssignPrivateIpAddresses=[{"PrivateIpAddressSet": []}])
    with pytest.raises(CloudError, match="no address was given"):
        cloud.assign_ips(ENI, 2, "token", soon())


def test_only_addresses_that_are_not_on_their_way_out_are_asked_for_again(script, soon):
    cloud, server = script(
        UnassignPrivateIpAddresses=[refused("ResourceNotFound"), {}],
        DescribeVpcTaskResult=[SUCCESS],
        DescribeNetworkInterfaces=[eni(("10.0.1.5", "DELETING"), ("10.0.1.6", "AVAILABLE")), eni()],
    )
    cloud.unassign_ips(ENI, ["10.0.1.5", "10.0.1.6"], soon())
    asked = [
        r.params["PrivateIpAddresses"] for r in server.requests if r.action == "UnassignPrivateIpAddresses"
    ]
    assert [[a["PrivateIpAddress"] for a in listed] for listed in asked] == [
        ["10.0.1.5", "10.0.1.6"],
        ["10.0.1.6"],
    ]


def test_addresses_that_are_all_on_their_way_out_are_waited_for_without_another_write(script, soon):
    cloud, server = script(
        UnassignPrivateIpAddresses=[refused("UnsupportedOperation.InvalidState")],
        DescribeNetworkInterfaces=[eni(("10.0.1.5", "DELETING")), eni(("10.0.1.5", "DELETING")), eni()],
    )
    cloud.unassign_ips(ENI, ["10.0.1.5"], soon())
    assert count(server, "UnassignPrivateIpAddresses") == 1


def test_a_new_eni_is_waited_for_until_it_is_attached(script, soon):
    request = model.EniRequest(
        instance_id=NODE, vpc_id="vpc-1", subnet_id="subnet-1", security_groups=(), secondary_ips=0
    )
    cloud, _ = script(
        CreateAndAttachNetworkInterface=[{"NetworkInterface": {"NetworkInterfaceId": ENI}}],
        DescribeVpcTaskResult=[SUCCESS],
        DescribeNetworkInterfaces=[
            {"TotalCount": 0, "NetworkInterfaceSet": []},
            eni(state="PENDING", attached=False),
            eni(attached=False),
            eni(state="ATTACHING"),
            eni(),
        ],
    )
    created = cloud.create_and_attach_eni(request, "token", soon())
    assert (created.state, created.instance_id) == (model.EniState.AVAILABLE, NODE)


def test_a_detachment_that_somebody_else_began_is_waited_for(script, soon):
    cloud, server = script(
        DetachNetworkInterface=[refused("UnsupportedOperation.InvalidState")],
        DescribeNetworkInterfaces=[eni(state="DETACHING"), eni(state="DETACHING"), eni(attached=False)],
    )
    cloud.detach_eni(ENI, NODE, soon())
    assert count(server, "DetachNetworkInterface") == 1


def test_a_detachment_that_is_refused_for_another_reason_is_told(script, soon):
    cloud, _ = script(
        DetachNetworkInterface=[refused("UnsupportedOperation.InvalidState")],
        DescribeNetworkInterfaces=[eni(state="ATTACHING")],
    )
    with pytest.raises(CloudError) as caught:
        cloud.detach_eni(ENI, NODE, soon())
    assert caught.value.kind is CloudErrorKind.WRONG_STATE


def test_a_task_that_the_cloud_has_forgotten_is_judged_by_the_object(script, soon):
    cloud, _ = script(
        DeleteNetworkInterface=[{}],
        DescribeVpcTaskResult=[refused("ResourceNotFound")],
        DescribeNetworkInterfaces=[eni(state="DELETING"), {"TotalCount": 0, "NetworkInterfaceSet": []}],
    )
    cloud.delete_eni(ENI, soon())


def test_reads_that_fail_in_passing_do_not_end_the_wait(script, soon):
    cloud, server = script(
        DeleteNetworkInterface=[{}],
        DescribeVpcTaskResult=[SUCCESS],
        DescribeNetworkInterfaces=[*[refused("InternalError")] * 6, refused("ResourceNotFound")],
    )
    cloud.delete_eni(ENI, soon())
    assert count(server, "DescribeNetworkInterfaces") == 7


def test_reads_that_are_forbidden_end_the_wait_at_once_with_an_unknown_outcome(script, soon):
    cloud, server = script(
        DeleteNetworkInterface=[{}],
        DescribeVpcTaskResult=[SUCCESS],
        DescribeNetworkInterfaces=[refused("UnauthorizedOperation")],
    )
    with pytest.raises(CloudError, match="UnauthorizedOperation") as caught:
        cloud.delete_eni(ENI, soon())
    assert (caught.value.kind, caught.value.action) == (
        CloudErrorKind.UNKNOWN_OUTCOME,
        "DeleteNetworkInterface",
    )
    assert count(server, "DescribeNetworkInterfaces") == 1


def address(status, **place):
    return {"TotalCount": 1, "AddressSet": [{"AddressId": "eip-12345678", "AddressStatus": status, **place}]}


def test_a_bind_that_only_the_second_look_shows_is_a_success(script, soon):
    there = address("BINDING", NetworkInterfaceId=ENI, PrivateAddressIp="10.0.1.5")
    cloud, _ = script(
        AssociateAddress=[refused("InvalidPrivateIpAddress.AlreadyBindEip")],
        DescribeAddresses=[address("UNBIND"), there],
    )
    assert cloud.associate_eip("eip-12345678", ENI, "10.0.1.5", soon()) == ""


def test_an_eip_task_without_a_number_is_accepted(script, soon):
    cloud, _ = script(
        AssociateAddress=[{"TaskId": None}, {}, {"TaskId": 17}], DescribeTaskResult=[{"Result": "FAILED"}]
    )
    tasks = [cloud.associate_eip("eip-12345678", ENI, "10.0.1.5", soon()) for _ in range(3)]
    assert tasks == ["", "", "17"]
    assert cloud.describe_eip_task("17").value == "FAILED"
