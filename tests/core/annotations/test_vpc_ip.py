"""What a Pod asks for with the annotations of a fixed address, and how a wrong one is refused."""

import pytest

from ipamd.core.annotations.networks import DIRECT_ENI, ROUTE_ENI
from ipamd.core.annotations.vpc_ip import (
    MOST_SUBNETS,
    VpcIpPolicy,
    VpcIpRequest,
    request_of,
    subnets_of,
    wants_fixed_ip,
)
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import (
    EXPIRED_DURATION,
    NETWORKS,
    NOMINATED_SUBNETS,
    NOMINATED_VPC_IP,
    VPC_IP_DELETE_POLICY,
)
from tests.testkit.pods import pod_view


def refusal(annotations, default_network=ROUTE_ENI) -> str:
    with pytest.raises(InvalidInputError) as e:
        request_of(pod_view(annotations), default_network)
    return str(e.value)


@pytest.mark.parametrize(
    ("annotations", "wants"),
    [
        ({}, False),
        ({VPC_IP_DELETE_POLICY: "Never"}, True),
        ({VPC_IP_DELETE_POLICY: " Never\n"}, True),
        ({VPC_IP_DELETE_POLICY: "Immediate"}, False),
        ({VPC_IP_DELETE_POLICY: ""}, False),
        ({VPC_IP_DELETE_POLICY: "never"}, True),
        ({NOMINATED_VPC_IP: "10.0.3.7"}, True),
        ({NOMINATED_VPC_IP: " "}, False),
        ({NOMINATED_SUBNETS: "subnet-aaaaaaaa"}, False),
    ],
)
def test_who_keeps_or_names_an_address_wants_one(annotations, wants):
    assert wants_fixed_ip(pod_view(annotations)) is wants
    assert not wants_fixed_ip(pod_view(annotations, hostNetwork=True))


def test_a_wish_is_read_complete():
    annotations = {
        VPC_IP_DELETE_POLICY: "Never",
        EXPIRED_DURATION: "24h",
        NOMINATED_VPC_IP: " 10.0.3.7 ",
        NOMINATED_SUBNETS: "subnet-bbbbbbbb, subnet-aaaaaaaa,subnet-bbbbbbbb",
    }

    assert request_of(pod_view(annotations)) == VpcIpRequest(
        delete_policy=VpcIpPolicy.NEVER,
        expire_after=86400.0,
        nominated_ip="10.0.3.7",
        subnet_ids=("subnet-bbbbbbbb", "subnet-aaaaaaaa"),
    )


def test_a_nominated_address_alone_goes_with_its_pod():
    asked = request_of(pod_view({NOMINATED_VPC_IP: "10.0.3.7"}))

    assert asked == VpcIpRequest(delete_policy=VpcIpPolicy.IMMEDIATE, nominated_ip="10.0.3.7")


@pytest.mark.parametrize(
    ("annotation", "value", "allowed"),
    [
        (VPC_IP_DELETE_POLICY, "never", 'it is "never"; allowed are Never and Immediate'),
        (EXPIRED_DURATION, "4m", "allowed are 5m to"),
        (NOMINATED_VPC_IP, "10.0.3", "allowed is one IPv4 address of the VPC"),
        (NOMINATED_VPC_IP, "10.0.3.7,10.0.3.8", "allowed is one IPv4 address of the VPC"),
        (NOMINATED_SUBNETS, "10.0.0.0/16", "ids of subnets (subnet-...)"),
        (NOMINATED_SUBNETS, ",", "ids of subnets (subnet-...)"),
    ],
)
def test_a_wrong_value_is_refused_by_name(annotation, value, allowed):
    message = refusal({VPC_IP_DELETE_POLICY: "Never", annotation: value})

    assert message.startswith(f"annotation {annotation} of Pod default/web-0: it is ")
    assert allowed in message
    assert message.endswith("correct it and create the Pod again")


def test_a_fixed_address_may_be_kept_by_an_eni_of_the_pods_own():
    assert request_of(pod_view({VPC_IP_DELETE_POLICY: "Never", NETWORKS: DIRECT_ENI})).exclusive
    assert not request_of(pod_view({VPC_IP_DELETE_POLICY: "Never"})).exclusive


def test_a_pod_of_another_network_is_refused():
    assert "not ours" in refusal({VPC_IP_DELETE_POLICY: "Never", NETWORKS: "tke-bridge"})
    assert "not ours" in refusal({VPC_IP_DELETE_POLICY: "Never"}, "tke-bridge")


def test_so_many_subnets_are_allowed():
    ids = [f"subnet-{number:08d}" for number in range(MOST_SUBNETS + 1)]

    assert len(subnets_of(ids[:-1])) == MOST_SUBNETS
    for wrong in (ids, [], "subnet-aaaaaaaa", [7]):
        with pytest.raises(InvalidInputError, match=f"1 to {MOST_SUBNETS} ids"):
            subnets_of(wrong)
