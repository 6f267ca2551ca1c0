"""The other parameters of AllocateAddresses: passed on, or refused by name with the reason."""

import json

import pytest

from ipamd.core.annotations.allocate_fields import KNOWN, REFUSED
from ipamd.core.annotations.eip import request_of
from ipamd.core.annotations.eip_attributes import order_of
from ipamd.core.claim import spec
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES
from ipamd.core.model import EipOrder
from tests.testkit.pods import pod_view


def refusal(**fields):
    with pytest.raises(InvalidInputError) as raised:
        request_of(pod_view({EIP_ATTRIBUTES: json.dumps(fields)}))
    message = str(raised.value)
    assert EIP_ATTRIBUTES in message
    assert "default/web-0" in message
    return message


ORDERS = [
    ({"AddressName": "shop"}, EipOrder(name="shop")),
    ({"AddressType": "EIP"}, EipOrder()),
    (
        {"AddressType": "HighQualityEIP", "Egress": "center_egress2"},
        EipOrder(address_type="HighQualityEIP", egress="center_egress2"),
    ),
    ({"ISP": "CMCC", "Egress": "center_egress3"}, EipOrder(isp="CMCC", egress="center_egress3")),
    (
        {"AddressType": "AnycastEIP", "AnycastZone": "ANYCAST_ZONE_GLOBAL"},
        EipOrder(address_type="AnycastEIP", anycast_zone="ANYCAST_ZONE_GLOBAL"),
    ),
    (
        {"AddressType": "AntiDDoSEIP", "AntiDDoSPackageId": "bgp-000000co"},
        EipOrder(address_type="AntiDDoSEIP", anti_ddos_package_id="bgp-000000co"),
    ),
    ({"AddressType": "ResidentialEIP"}, EipOrder(address_type="ResidentialEIP")),
    (
        {"Tags": [{"Key": "team", "Value": "web"}, {"Key": "cost", "Value": ""}]},
        EipOrder(tags=(("cost", ""), ("team", "web"))),
    ),
    ({"tags": [{"key": "team", "value": "web"}]}, EipOrder(tags=(("team", "web"),))),
]


@pytest.mark.parametrize(("fields", "order"), ORDERS, ids=str)
def test_a_field_is_passed_on(fields, order):
    assert order_of(json.dumps(fields)) == order


@pytest.mark.parametrize("order", [order for _, order in ORDERS], ids=str)
def test_a_claim_s_spec_says_all_of_an_order(order):
    request = request_of(pod_view({}, resource="1"))
    stored = spec.write(type(request)(order=order, delete_policy=request.delete_policy))
    assert spec.read(json.loads(json.dumps(stored))).order == order


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_a_pod_s_to_give_is_refused_by_name_with_the_reason(name):
    message = refusal(**{name.lower(): 1})
    assert f"field {name} is not allowed, because {REFUSED[name]}" in message
    assert f"allowed are {', '.join(KNOWN)}" in message


def test_what_nobody_knows_is_refused_by_name():
    assert 'unknown field "Colour"; allowed are Bandwidth, ISP' in refusal(Colour="red")


def test_months_that_are_paid_ahead_are_refused_with_the_reason():
    message = refusal(InternetChargeType="BANDWIDTH_PREPAID_BY_MONTH")
    assert "cannot be released" in message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"AddressType": "WanIP"}, 'AddressType is "WanIP"; allowed are EIP, AnycastEIP'),
        ({"AddressType": "AnycastEIP", "ISP": "CMCC"}, "InternetServiceProvider is CMCC; allowed is BGP"),
        ({"AnycastZone": "ANYCAST_ZONE_GLOBAL"}, "with AddressType AnycastEIP only"),
        ({"AddressType": "AnycastEIP", "AnycastZone": "MOON"}, 'AnycastZone is "MOON"'),
        ({"AddressType": "AntiDDoSEIP"}, "needs the id of a package"),
        ({"AntiDDoSPackageId": "bgp-1"}, "with AddressType AntiDDoSEIP only"),
        ({"Egress": "center_egress2"}, "HighQualityEIP or a single line"),
        ({"ISP": "CMCC", "Egress": "moon"}, 'Egress is "moon"'),
        ({"AddressName": "x" * 129}, "has 129 characters; allowed are 128"),
        ({"AddressName": "a-eipclaim-b"}, "by which EIPs of claims are known"),
        ({"AddressName": "a\nb"}, "printable"),
        ({"AddressName": 5}, "AddressName is 5; allowed is text"),
        ({"Tags": {"team": "web"}}, "allowed is a list such as"),
        ({"Tags": [{"Key": "team"}]}, "allowed is a list such as"),
        ({"Tags": [{"Key": "team", "Value": 5}]}, "allowed is a list such as"),
        ({"Tags": [{"Key": "", "Value": "x"}]}, "keys of 1 to 127 characters"),
        ({"Tags": [{"Key": "k", "Value": "x" * 256}]}, "values of up to 255"),
        ({"Tags": [{"Key": "tke-clusterId", "Value": "cls-1"}]}, 'the key "tke-clusterId"'),
        ({"Tags": [{"Key": "Qcloud-x", "Value": "1"}]}, "the controller's or the cloud's own"),
        ({"Tags": [{"Key": "k", "Value": v} for v in "ab"]}, 'the key "k" more than once'),
        ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(21)]}, "21 entries; allowed are 20"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused_with_what_is_allowed(fields, said):
    assert said in refusal(**fields)


def test_a_claim_that_a_person_wrote_is_held_to_the_same():
    attributes = {"isp": "BGP", "bandwidthMbps": 5, "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}
    for extra, said in (
        ({"egress": "center_egress2"}, "spec.attributes: Egress"),
        ({"tags": [{"value": "x"}]}, "objects with a key"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            spec.read({"attributes": {**attributes, **extra}})
