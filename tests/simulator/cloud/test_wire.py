"""What every call has in common: HTTP, products, parameters."""

import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException


def raw(cloud, method="POST", body=b"{}", headers=None):
    connection = http.client.HTTPConnection(cloud.server.endpoint)
    try:
        connection.request(method, "/", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), json.loads(answer.read())
    finally:
        connection.close()


def test_even_an_unsigned_request_is_answered_with_200_and_an_error(cloud):
    headers = {"Content-Type": "application/json", "X-TC-Action": "DescribeAddresses"}
    status, content_type, body = raw(cloud, headers=headers)
    assert (status, content_type) == (200, "application/json")
    assert body["Response"]["Error"]["Code"] == "AuthFailure.InvalidAuthorization"
    assert body["Response"]["RequestId"]


def test_a_request_without_an_action_names_the_missing_parameter(cloud):
    _status, _type, body = raw(cloud, headers={"Content-Type": "application/json"})
    assert body["Response"]["Error"] == {
        "Code": "MissingParameter",
        "Message": "The request is missing a required parameter `Action`.",
    }


@pytest.mark.parametrize(("method", "content_type"), [("PUT", "application/json"), ("POST", "text/html")])
def test_other_methods_and_content_types_are_an_unsupported_protocol(cloud, method, content_type):
    _status, _type, body = raw(cloud, method, headers={"Content-Type": content_type})
    assert body["Response"]["Error"]["Code"] == "UnsupportedProtocol"


def test_a_request_without_a_length_is_refused_by_http(cloud):
    host, _, port = cloud.server.endpoint.rpartition(":")
    head = b"POST / HTTP/1.1\r\nHost: region\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 411 ")


@pytest.mark.parametrize(
    ("options", "action", "code"),
    [
        ({"product": "cos"}, "DescribeAddresses", "NoSuchProduct"),
        ({"version": "2016-01-01"}, "DescribeAddresses", "NoSuchVersion"),
        ({}, "DescribeNothing", "InvalidAction"),
        ({"product": "cvm"}, "DescribeAddresses", "InvalidAction"),
        ({"region": "ap-beijing"}, "DescribeAddresses", "UnsupportedRegion"),
        ({"region": ""}, "DescribeAddresses", "MissingParameter"),
    ],
)
def test_product_version_action_and_region_must_exist(cloud, options, action, code):
    with pytest.raises(TencentCloudSDKException) as caught:
        cloud.call(action, **options)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("action", "params", "code", "name"),
    [
        ("AssociateAddress", {}, "MissingParameter", "AddressId"),
        ("AllocateAddresses", {"Bandwidth": 5}, "UnknownParameter", "Bandwidth"),
        (
            "DescribeAddresses",
            {"Filters": [{"Name": "address-id", "Value": []}]},
            "UnknownParameter",
            "Filters.0.Value",
        ),
        ("DescribeAddresses", {"Filters": [{"Values": []}]}, "MissingParameter", "Filters.0.Name"),
        ("AllocateAddresses", {"AddressCount": "1"}, "InvalidParameter", "AddressCount"),
        ("AllocateAddresses", {"AddressCount": True}, "InvalidParameter", "AddressCount"),
        ("AllocateAddresses", {"Tags": {}}, "InvalidParameter", "Tags"),
        ("AllocateAddresses", {"Tags": ["x"]}, "InvalidParameter", "Tags.0"),
        ("DescribeTaskResult", {"TaskId": "12"}, "InvalidParameter", "TaskId"),
        ("DescribeSubnets", {"Limit": 10}, "InvalidParameter", "Limit"),
        ("DescribeRouteTables", {"Offset": 0}, "InvalidParameter", "Offset"),
        ("DescribeNetworkInterfaces", {"Limit": "10"}, "InvalidParameter", "Limit"),
    ],
)
def test_parameters_are_checked_by_name_and_type(cloud, action, params, code, name):
    assert cloud.refused(action, params) == code
    assert f"`{name}`" in cloud.message(action, params)


def test_a_list_without_an_item_counts_as_missing(cloud):
    eni = cloud.eni()
    for action, params in (
        ("ReleaseAddresses", {"AddressIds": []}),
        ("ModifyAddressesBandwidth", {"AddressIds": [], "InternetMaxBandwidthOut": 5}),
        ("UnassignPrivateIpAddresses", {"NetworkInterfaceId": eni, "PrivateIpAddresses": []}),
    ):
        assert cloud.refused(action, params) == "MissingParameter"


def test_a_null_parameter_counts_as_absent(cloud):
    assert cloud.call("DescribeAddresses", {"Filters": None, "Limit": None})["TotalCount"] == 0


def test_a_get_request_gives_lists_and_numbers_their_types(cloud):
    ids = cloud.eips(3)
    params = {"Filters": [{"Name": "address-id", "Values": ids}], "Limit": 2, "Offset": 1}
    answer = cloud.call("DescribeAddresses", params, method="GET")
    assert answer["TotalCount"] == 3
    assert len(answer["AddressSet"]) == 2


def test_a_get_request_with_a_word_for_a_number_is_refused(cloud):
    assert cloud.refused("DescribeAddresses", {"Limit": "many"}, method="GET") == "InvalidParameter"


def test_a_client_keeps_its_connection(cloud):
    client = cloud.client()
    for _ in range(5):
        client.call_json("DescribeAddresses", {})
    http_threads = [t for t in threading.enumerate() if "process_request" in t.name]
    assert len(http_threads) == 1


def test_many_clients_are_served_at_once(cloud):
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: cloud.call("DescribeAddresses"), range(60)))
    assert len({answer["RequestId"] for answer in answers}) == 60


def test_names_beyond_ascii_come_back_unharmed(cloud):
    address_id = cloud.eip(AddressName="出口-é-🙂")
    assert cloud.shown_eip(address_id)["AddressName"] == "出口-é-🙂"
