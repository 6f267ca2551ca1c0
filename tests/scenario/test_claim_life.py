"""A claim's life with controller and agent together, with traffic as the evidence."""

from collections.abc import Iterator
from typing import Any

import pytest

from testbed.bed import Bed
from testbed.probes import SourceReporter, seen_source
from testbed.runtime import Sandbox
from tests.vpc_console import VpcConsole

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

KEPT = {"eip-claim-delete-policy": "Never"}


@pytest.fixture(scope="module", autouse=True)
def _outside(bed: Bed) -> Iterator[None]:
    with SourceReporter(bed.internet_netns):
        yield


@pytest.fixture
def own_eip(bed: Bed) -> str:
    """An EIP that a person has bought."""
    eip_id = VpcConsole(bed.endpoints.cloud).allocate_eip()
    bed.wait_until("the EIP", lambda: eips(bed)[eip_id]["status"] == "UNBIND")
    return eip_id


def eips(bed: Bed) -> dict[str, Any]:
    return dict(bed.cloud_state()["cloud"]["addresses"])


def claim(bed: Bed, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next((c for c in bed.workloads.claims() if c["metadata"]["name"] == name), {})
    return found


def uid(bed: Bed, name: str) -> str:
    return str(claim(bed, name).get("metadata", {}).get("uid", ""))


def phase(bed: Bed, name: str) -> str:
    return str(claim(bed, name).get("status", {}).get("phase", ""))


def eip_of(bed: Bed, name: str) -> tuple[str, str]:
    """Id and public IP of the claim's EIP."""
    address = claim(bed, name)["status"]["address"]
    return address["id"], address["ip"]


def seen(bed: Bed, sandbox: Sandbox) -> str:
    """The source address that a host of the internet sees."""
    return seen_source(sandbox.netns, bed.internet_hosts[0])


def eip_writes(bed: Bed) -> dict[str, int]:
    calls = bed.admin.get("/audit")["calls"]
    writes = ("AllocateAddresses", "AssociateAddress", "DisassociateAddress", "ReleaseAddresses")
    return {action: calls.get(action, 0) for action in writes}


def test_the_same_named_pod_gets_the_same_eip_and_it_was_never_unbound(bed: Bed):
    first, outcome = bed.add_pod("kept-0", annotations={"eip-attributes": "", **KEPT}, eip=True)
    ip = outcome.ip()
    eip_id, public_ip = eip_of(bed, "kept-0")
    assert seen(bed, first) == public_ip
    before = eip_writes(bed)
    bed.delete_pod(first)
    bed.wait_until("it is missed", lambda: "lastSeen" in claim(bed, "kept-0")["status"]["pod"])

    second, outcome = bed.add_pod("kept-0", annotations={"eip-attributes": "", **KEPT}, eip=True)

    assert outcome.ip() == ip
    assert eip_of(bed, "kept-0") == (eip_id, public_ip)
    assert seen(bed, second) == public_ip
    assert eip_writes(bed) == before
    bed.delete_pod(second)
    bed.workloads.delete_claim("kept-0")
    bed.wait_until("the EIP is released", lambda: eip_id not in eips(bed))


def test_a_claim_deleted_by_hand_under_a_running_pod_is_made_again_with_another_eip(bed: Bed):
    sandbox, outcome = bed.add_pod("renewed-0", annotations={"eip-attributes": ""}, eip=True)
    outcome.result()
    old, old_eip = uid(bed, "renewed-0"), eip_of(bed, "renewed-0")

    bed.workloads.delete_claim("renewed-0")

    bed.wait_until("the new claim is bound", lambda: is_renewed(bed, "renewed-0", old))
    new_eip = eip_of(bed, "renewed-0")
    assert new_eip[0] != old_eip[0]
    assert old_eip[0] not in eips(bed)
    assert seen(bed, sandbox) == new_eip[1]
    bed.wait_until("the Pod says so", lambda: annotated(bed, "renewed-0") == new_eip)
    bed.delete_pod(sandbox)
    bed.wait_until("the EIP is released", lambda: new_eip[0] not in eips(bed))


def test_a_user_s_eip_serves_comes_back_after_a_delete_by_hand_and_stays_the_user_s(bed: Bed, own_eip: str):
    sandbox, outcome = bed.add_pod("own-0", annotations={"eip-id-list": own_eip}, eip=True)
    outcome.result()
    eip_id, public_ip = eip_of(bed, "own-0")
    assert eip_id == own_eip
    assert seen(bed, sandbox) == public_ip
    old = uid(bed, "own-0")

    bed.workloads.delete_claim("own-0")

    bed.wait_until("the new claim is bound", lambda: is_renewed(bed, "own-0", old))
    assert eip_of(bed, "own-0") == (own_eip, public_ip)
    assert seen(bed, sandbox) == public_ip
    bed.delete_pod(sandbox)
    bed.wait_until("the claim is gone", lambda: not claim(bed, "own-0"))
    assert eips(bed)[own_eip]["status"] == "UNBIND"


def test_the_loser_of_an_eip_hears_who_has_it_and_gets_it_after_him(bed: Bed, own_eip: str):
    winner, outcome = bed.add_pod("first-0", annotations={"eip-id-list": own_eip}, eip=True)
    outcome.result()
    pod = bed.workloads.create_pod(
        "second-0", node=bed.node.name, annotations={"eip-id-list": own_eip}, eip=True
    )
    bed.wait_until("the Event", lambda: any("held by EIPClaim default/first-0" in e for e in said(bed)))

    bed.delete_pod(winner)
    sandbox = bed.runtime.new_sandbox(pod=pod)
    outcome = bed.runtime.run("ADD", sandbox)

    outcome.result()
    assert seen(bed, sandbox) == eip_of(bed, "second-0")[1]
    bed.delete_pod(sandbox)
    bed.wait_until("the claim is gone", lambda: not claim(bed, "second-0"))


def said(bed: Bed) -> list[str]:
    return [event["message"] for event in bed.workloads.events(regarding="second-0")]


def is_renewed(bed: Bed, name: str, old: str) -> bool:
    return uid(bed, name) not in ("", old) and phase(bed, name) == "Bound"


def annotated(bed: Bed, name: str) -> tuple[str, str]:
    annotations = bed.workloads.pod(name)["metadata"]["annotations"]
    prefix = "tke.cloud.tencent.com/"
    return annotations[f"{prefix}eip-id"], annotations[f"{prefix}eip-public-ip"]
