"""What survives what: a kill at a bad moment, a lost store, a reboot, an absent cloud, a cloned disk."""

import contextlib
import json
import sqlite3
import subprocess
import time
import urllib.parse

import pytest

from ipamd.core import model
from ipamd.core.timing.deadline import Deadline
from testbed import probes
from testbed.bed import NETWORK
from tests.agent.conftest import eip_annotations

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.executed]

BIND = (model.EipStatus.BIND, model.EipStatus.BIND_ENI)


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def begun_add(node, sandbox):
    """An ADD by the real plugin that is not waited for."""
    argv = ["ip", "netns", "exec", node.node.netns, str(node.runtime._plugin)]
    environment = {**node.runtime._environment, **node.runtime._cni_environment("ADD", sandbox)}
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    process.stdin.write(json.dumps(NETWORK).encode())
    process.stdin.close()
    process.stdin = None
    return process


def rewrite(node, statement, *values):
    """Change the store of a stopped agent."""
    with sqlite3.connect(node.store) as connection:
        connection.execute(statement, values)
    connection.close()


def test_kill_while_an_eip_is_being_bound_is_resumed_without_a_second_eip(own_node):
    node = own_node.begin()
    pod, sandbox = node.pod_and_sandbox("killed", annotations=eip_annotations(), eip=True)
    eip = node.allocate("killed")
    node.admin.post("/faults", {"add": [{"kind": "latency", "action": "AssociateAddress", "seconds": 3}]})
    node.claim(pod, eip=eip)
    add = begun_add(node, sandbox)
    node.eventually("the binding is announced", lambda: node.read_claim("killed").binding is not None)

    node.kill(node.agent)
    add.communicate(timeout=20)
    node.start_again()

    node.eventually("bound", lambda: node.eip(eip.eip_id).status in BIND)
    new = node.runtime.new_sandbox(pod=pod)
    code, result = node.call("add", new)
    assert code == 0
    assert node.eip(eip.eip_id).private_ip == ip_of(result)
    node.call("del", sandbox)
    assert node.pods()["killed"]["privateIp"] == ip_of(result)


def test_running_pods_keep_their_traffic_while_the_agent_is_away_and_after(own_node):
    node = own_node.begin()
    _, one = node.pod_and_sandbox("one")
    _, two = node.pod_and_sandbox("two")
    first, second = (ip_of(node.call("add", sandbox)[1]) for sandbox in (one, two))

    def reaches():
        with probes.SourceReporter(two.netns):
            return probes.seen_source(one.netns, second) == first

    assert reaches()
    node.kill(node.agent)
    assert reaches()
    assert node.runtime.run("STATUS", one).exit_code == 0, "the node stays ready for them"
    node.start_again()
    assert reaches()
    assert {"one", "two"} <= set(node.pods())


def test_queued_dels_are_worked_off_before_anything_is_served(own_node):
    node = own_node.begin()
    _, sandbox = node.pod_and_sandbox("queued")
    ip = ip_of(node.call("add", sandbox)[1])
    node.stop(node.agent)
    outcome = node.runtime.run("DEL", sandbox)
    assert outcome.exit_code == 0
    assert list(node.pending_deletes.glob("*.del"))

    node.start_again()

    assert "queued" not in node.pods()
    assert node.traces(ip) == []
    assert not list(node.pending_deletes.glob("*.del"))


def test_lost_store_is_rebuilt_from_kernel_and_cloud_and_nobody_loses_anything(own_node):
    node = own_node.begin()
    _, plain = node.pod_and_sandbox("plain")
    _, with_eip, eip = node.pod_with_eip("with-eip")
    ips = {s.pod_name: ip_of(node.call("add", s)[1]) for s in (plain, with_eip)}
    node.eventually("announced", lambda: node.read_claim("with-eip").binding is not None)
    node.kill(node.agent)
    for file in (node.store, node.store.with_name("ipamd.db-wal")):
        file.write_bytes(b"this is not a database")

    node.start_again()

    found = node.pods()
    assert {name: found[name]["privateIp"] for name in ips} == ips
    assert "it was moved to" in node.log()
    node.eventually("EIP known", lambda: node.pods()["with-eip"]["eipState"] == "bound")
    _, third = node.pod_and_sandbox("third")
    assert ip_of(node.call("add", third)[1]) not in ips.values()
    assert node.eip(eip.eip_id).private_ip == ips["with-eip"]
    node.delete_pod(with_eip)
    node.eventually("EIP unbound", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)
    assert node.traces(ips["with-eip"]) == []


def test_a_lost_store_gives_nobody_s_address_away_though_the_first_look_at_the_cloud_fails(own_node):
    node = own_node.begin()
    _, plain = node.pod_and_sandbox("plain")
    _, with_eip, eip = node.pod_with_eip("with-eip")
    ips = {s.pod_name: ip_of(node.call("add", s)[1]) for s in (plain, with_eip)}
    node.eventually("announced", lambda: node.read_claim("with-eip").binding is not None)
    before = node.admin.get("/audit")["calls"]["CreateAndAttachNetworkInterface"]
    node.kill(node.agent)
    for file in (node.store, node.store.with_name("ipamd.db-wal")):
        file.write_bytes(b"this is not a database")
    node.admin.post("/faults", {"add": [{"kind": "http_500", "action": "DescribeSubnets", "count": None}]})
    node.start_agent(options=[*node.options, "--cloud-check-interval=120s"])
    node.eventually("the pool has asked too", lambda: "pool, new ENI: Describe" in node.log(), seconds=60)
    assert node.read_claim("with-eip").binding is not None
    node.admin.post("/faults", {"clear": True})

    node.wait_until_ready(warm=5, seconds=60)

    assert {name: node.pods()[name]["privateIp"] for name in ips} == ips
    others = [node.pod_and_sandbox(f"other-{number}")[1] for number in range(6)]
    assert not {ip_of(node.call("add", sandbox)[1]) for sandbox in others} & set(ips.values())
    assert node.eip(eip.eip_id).private_ip == ips["with-eip"]
    assert node.admin.get("/audit")["calls"]["CreateAndAttachNetworkInterface"] == before


def test_after_a_reboot_pods_get_their_addresses_and_eips_back(own_node):
    node = own_node.begin("--ip-hold=60s")
    pod, old, eip = node.pod_with_eip("booted")
    first = ip_of(node.call("add", old)[1])
    node.eventually("announced", lambda: node.read_claim("booted").binding is not None)
    node.stop(node.agent)
    rewrite(node, "UPDATE facts SET content = ? WHERE name = 'boot_id'", json.dumps("an earlier boot"))
    node.runtime.remove_sandbox(old)  # the kernel has nothing of it any more
    node.start_again()
    calls = node.admin.get("/audit")["calls"].get("AssociateAddress", 0)

    new = node.runtime.new_sandbox(pod=pod)
    code, result = node.call("add", new)

    assert code == 0
    assert ip_of(result) == first
    assert node.admin.get("/audit")["calls"].get("AssociateAddress", 0) == calls
    assert node.eip(eip.eip_id).private_ip == first
    node.call("del", old)
    assert node.pods()["booted"]["privateIp"] == first


def test_pods_that_do_not_come_back_after_a_reboot_free_what_they_had(own_node):
    node = own_node.begin()
    _, sandbox, eip = node.pod_with_eip("left")
    node.call("add", sandbox)
    node.stop(node.agent)
    node.runtime.remove_sandbox(sandbox)
    node.workloads.remove_pod("left")
    rewrite(node, "UPDATE facts SET content = ? WHERE name = 'boot_id'", json.dumps("an earlier boot"))

    node.start_again()

    node.eventually("EIP unbound", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)
    node.eventually("nothing in use", lambda: node.pool()["inUse"] == 0 and node.pool()["held"] == 0)


def test_store_of_another_cvm_is_not_believed(own_node):
    """A machine image that was made of a running node carries that node's store."""
    node = own_node.begin()
    _, sandbox, eip = node.pod_with_eip("original")
    node.call("add", sandbox)
    node.stop(node.agent)
    rewrite(node, "UPDATE facts SET content = ? WHERE name = 'instance'", json.dumps("ins-another1"))
    rewrite(node, "UPDATE leases SET name = 'somebody-else'")

    node.start_again()

    assert "written on another CVM" in node.log()
    assert "somebody-else" not in node.pods()
    assert node.eip(eip.eip_id).status in BIND


def test_pod_without_eip_starts_while_the_cloud_is_away_even_after_a_restart(own_node):
    node = own_node.begin()
    node.stop(node.agent)
    node.admin.post("/faults", {"add": [{"kind": "http_500", "action": "*", "count": None}]})

    node.start_agent(options=node.options)
    node.eventually("serving", lambda: bool(node.status()), seconds=30)
    _, sandbox = node.pod_and_sandbox("offline")
    code, _ = node.call("add", sandbox)

    assert code == 0
    node.admin.post("/faults", {"clear": True})
    node.delete_pod(sandbox)


@contextlib.contextmanager
def silence(node, *urls):
    """Let the node's packets to these addresses vanish, which is slower than an error."""
    node.on_node("nft", "add table ip silence")
    node.on_node("nft", "add chain ip silence out { type filter hook output priority 0; }")
    for host in {urllib.parse.urlsplit(url).hostname for url in urls}:
        node.on_node("nft", f"add rule ip silence out ip daddr {host} meta l4proto tcp drop")
    try:
        yield
    finally:
        node.on_node("nft", "delete table ip silence")


def test_after_a_restart_everything_is_served_before_cloud_and_metadata_have_answered(own_node):
    node = own_node.begin()
    _, going = node.pod_and_sandbox("going")
    _, staying = node.pod_and_sandbox("staying")
    results = {sandbox: node.call("add", sandbox)[1] for sandbox in (going, staying)}
    node.stop(node.agent)

    with silence(node, node.endpoints.node_cloud, node.endpoints.node_metadata):
        node.start_agent(options=node.options)
        node.eventually("serving", node.socket.exists, seconds=25)

        assert node.call("status") == (0, {})
        assert node.call("check", staying, conf={"prevResult": results[staying]}) == (0, {})
        assert node.call("del", going) == (0, {})
        assert node.traces(ip_of(results[going])) == []
        _, new = node.pod_and_sandbox("new")
        assert node.call("add", new)[0] == 0
        assert "is set up" in node.log()

    for sandbox in (staying, new):
        node.delete_pod(sandbox)


def test_enis_that_were_detached_meanwhile_do_not_hold_up_a_restart(own_node):
    """The links of a node that was not booted are there or will not come."""
    large = {"instances": [{"instance_type": "S5.LARGE8", "public_ip": True}]}
    node = own_node.begin("--ip-min-warm-target=12", "--ip-max-warm-target=12", region=large, warm=12)
    enis = node.ctl("enis")["enis"]
    assert len(enis) == 2
    instance = node.status()["instanceId"]
    node.stop(node.agent)
    for eni in enis:
        node.cloud.detach_eni(eni["eniId"], instance, Deadline.after(20, time.monotonic))

    with silence(node, node.endpoints.node_cloud, node.endpoints.node_metadata):
        node.start_agent(options=node.options)
        node.eventually("serving", node.socket.exists, seconds=15)
        _, sandbox = node.pod_and_sandbox("waits")
        assert node.call("add", sandbox)[1]["code"] == 11


def test_an_agent_that_waits_for_a_silent_cloud_is_stopped_at_once(own_node):
    node = own_node.begin()
    node.stop(node.agent)

    with silence(node, node.endpoints.node_cloud):
        node.start_agent(options=node.options)
        node.eventually("serving", node.socket.exists, seconds=25)
        assert node.stop(node.agent) == 0


def test_sigterm_ends_waiting_adds_with_a_clear_word_and_the_process_with_zero(own_node):
    node = own_node.begin("--add-timeout=30s")
    _, sandbox = node.pod_and_sandbox("waiting", annotations=eip_annotations(), eip=True)
    add = begun_add(node, sandbox)
    node.eventually("the ADD is under way", lambda: "waiting" in node.pods())

    assert node.stop(node.agent) == 0

    answer, _ = add.communicate(timeout=20)
    assert add.returncode == 1
    assert json.loads(answer)["code"] == 11
    assert not node.socket.exists()


def test_two_agents_on_one_node_are_refused(own_node):
    node = own_node.begin()
    second = node._children.start("second", [str(a) for a in node.agent.process.args[4:]])

    assert second.process.wait(20) == 2
    assert "in use by another agent" in second.log_tail()
