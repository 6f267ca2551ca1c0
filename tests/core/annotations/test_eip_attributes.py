"""`eip-attributes` of TKE's page, as users write it and as they get it wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.annotations import allocate_fields
from ipamd.core.annotations.eip import DeletePolicy, request_of
from ipamd.core.annotations.eip_attributes import (
    BY_BANDWIDTH,
    BY_CVM,
    BY_TRAFFIC,
    IN_PACKAGE,
    ISPS,
    MOST_MBPS,
    order_of,
)
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES
from ipamd.core.model import EipOrder
from tests.testkit.pods import pod_view


def refusal(annotations):
    with pytest.raises(InvalidInputError) as raised:
        request_of(pod_view(annotations))
    return str(raised.value)


def test_the_page_s_example_is_100_mbps_bgp_by_traffic():
    request = request_of(pod_view({EIP_ATTRIBUTES: '{"Bandwidth":"100","ISP":"BGP"}'}))

    assert request.order == EipOrder(isp="BGP", bandwidth_mbps=100, charge_type="TRAFFIC_POSTPAID_BY_HOUR")
    assert request.delete_policy is DeletePolicy.DELETE


@pytest.mark.parametrize(
    "annotations", [{}, {EIP_ATTRIBUTES: ""}, {EIP_ATTRIBUTES: " "}, {EIP_ATTRIBUTES: "{}"}]
)
def test_nothing_said_means_the_defaults(annotations):
    assert request_of(pod_view(annotations, resource="1")).order == EipOrder()


@pytest.mark.parametrize("isp", ISPS)
def test_every_documented_line_is_allowed(isp):
    assert order_of(json.dumps({"ISP": isp})).isp == isp


def test_what_the_cvm_pays_for_has_the_cvm_s_bandwidth():
    by_cvm = {"InternetChargeType": BY_CVM}
    assert order_of(json.dumps(by_cvm)) == EipOrder(charge_type=BY_CVM, bandwidth_mbps=0)
    for field in ("Bandwidth", "InternetMaxBandwidthOut"):
        assert "it is the CVM's" in refusal({EIP_ATTRIBUTES: json.dumps({**by_cvm, field: "5"})})


@pytest.mark.parametrize("value", ["1", 1, "100", 100])
def test_a_bandwidth_is_a_number_or_its_text(value):
    assert order_of(json.dumps({"Bandwidth": value})).bandwidth_mbps == int(value)


def test_the_long_names_win_over_the_short_ones():
    text = json.dumps(
        {
            "Bandwidth": "100",
            "ISP": "BGP",
            "InternetMaxBandwidthOut": 50,
            "InternetServiceProvider": "CMCC",
        }
    )

    assert order_of(text) == EipOrder(isp="CMCC", bandwidth_mbps=50)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ('{"bandwidth":"7","isp":"CMCC"}', EipOrder(isp="CMCC", bandwidth_mbps=7)),
        ('{"BANDWIDTH":7}', EipOrder(bandwidth_mbps=7)),
        ('{"bandwidth":5,"internetMaxBandwidthOut":50}', EipOrder(bandwidth_mbps=50)),
        ('{"internetchargetype":"BANDWIDTH_POSTPAID_BY_HOUR"}', EipOrder(charge_type=BY_BANDWIDTH)),
    ],
)
def test_the_case_of_a_field_s_name_does_not_matter(text, order):
    assert order_of(text) == order


def test_a_value_s_case_matters():
    assert 'ISP is "bgp"' in refusal({EIP_ATTRIBUTES: '{"isp":"bgp"}'})


def test_a_bandwidth_package_takes_2000_mbps_and_needs_its_id():
    package = {"InternetChargeType": IN_PACKAGE, "BandwidthPackageId": "bwp-12345678", "Bandwidth": 2000}

    order = order_of(json.dumps(package))

    assert (order.bandwidth_mbps, order.bandwidth_package_id) == (2000, "bwp-12345678")
    with pytest.raises(InvalidInputError, match="BandwidthPackageId"):
        order_of(json.dumps({**package, "BandwidthPackageId": ""}))
    with pytest.raises(InvalidInputError, match=IN_PACKAGE):
        order_of(json.dumps({"BandwidthPackageId": "bwp-12345678"}))


@given(st.integers(min_value=-3, max_value=2500), st.sampled_from([BY_TRAFFIC, BY_BANDWIDTH, IN_PACKAGE]))
def test_the_limits_of_each_charge_type_hold(mbps, charge_type):
    package = {"BandwidthPackageId": "bwp-1"} if charge_type == IN_PACKAGE else {}
    text = json.dumps({"Bandwidth": mbps, "InternetChargeType": charge_type, **package})

    if 1 <= mbps <= MOST_MBPS[charge_type]:
        assert order_of(text).bandwidth_mbps == mbps
    else:
        with pytest.raises(InvalidInputError, match=f"from 1 to {MOST_MBPS[charge_type]}.*{charge_type}"):
            order_of(text)


@pytest.mark.parametrize(
    "value",
    ["0", "101", "fast", "10.5", 10.5, 100.0, True, None, "", " 5", "\uff15", "1e2", [5], {}, "-1", 10**30],
    ids=repr,
)
def test_a_wrong_bandwidth_is_named_with_what_is_allowed(value):
    message = refusal({EIP_ATTRIBUTES: json.dumps({"Bandwidth": value})})

    assert EIP_ATTRIBUTES in message
    assert "default/web-0" in message
    assert "Bandwidth is " + json.dumps(value)[:20] in message
    assert "1 to 100" in message


@pytest.mark.parametrize("value", ["STARLINK", "bgp", "", 5, None, ["BGP"]], ids=repr)
def test_a_wrong_isp_is_named_with_those_allowed(value):
    message = refusal({EIP_ATTRIBUTES: json.dumps({"ISP": value})})

    assert json.dumps(value) in message
    assert "BGP, CMCC, CTCC, CUCC" in message


@pytest.mark.parametrize("value", ["BANDWIDTH_PREPAID_BY_MONTH", "free", 1], ids=repr)
def test_a_wrong_charge_type_is_named_with_those_allowed(value):
    message = refusal({EIP_ATTRIBUTES: json.dumps({"InternetChargeType": value})})

    assert json.dumps(value) in message
    assert "TRAFFIC_POSTPAID_BY_HOUR" in message


@pytest.mark.parametrize(
    "text", ["{not json", "BGP", "{", '{"Bandwidth":}', "[" * 2000], ids=lambda t: t[:12]
)
def test_what_is_not_json_is_said_with_an_example(text):
    message = refusal({EIP_ATTRIBUTES: text})

    assert "not JSON" in message
    assert '{"Bandwidth":"100","ISP":"BGP"}' in message


@pytest.mark.parametrize("text", ["[]", "100", '"BGP"', "null", "true"])
def test_what_is_no_object_is_said(text):
    assert "not a JSON object" in refusal({EIP_ATTRIBUTES: text})


def test_an_unknown_field_is_named_with_the_known_ones():
    message = refusal({EIP_ATTRIBUTES: '{"bandwith":"100"}'})

    assert '"bandwith"' in message
    assert "Bandwidth, ISP, InternetMaxBandwidthOut" in message


def test_a_field_given_twice_is_refused():
    for text in ('{"Bandwidth":1,"Bandwidth":2}', '{"bandwidth":1,"Bandwidth":2}'):
        assert '"Bandwidth" is given more than once' in refusal({EIP_ATTRIBUTES: text})


def test_an_annotation_of_absurd_size_is_refused_by_its_size():
    assert "8192" in refusal({EIP_ATTRIBUTES: '{"Bandwidth":"' + "1" * 100_000 + '"}'})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
fields = st.dictionaries(
    st.sampled_from((*allocate_fields.KNOWN, *allocate_fields.REFUSED)) | st.text(max_size=10),
    json_values,
    max_size=6,
)


@given(fields.map(json.dumps) | st.text(max_size=100))
def test_whatever_is_written_gives_an_order_in_the_limits_or_a_refusal_that_names_it(text):
    try:
        order = request_of(pod_view({EIP_ATTRIBUTES: text})).order
    except InvalidInputError as e:
        said = str(e)
    else:
        assert order.isp in ISPS
        assert 1 <= order.bandwidth_mbps <= MOST_MBPS[order.charge_type]
        return
    assert EIP_ATTRIBUTES in said
    assert len(said) < 1000
