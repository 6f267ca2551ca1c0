"""What Pods ask for, and what they forget to ask for: annotations with and without the resource."""

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip
from tests.e2e.workloads import eip_pod, eip_workload, forgetful_pod


def test_an_annotation_without_the_resource_works_and_a_warning_says_what_is_missing(
    cluster: ClusterUnderTest, namespace: str
):
    claims = Claims(cluster, namespace)
    cluster.apply(forgetful_pod("web"), namespace=namespace)

    _, address = claims.bound("web")
    cluster.wait_for_pod(namespace, "web")

    claims.outside_sees("web", address)
    assert "tke.cloud.tencent.com/eip" in claims.says("web", "EIPResourceMissing")


def test_the_resource_without_an_annotation_gets_an_eip_of_the_defaults(
    cluster: ClusterUnderTest, namespace: str
):
    claims = Claims(cluster, namespace)
    cluster.apply(eip_workload("StatefulSet", "web", {}), namespace=namespace)

    eip_id, address = claims.bound("web-0")
    cluster.wait_for_pod(namespace, "web-0")

    assert cluster.must_get_claim(namespace, "web-0")["spec"]["attributes"] == {
        "bandwidthMbps": 100,
        "isp": "BGP",
        "chargeType": "TRAFFIC_POSTPAID_BY_HOUR",
    }
    assert eip(cluster, eip_id)["Bandwidth"] == 100
    claims.outside_sees("web-0", address)


def test_the_names_of_allocate_addresses_are_understood(cluster: ClusterUnderTest, namespace: str):
    claims = Claims(cluster, namespace)
    wish = (
        '{"InternetMaxBandwidthOut":"7","InternetServiceProvider":"BGP","AddressName":"shop",'
        '"Tags":[{"Key":"team","Value":"web"}]}'
    )
    cluster.apply(eip_pod("web", annotations={"eip-attributes": wish}), namespace=namespace)
    eip_id, address = claims.bound("web")
    shown = eip(cluster, eip_id)
    assert (shown["Bandwidth"], shown["AddressName"]) == (7, "shop")
    assert shown["Tags"]["team"] == "web"
    cluster.wait_for_pod(namespace, "web")
    claims.outside_sees("web", address)
