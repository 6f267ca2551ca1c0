"""A NAT gateway in the VPC and a Pod with an EIP: who an internet host sees, and what is told."""

from collections.abc import Iterator
from typing import Any

import pytest

from testbed import masquerade
from testbed.bed import Bed
from testbed.probes import SourceReporter, seen_source
from tests.vpc_console import EIP, NAT, VpcConsole

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

RTB = "rtb-demo0001"
ALL = "0.0.0.0/0"


@pytest.fixture
def bed(tmp_path) -> Iterator[Bed]:
    with Bed(tmp_path) as bed:
        bed.start_region(
            {
                "instances": [{"instance_type": "S5.2XLARGE16", "public_ip": True}],
                "nat_gateways": [{"nat_gateway_id": "nat-demo0001"}],
            }
        )
        masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"])
        bed.start_controller(options=["--egress-check-interval", "10s"])
        bed.start_agent()
        bed.wait_until_ready()
        yield bed


def claim(bed: Bed) -> dict[str, Any]:
    [found] = bed.workloads.claims()
    return found


def egress(bed: Bed) -> dict[str, Any]:
    conditions = claim(bed).get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "EgressThroughEIP"), {})


def test_the_pod_leaves_by_the_nat_gateway_until_the_eip_route_is_added(bed: Bed):
    console = VpcConsole(bed.endpoints.cloud)
    console.add_route(RTB, ALL, NAT, "nat-demo0001")
    [gateway] = bed.cloud_state()["cloud"]["nat_gateways"].values()
    sandbox, outcome = bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)
    outcome.result()
    eip = claim(bed)["status"]["address"]["ip"]

    with SourceReporter(bed.internet_netns):
        outside = bed.internet_hosts[0]
        # The VPC takes a moment to follow its route tables.
        bed.wait_until("the gateway", lambda: seen_source(sandbox.netns, outside) == gateway["public_ip"])
        bed.wait_until("the condition", lambda: egress(bed).get("reason") == "NATGatewayFirst")
        message = egress(bed)["message"]
        assert f"add to {RTB} a route of destination {ALL}" in message
        bed.wait_until("the Event on the Pod", lambda: message in said(bed))

        console.add_route(RTB, ALL, EIP)

        bed.wait_until("the EIP", lambda: seen_source(sandbox.netns, outside) == eip)
        bed.wait_until("the condition", lambda: egress(bed).get("status") == "True")
        assert claim(bed)["status"]["phase"] == "Bound"


def said(bed: Bed) -> list[str]:
    events = bed.workloads.events(regarding="web-0")
    return [e["message"] for e in events if e["involvedObject"]["kind"] == "Pod" and e["type"] == "Warning"]
