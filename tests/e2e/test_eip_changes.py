"""The EIP of a running Pod is changed by kubectl, as docs/eip-changes.md shows it."""

import pytest

from testbed.cluster.observation import ClusterError
from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.claims import Claims, eip
from tests.e2e.workloads import ANNOTATION, eip_pod

ATTRIBUTES = f"{ANNOTATION}eip-attributes"
CONFIRM = "networking.tke.cloud.tencent.com/confirm-charge-type"
HOURLY = "BANDWIDTH_POSTPAID_BY_HOUR"


def run(cluster: ClusterUnderTest, namespace: str) -> tuple[Claims, str, str]:
    """Run a Pod with an EIP of 7 Mbps; return its claims, and id and address of the EIP."""
    claims = Claims(cluster, namespace)
    pod = eip_pod("web", annotations={"eip-attributes": '{"Bandwidth":"7"}'})
    cluster.apply(pod, namespace=namespace)
    eip_id, address = claims.bound("web")
    cluster.wait_for_pod(namespace, "web")
    claims.outside_sees("web", address)
    return claims, eip_id, address


def wait_brought_to(cluster: ClusterUnderTest, namespace: str, field: str, value: object) -> None:
    """Wait until the claim says that its EIP was brought to this."""
    cluster.wait(
        f"{field} {value}",
        lambda: cluster.must_get_claim(namespace, "web")["status"]["attributes"].get(field) == value,
    )


def wait_changed(cluster: ClusterUnderTest, namespace: str) -> None:
    condition = "--for=jsonpath={.status.conditions[?(@.type=='UpToDate')].reason}=Changed"
    cluster.kubectl("wait", "eipc/web", f"--namespace={namespace}", condition, "--timeout=60s")


def test_bandwidth_package_and_charge_type_change_while_the_pod_keeps_its_eip(
    cluster: ClusterUnderTest, namespace: str
):
    claims, eip_id, address = run(cluster, namespace)

    wish = '{"Bandwidth":"500","InternetChargeType":"BANDWIDTH_PACKAGE","BandwidthPackageId":"bwp-demo0001"}'
    inside = f"--namespace={namespace}"
    cluster.kubectl("annotate", "pod/web", inside, "--overwrite", f"{ATTRIBUTES}={wish}")
    assert "500 Mbps" in claims.says("web", "Changed")
    shown = eip(cluster, eip_id)
    assert (shown["Bandwidth"], shown["BandwidthPackageId"]) == (500, "bwp-demo0001")

    cluster.kubectl("annotate", "pod/web", inside, "--overwrite", f'{ATTRIBUTES}={{"Bandwidth":"9"}}')
    hourly = f'{{"spec":{{"attributes":{{"chargeType":"{HOURLY}"}}}}}}'
    wait_brought_to(cluster, namespace, "bandwidthMbps", 9)
    cluster.kubectl("patch", "eipc/web", inside, "--type=merge", f"--patch={hourly}")
    assert f"{CONFIRM}={HOURLY}" in claims.says("web", "ChangeRefused")
    cluster.kubectl("annotate", "eipc/web", inside, f"{CONFIRM}={HOURLY}")
    wait_brought_to(cluster, namespace, "chargeType", HOURLY)
    wait_changed(cluster, namespace)

    shown = eip(cluster, eip_id)
    assert (shown["Bandwidth"], shown["InternetChargeType"]) == (9, HOURLY)
    assert claims.bound("web") == (eip_id, address)
    claims.outside_sees("web", address)


def test_another_line_is_refused_by_the_api_server_and_on_the_pod(cluster: ClusterUnderTest, namespace: str):
    claims, eip_id, address = run(cluster, namespace)
    inside = f"--namespace={namespace}"
    line = '--patch={"spec":{"attributes":{"isp":"CMCC"}}}'
    with pytest.raises(ClusterError, match=r"the line of an EIP \(isp\) cannot be changed"):
        cluster.kubectl("patch", "eipc/web", inside, "--type=merge", line)
    cluster.kubectl("annotate", "pod/web", inside, "--overwrite", f'{ATTRIBUTES}={{"ISP":"CMCC"}}')
    assert "InternetServiceProvider is BGP, not CMCC" in claims.says("web", "ChangeRefused")
    assert claims.bound("web") == (eip_id, address)
