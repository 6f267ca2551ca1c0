"""Pods with an ENI of their own over a reboot of their node, and their EIPs when somebody unbinds them."""

import contextlib
import json
import sqlite3

import pytest

from ipamd.core import model
from testbed.probes import SourceReporter, seen_source
from tests.agent.conftest import AgentBed
from tests.agent.exclusive.test_exclusive_pods import (
    DIRECT,
    NODE_OPTIONS,
    extended,
    ip_of,
    links,
    put_away,
    stop,
)

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture
def node(tmp_path):
    with AgentBed(tmp_path) as bed:
        yield bed.begin(*NODE_OPTIONS, "--ip-hold=60s")


class WithEip:
    """A Pod of the mode that has an EIP, bound."""

    def __init__(self, node, name):
        self.node, self.name = node, name
        self.pod, self.sandbox = node.pod_and_sandbox(
            name, annotations={**DIRECT, "eip-attributes": ""}, eip=True
        )
        self.eip = node.allocate(name)
        node.claim(self.pod, eip=self.eip)
        code, result = node.call("add", self.sandbox)
        assert code == 0, result
        self.ip = ip_of(result)
        node.eventually("announced", lambda: node.read_claim(name).binding is not None)

    def calls(self):
        made = self.node.admin.get("/audit")["calls"]
        return {action: made.get(action, 0) for action in ("AssociateAddress", "DisassociateAddress")}

    def is_seen_by_its_eip(self, sandbox):
        with SourceReporter(self.node.internet_netns):
            host = self.node.internet_hosts[0]
            return seen_source(sandbox.netns, host, seconds=2) == self.eip.public_ip


def reboot(node, *sandboxes):
    """Stop the agent, let the store be of an earlier boot, and let the sandboxes end without a DEL."""
    stop(node)
    with contextlib.closing(sqlite3.connect(node.store)) as connection, connection:
        connection.execute("UPDATE facts SET content = ? WHERE name = 'boot_id'", (json.dumps("earlier"),))
    for sandbox in sandboxes:
        node.runtime.remove_sandbox(sandbox)


def test_after_a_reboot_the_pod_has_its_eni_and_its_eip_without_a_call(node):
    given = WithEip(node, "booted")
    before = given.calls()
    reboot(node, given.sandbox)
    node.start_again()

    newer = node.runtime.new_sandbox(pod=given.pod)
    code, result = node.call("add", newer)

    assert (code, ip_of(result)) == (0, given.ip), result
    assert given.calls() == before
    assert extended(node)[given.ip].mac in links(newer.netns)["eth0"]
    assert given.is_seen_by_its_eip(newer)
    assert node.call("del", given.sandbox)[0] == 0, "the DEL of the sandbox that went with the boot"
    assert node.call("check", newer, conf={"prevResult": result})[0] == 0


def test_a_pod_that_does_not_come_back_after_a_reboot_frees_eni_and_eip(node):
    given = WithEip(node, "left")
    reboot(node, given.sandbox)
    node.workloads.remove_pod("left")
    node.delete_claim("left")
    node.start_again()

    node.eventually("EIP unbound", lambda: node.eip(given.eip.eip_id).status is model.EipStatus.UNBIND)
    node.eventually("the ENI is put away", lambda: put_away(node, given.ip))
    node.eventually("nobody has it", lambda: "left" not in node.pods())


def test_an_eip_that_somebody_unbound_is_bound_to_the_eni_again(node):
    given = WithEip(node, "unbound")
    mine = extended(node)[given.ip].eni_id

    node.cloud.disassociate_eip(given.eip.eip_id)

    def is_back():
        eip = node.eip(given.eip.eip_id)
        return (eip.eni_id, eip.private_ip) == (mine, given.ip)

    node.eventually("it is bound again", is_back, seconds=40)
    node.eventually("it is the way out", lambda: given.is_seen_by_its_eip(given.sandbox))
    node.eventually("the record says so", lambda: node.pods()["unbound"]["eipState"] == "bound")


def test_an_eip_record_that_the_store_has_lost_is_made_again(node):
    given = WithEip(node, "lost")
    before = given.calls()
    stop(node)
    node.store.unlink()
    node.start_again()

    node.eventually("it is known again", lambda: node.pods().get("lost", {}).get("eipState") == "bound")
    assert node.pods()["lost"]["publicIp"] == given.eip.public_ip
    assert given.is_seen_by_its_eip(given.sandbox)
    assert given.calls() == before
