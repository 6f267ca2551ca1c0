"""From the API's JSON to our nouns: tolerant of gaps, strict about identity, never another exception."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.cloud import decoding, fields
from ipamd.core import model

DECODERS = {
    "instance": decoding.instance,
    "eni": decoding.eni,
    "eip": decoding.eip,
    "subnet": decoding.subnet,
    "vpc_cidrs": decoding.vpc_cidrs,
    "route_table": decoding.route_table,
    "eip_quota": decoding.eip_quota,
}
FIELD_NAMES = [
    "AddressId",
    "AddressIp",
    "AddressStatus",
    "AssistantCidrSet",
    "Attachment",
    "AvailableIpAddressCount",
    "CPU",
    "CidrBlock",
    "DestinationCidrBlock",
    "Enabled",
    "GroupSet",
    "InstanceId",
    "IsArrears",
    "Key",
    "MacAddress",
    "NetworkInterfaceId",
    "Placement",
    "Primary",
    "PrivateAddressIp",
    "PrivateIpAddress",
    "PrivateIpAddressSet",
    "PrivateIpAddresses",
    "QuotaCurrent",
    "QuotaId",
    "RouteSet",
    "RouteTableId",
    "State",
    "SubnetId",
    "TagSet",
    "Value",
    "VirtualPrivateCloud",
    "Zone",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELD_NAMES), inner, max_size=6)
    ),
    max_leaves=30,
)
json_objects = st.dictionaries(st.sampled_from(FIELD_NAMES), json_values, max_size=12)


@given(row=json_objects, name=st.sampled_from(sorted(DECODERS)))
def test_any_object_is_decoded_or_refused_by_its_shape(row, name):
    said = ""
    try:
        DECODERS[name](json.loads(json.dumps(row)))
    except fields.ShapeError as e:
        said = str(e)
    assert len(said) < 300


def test_an_eni_with_nothing_but_an_id_is_an_eni_that_cannot_be_used():
    eni = decoding.eni({"NetworkInterfaceId": "eni-1"})
    assert (eni.eni_id, eni.state, eni.instance_id) == ("eni-1", model.EniState.UNKNOWN, "")
    assert (eni.addresses, eni.tags, eni.primary_ip) == ((), {}, "")


def test_nulls_are_taken_for_missing():
    eip = decoding.eip(
        {
            "AddressId": "eip-1",
            "AddressStatus": "UNBIND",
            "AddressIp": None,
            "NetworkInterfaceId": None,
            "PrivateAddressIp": None,
            "InstanceId": None,
            "IsArrears": None,
            "TagSet": None,
        }
    )
    assert eip == model.Eip(eip_id="eip-1", public_ip="", status=model.EipStatus.UNBIND)


def test_a_state_of_the_future_is_neither_bound_nor_free():
    eip = decoding.eip({"AddressId": "eip-1", "AddressStatus": "FREEZING"})
    assert eip.status is model.EipStatus.UNKNOWN
    assert not eip.bound


@pytest.mark.parametrize("decoder", sorted(DECODERS))
def test_a_row_without_identity_fails_the_listing_instead_of_vanishing_from_it(decoder):
    with pytest.raises(fields.ShapeError, match="is missing"):
        DECODERS[decoder]({})


@pytest.mark.parametrize("ip", ["10.3.4.5.6", "10.0.1.0/24", "eth0", "256.1.1.1"])
def test_an_address_that_is_none_is_refused(ip):
    with pytest.raises(fields.ShapeError, match="not an IP address"):
        decoding.eni_address({"PrivateIpAddress": ip, "State": "AVAILABLE"})


def test_a_mac_is_lower_case_and_numbers_may_come_as_text():
    assert decoding.eni({"NetworkInterfaceId": "eni-1", "MacAddress": "20:90:6F:2A:11:3D"}).mac == (
        "20:90:6f:2a:11:3d"
    )
    assert decoding.subnet({"SubnetId": "subnet-1", "AvailableIpAddressCount": "17"}).available_ips == 17


def test_routes_of_ipv6_are_left_out_and_a_route_is_on_unless_it_is_switched_off():
    table = decoding.route_table(
        {
            "RouteTableId": "rtb-1",
            "RouteSet": [
                {"DestinationCidrBlock": "0.0.0.0/0", "GatewayType": "NAT", "GatewayId": "nat-1"},
                {
                    "DestinationCidrBlock": "0.0.0.0/0",
                    "GatewayType": "EIP",
                    "GatewayId": "0",
                    "Enabled": False,
                },
                {"DestinationCidrBlock": "", "DestinationIpv6CidrBlock": "::/0", "GatewayType": "CCN"},
            ],
        }
    )
    assert [(route.gateway_type, route.enabled) for route in table.routes] == [("NAT", True), ("EIP", False)]


@pytest.mark.parametrize("length", [fields.MOST_ROWS + 1])
def test_a_list_without_end_is_refused(length):
    with pytest.raises(fields.ShapeError, match="at most"):
        decoding.eni({"NetworkInterfaceId": "eni-1", "PrivateIpAddressSet": [{}] * length})


def test_a_text_without_end_is_refused_and_not_repeated_in_the_message():
    with pytest.raises(fields.ShapeError) as caught:
        decoding.eni({"NetworkInterfaceId": "x" * 100_000})
    assert len(str(caught.value)) < 300
