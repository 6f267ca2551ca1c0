"""What the two daemons really write: every line can be read, and says what it is about."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.bed import NETWORK, Bed
from testbed.processes import Child
from testbed.runtime import Sandbox

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

HOSTILE = "busy\n2026-11-29T00:00:00.000Z ERROR   ipamd.forged: \x1b[2J" + "x" * 1500
FORGED = re.compile(r"busy(\\n| )2026-11-29T00:00:00\.000Z ERROR +ipamd\.forged: \\x1b\[2Jxxx")
"""The same, harmless: the line feed is a space in an error's own text, and escaped elsewhere."""
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG  |INFO   |WARNING|ERROR  ) ipamd\.[\w.]+: .*"
)


@pytest.fixture
def bed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bed]:
    """Both daemons with one form of the log; the cloud refuses an order and a bind with a hostile message."""
    options = [f"--log-format={request.param}", "--log-level=debug"]
    with Bed(tmp_path) as bed:
        bed.start_region()
        bed.start_controller(options=options)
        bed.start_agent(options=options)
        bed.wait_until_ready()
        refusal = {"kind": "error", "code": "InvalidAddressState", "message": HOSTILE}
        actions = ("AllocateAddresses", "AssociateAddress")
        bed.admin.post("/faults", {"add": [{**refusal, "action": action} for action in actions]})
        yield bed


@pytest.fixture
def sandbox(bed: Bed) -> Sandbox:
    sandbox, outcome = bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)
    outcome.result()
    return sandbox


def lines(daemon: Child | None) -> list[str]:
    assert daemon is not None
    written = daemon.log.read_bytes().decode()
    return written.removesuffix("\n").split("\n")


def records(daemon: Child | None, text: str) -> list[dict[str, Any]]:
    """Return the records whose message has a text; every line has to be one."""
    found: list[dict[str, Any]] = [json.loads(line) for line in lines(daemon)]
    return [record for record in found if text in record["message"]]


@pytest.mark.parametrize("bed", ["json"], indirect=True)
def test_lines_of_both_daemons_say_what_they_are_about(bed: Bed, sandbox: Sandbox):
    eip_id = bed.workloads.claims()[0]["status"]["address"]["id"]
    about = {"namespace": "default", "pod": "web-0"}

    (added,) = [r for r in records(bed.agent, "ADD of Pod default/web-0") if r["level"] == "info"]
    assert added.items() >= {**about, "container_id": sandbox.container_id}.items()
    assert re.fullmatch(r"[0-9a-f]{12}", added["call_id"])
    assert added["network"]
    (created,) = records(bed.agent, "created ENI ")
    assert created["eni"] in created["message"]
    answered = records(bed.agent, "DescribeNetworkInterfaces OK RequestId=")[0]
    assert answered["request_id"] in answered["message"]
    refused_bind = records(bed.agent, "AssociateAddress failed with InvalidAddressState")[0]
    assert refused_bind.items() >= {"claim": "default/web-0", "eip": eip_id}.items()
    assert refused_bind["request_id"] in refused_bind["message"]
    refused_order = records(bed.controller, "AllocateAddresses failed with InvalidAddressState")[0]
    assert refused_order.items() >= {**about, "claim": "default/web-0"}.items()
    assert refused_order["request_id"] in refused_order["message"]
    bed.delete_pod(sandbox)
    ended = records(bed.agent, "is gone")[0]
    assert ended.items() >= {**about, "container_id": sandbox.container_id}.items()
    assert ended["call_id"] != added["call_id"]


@pytest.mark.parametrize("bed", ["json"], indirect=True)
def test_lines_of_a_gc_are_about_the_pod_that_goes_and_its_sandbox(bed: Bed, sandbox: Sandbox):
    conf = {**NETWORK, "cni.dev/valid-attachments": []}

    bed.runtime.run("GC", sandbox, configuration=conf).result()

    about = {"namespace": "default", "pod": "web-0", "container_id": sandbox.container_id}
    for said in ("is not listed", "is gone"):
        (record,) = (r for r in records(bed.agent, said) if r["level"] == "info")
        assert record.items() >= about.items()
        assert re.fullmatch(r"[0-9a-f]{12}", record["call_id"])


@pytest.mark.parametrize("bed", ["text"], indirect=True)
def test_lines_of_both_daemons_are_one_each_whatever_the_cloud_writes(bed: Bed, sandbox: Sandbox):
    for daemon in (bed.agent, bed.controller):
        written = lines(daemon)
        assert any(FORGED.search(line) for line in written)
        assert [line for line in written if not LINE.fullmatch(line) or not line.isprintable()] == []
    bed.delete_pod(sandbox)
