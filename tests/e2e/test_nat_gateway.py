"""The page: a NAT gateway of the VPC affects the outbound traffic of Pods, too.

A NAT gateway is the way out of a whole subnet, so these tests take theirs away again at their end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from testbed.cluster.under_test import ClusterUnderTest
from tests.e2e.workloads import eip_pod
from tests.vpc_console import EIP, NAT, VpcConsole

ALL = "0.0.0.0/0"


@dataclass(frozen=True)
class Vpc:
    """The route table of the nodes' subnet, with a route to a NAT gateway."""

    console: VpcConsole
    table: str
    gateway_id: str
    gateway_ip: str


@pytest.fixture
def vpc(cluster: ClusterUnderTest) -> Iterator[Vpc]:
    admin = cluster.region.admin
    known = admin.get("/state")["cloud"]
    if not known["nat_gateways"]:
        admin.post("/nat-gateways", {})
        known = admin.get("/state")["cloud"]
    [gateway_id] = known["nat_gateways"]
    [table] = known["route_tables"]
    console = VpcConsole(cluster.region.document["cloud"])
    route = console.add_route(table, ALL, NAT, gateway_id)
    yield Vpc(console, table, gateway_id, known["nat_gateways"][gateway_id]["public_ip"])
    console.delete_route(table, route)


def test_a_pod_goes_out_by_the_nat_gateway_rather_than_its_eip_and_the_claim_says_what_to_change(
    cluster: ClusterUnderTest, namespace: str, vpc: Vpc
):
    start(cluster, namespace, "web-0")
    assert cluster.internet.source_seen_from(namespace, "web-0") == vpc.gateway_ip

    said = cluster.wait("the condition", lambda: egress(cluster, namespace, "web-0"))

    assert (said["status"], said["reason"]) == ("False", "NATGatewayFirst")
    for named in (vpc.table, vpc.gateway_id, f"route of destination {ALL}", '"public IP of CVM"'):
        assert named in said["message"]
    describe = ("describe", "pod", "web-0", "--namespace", namespace)
    cluster.wait("the warning where users look", lambda: said["message"] in cluster.kubectl(*describe))


def test_with_a_route_of_the_same_destination_to_the_public_ip_the_pod_goes_out_by_its_eip(
    cluster: ClusterUnderTest, namespace: str, vpc: Vpc
):
    eip = start(cluster, namespace, "web-0")
    cluster.wait("the condition", lambda: egress(cluster, namespace, "web-0"))
    route = vpc.console.add_route(vpc.table, ALL, EIP)
    try:
        assert cluster.internet.source_seen_from(namespace, "web-0") == eip

        # Within --egress-check-interval, or with the next binding: here with the latter.
        start(cluster, namespace, "web-1")
        pods = ("web-0", "web-1")

        def told() -> bool:
            return all(egress(cluster, namespace, pod).get("status") == "True" for pod in pods)

        cluster.wait("both claims to say so", told, seconds=330)
    finally:
        vpc.console.delete_route(vpc.table, route)


def start(cluster: ClusterUnderTest, namespace: str, name: str) -> str:
    """Start a Pod with an EIP, and return that."""
    attributes = {"eip-attributes": '{"Bandwidth":"100","ISP":"BGP"}'}
    cluster.apply(eip_pod(name, annotations=attributes), namespace=namespace)
    cluster.wait_for_pod(namespace, name)
    return str(cluster.must_get_claim(namespace, name)["status"]["address"]["ip"])


def egress(cluster: ClusterUnderTest, namespace: str, name: str) -> dict[str, Any]:
    """The condition EgressThroughEIP, empty while the claim has none."""
    claim = cluster.claim(namespace, name) or {}
    conditions = claim.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "EgressThroughEIP"), {})
