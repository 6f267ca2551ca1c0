"""A fixed address's life with controller, agent and plugin together, with traffic as the evidence."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.bed import Bed
from testbed.probes import SourceReporter, seen_source
from testbed.runtime import Sandbox

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

VPCIPCLAIMS = "/apis/networking.tke.cloud.tencent.com/v1/namespaces/default/vpcipclaims"
KEPT = {"vpc-ip-claim-delete-policy": "Never"}
KEPT_EIP = {"eip-attributes": "", "eip-claim-delete-policy": "Never"}


@pytest.fixture(scope="module", autouse=True)
def _outside(bed: Bed) -> Iterator[None]:
    with SourceReporter(bed.internet_netns):
        yield


def claim(bed: Bed, name: str) -> dict[str, Any]:
    found = bed.workloads.api.get(VPCIPCLAIMS)["items"]
    return next((c for c in found if c["metadata"]["name"] == name), {})


def reserved(bed: Bed) -> dict[str, Any]:
    """The reservations by address."""
    return {kept["ip"]: kept for kept in bed.cloud_state()["cloud"]["reservations"].values()}


def cloud_writes(bed: Bed) -> dict[str, int]:
    calls = bed.admin.get("/audit")["calls"]
    return {action: n for action, n in calls.items() if not action.startswith("Describe")}


def settled_writes(bed: Bed) -> dict[str, int]:
    """The writes so far, once the pool has none to make."""
    seen: list[dict[str, int]] = []

    def same() -> bool:
        seen.append(cloud_writes(bed))
        return len(seen) > 10 and all(one == seen[-1] for one in seen[-10:])

    bed.wait_until("no writes", same)
    return seen[-1]


def added(bed: Bed, name: str, **options: Any) -> tuple[Sandbox, str]:
    """A Pod with its network and its address; ADD is repeated as the kubelet does it."""
    sandbox, outcome = bed.add_pod(name, **options)
    outcomes = [outcome]

    def done() -> bool:
        if outcomes[-1].exit_code != 0:
            outcomes.append(bed.runtime.run("ADD", sandbox))
        return outcomes[-1].exit_code == 0

    bed.wait_until(f"ADD of {name}", done, seconds=90.0)
    bed.workloads.pod_is_running(name, outcomes[-1].ip())
    return sandbox, outcomes[-1].ip()


def test_the_next_pod_of_the_name_has_the_address_and_nobody_else_gets_it_meanwhile(bed: Bed):
    sandbox, ip = added(bed, "web-0", annotations=KEPT)
    assert reserved(bed)[ip]["tags"]["tke-vpcipclaim-uid"] == claim(bed, "web-0")["metadata"]["uid"]
    bed.delete_pod(sandbox)

    others = {added(bed, f"plain-{number}")[1] for number in range(6)}
    _, again = added(bed, "web-0", annotations=KEPT)

    assert again == ip
    assert ip not in others


def test_address_and_eip_come_back_together_without_a_write_of_the_cloud(bed: Bed):
    both = {**KEPT, **KEPT_EIP}
    sandbox, ip = added(bed, "db-0", annotations=both, eip=True)
    public_ip = seen_source(sandbox.netns, bed.internet_hosts[0])
    before = settled_writes(bed)
    bed.delete_pod(sandbox)

    sandbox, again = added(bed, "db-0", annotations=both, eip=True)

    assert again == ip
    assert seen_source(sandbox.netns, bed.internet_hosts[0]) == public_ip
    assert settled_writes(bed) == before


def test_a_deleted_claim_leaves_the_running_pod_its_address_and_then_gives_it_back(bed: Bed):
    sandbox, ip = added(bed, "gone-0", annotations={**KEPT, "eip-attributes": ""}, eip=True)
    bed.workloads.api.delete(f"{VPCIPCLAIMS}/gone-0")
    assert claim(bed, "gone-0")["metadata"]["deletionTimestamp"]
    assert seen_source(sandbox.netns, bed.internet_hosts[0]), "its packets go on"
    assert ip in reserved(bed)

    bed.delete_pod(sandbox)

    bed.wait_until("the claim is gone", lambda: not claim(bed, "gone-0"), seconds=90.0)
    assert ip not in reserved(bed)


@pytest.mark.parametrize(
    ("nominated", "said"),
    [
        ("10.9.9.9", "10.9.9.9 is in no subnet of the VPC"),
        ("web", "allowed is one IPv4 address of the VPC"),
        ("its own", "is in use by ENI eni-"),
    ],
)
def test_an_address_that_cannot_be_had_is_told_with_its_reason(bed: Bed, nominated: str, said: str):
    """The node's own address is that of its primary ENI."""
    ip = bed.node.private_ip if nominated == "its own" else nominated
    name = f"bad-{nominated.replace(' ', '-').replace('.', '-')}"
    _, outcome = bed.add_pod(name, annotations={"nominated-vpc-ip": ip})

    assert outcome.exit_code != 0
    refusal = json.loads(outcome.stdout)
    assert said in refusal["msg"]
    assert f"default/{name}" in refusal["msg"]


def test_where_the_vpc_reserves_nothing_the_cluster_s_book_keeps_the_address(bed: Bed):
    bed.admin.post("/reservations", {"offered": False})
    try:
        sandbox, ip = added(bed, "book-0", annotations=KEPT)
        conditions = {c["type"]: c for c in claim(bed, "book-0")["status"]["conditions"]}
        assert conditions["Reserved"]["status"] == "False"
        bed.delete_pod(sandbox)
        assert added(bed, "book-0", annotations=KEPT)[1] == ip
    finally:
        bed.admin.post("/reservations", {"offered": True})
