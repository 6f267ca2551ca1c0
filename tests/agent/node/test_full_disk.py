"""A disk that cannot be written: Pods go, what they had is nobody else's, and the node stays in service."""

import contextlib
import json
import os
import sqlite3
import subprocess
import time

import pytest

from tests.agent.conftest import AgentBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


class SmallDiskBed(AgentBed):
    """The agent's state on a disk of its own."""

    def start_agent(self, **kwargs):
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.path.ismount(self.state_dir):
            command = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(self.state_dir)]
            subprocess.run(command, check=True)
        super().start_agent(**kwargs)

    def close(self):
        super().close()
        subprocess.run(["umount", "-l", str(self.state_dir)], check=False)

    @property
    def pending_deletes(self):
        return self.state_dir / "pending-deletes"

    @contextlib.contextmanager
    def full_disk(self):
        filler = self.state_dir / "filler"
        with filler.open("wb", 0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        try:
            yield
        finally:
            filler.unlink()

    def addresses(self):
        return {name: entry["privateIp"] for name, entry in self.pods().items()}


@pytest.fixture
def node(tmp_path):
    with SmallDiskBed(tmp_path) as bed:
        yield bed


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def added(node, name):
    _, sandbox = node.pod_and_sandbox(name)
    code, result = node.call("add", sandbox)
    assert code == 0, result
    return sandbox, ip_of(result)


def test_pods_go_and_none_comes_while_the_disk_is_full(node):
    node.begin()
    staying, _ = added(node, "staying")
    going, ip = added(node, "going")

    with node.full_disk():
        assert node.call("del", going) == (0, {})
        assert node.traces(ip) == []
        assert "going" not in node.pods()

        _, late = node.pod_and_sandbox("late")
        code, error = node.call("add", late)
        assert (code, error["code"]) == (1, 11)
        assert "cannot write the store" in error["msg"]
        assert "check free space" in error["details"]
        assert "late" not in node.pods()
        node.eventually(
            "people are told", lambda: any("write the store" in p for p in node.status()["problems"])
        )

    node.eventually("written", lambda: not node.status().get("problems"))
    assert node.call("add", late)[0] == 0
    for sandbox in (staying, late):
        node.delete_pod(sandbox)


def test_a_node_whose_pods_run_stays_in_service_and_an_empty_one_does_not(node):
    """The bed's patience is two seconds."""
    node.begin()
    running, _ = added(node, "running")
    going, _ = added(node, "going")

    with node.full_disk():
        assert node.call("del", going) == (0, {})
        until = time.monotonic() + 4.0
        while time.monotonic() < until:
            assert node.call("status") == (0, {})
            time.sleep(0.1)

        assert node.call("del", running) == (0, {})
        node.eventually("out of service", lambda: node.call("status")[0] == 1)
        code, error = node.call("status")
        assert (code, error["code"]) == (1, 50)
        assert "cannot write the store" in error["msg"]

    node.eventually("in service", lambda: node.call("status") == (0, {}))


def test_an_address_that_was_freed_on_a_full_disk_is_given_twice_by_no_crash(node):
    node.begin()
    kept, _ = added(node, "kept")
    going, ip = added(node, "going")
    finished, finished_ip = added(node, "finished")

    with node.full_disk():
        for sandbox in (going, finished):
            assert node.call("del", sandbox) == (0, {})
            node.runtime.remove_sandbox(sandbox)
        node.kill(node.agent)
    node.workloads.remove_pod("going")
    node.kube.merge_patch(
        "/api/v1/namespaces/default/pods/finished/status", {"status": {"phase": "Succeeded"}}
    )
    node.start_again(warm=1)

    others = [added(node, f"other-{number}") for number in range(2)]
    assert len(set(node.addresses().values())) == len(node.addresses())
    node.eventually("freed", lambda: not {"going", "finished"} & set(node.pods()))
    assert {ip, finished_ip} & {
        entry.split()[0] for entry in node.traces(ip) + node.traces(finished_ip)
    } == set()
    for sandbox in (kept, *(sandbox for sandbox, _ in others)):
        node.delete_pod(sandbox)


def test_an_agent_that_starts_again_on_a_full_disk_serves(node):
    node.begin()
    staying, _ = added(node, "staying")
    going, ip = added(node, "going")

    for end in (node.kill, node.stop):
        end(node.agent)
        with node.full_disk():
            node.start_agent(options=node.options)
            node.eventually("serving", lambda: bool(node.status()))
            assert node.call("status") == (0, {})
            if end is node.stop:
                assert node.call("del", going) == (0, {})
                assert node.traces(ip) == []
    node.delete_pod(staying)


def rebooted(node, *sandboxes):
    """Let the store be of an earlier boot, which has taken the sandboxes with it."""
    with contextlib.closing(sqlite3.connect(node.store)) as connection, connection:
        connection.execute("UPDATE facts SET content = ? WHERE name = 'boot_id'", (json.dumps("earlier"),))
    for sandbox in sandboxes:
        node.runtime.remove_sandbox(sandbox)


def test_an_agent_that_starts_after_a_reboot_on_a_full_disk_serves_and_gives_no_address_twice(node):
    node.begin("--ip-hold=60s")
    pod, before = node.pod_and_sandbox("back")
    first = ip_of(node.call("add", before)[1])
    node.stop(node.agent)
    rebooted(node, before)

    with node.full_disk():
        node.start_agent(options=node.options)
        node.eventually("serving", lambda: bool(node.status()))
        assert any("cannot write the store" in problem for problem in node.status()["problems"])
        assert node.pool()["held"] == 1
        again = node.runtime.new_sandbox(pod=pod)
        _, other = node.pod_and_sandbox("other")
        assert [node.call("add", sandbox)[1]["code"] for sandbox in (again, other)] == [11, 11]
        node.kill(node.agent)
        node.start_agent(options=node.options)
        node.eventually("serving again", lambda: bool(node.status()))
        assert node.pool()["held"] == 1

    node.eventually("the Pod is back", lambda: node.call("add", again)[0] == 0)
    assert node.call("add", other)[0] == 0
    assert node.addresses()["back"] == first
    assert node.addresses()["other"] != first
    node.kill(node.agent)
    node.start_again()
    assert node.addresses()["back"] == first, "the store is of this boot: the Pod runs"
    for sandbox in (again, other):
        node.delete_pod(sandbox)


def test_a_del_without_agent_on_a_full_disk_is_worked_off_by_the_next_agent(node):
    node.begin()
    staying, _ = added(node, "staying")
    going, ip = added(node, "going")
    node.kill(node.agent)

    with node.full_disk():
        outcome = node.runtime.run("DEL", going)
        assert (outcome.exit_code, outcome.stdout) == (0, b"")

        node.start_agent(options=node.options)
        node.eventually("serving", lambda: bool(node.status()))
        assert set(node.pods()) == {"staying"}
        assert node.traces(ip) == []
    node.delete_pod(staying)


def test_a_del_that_waits_in_memory_is_dropped_when_the_sandbox_is_added_again(node):
    node.begin()
    again, _ = added(node, "again")
    node.kill(node.agent)
    with node.full_disk():
        assert node.runtime.run("DEL", again).exit_code == 0
    [queued] = node.socket.parent.glob("pending-deletes/*.del")
    content = queued.read_bytes()
    node.start_again()
    queued.write_bytes(content)

    code, result = node.call("add", again)

    assert code == 0
    assert not queued.exists()
    assert node.pods()["again"]["privateIp"] == ip_of(result)
    node.delete_pod(again)


def test_what_a_start_would_tidy_up_in_the_store_waits_while_the_disk_is_full(node):
    node.begin("--ip-hold=60s")
    pod, going = node.pod_and_sandbox("going")
    assert node.call("add", going)[0] == 0
    assert node.call("del", going) == (0, {})
    assert node.pool()["held"] == 1
    node.stop(node.agent)
    with sqlite3.connect(node.store) as connection:
        connection.execute(
            "INSERT INTO intents VALUES ('old', 'CreateAndAttachNetworkInterface', '{}', -9e9)"
        )
    connection.close()

    with node.full_disk():
        node.start_agent(options=[*node.options, "--ip-hold=30s"])
        node.eventually("serving", lambda: bool(node.status()))
        node.eventually(
            "the pool is looked after", lambda: "with ClientToken old stays unknown" in node.log()
        )
        again = node.runtime.new_sandbox(pod=pod)
        assert node.call("add", again)[1]["code"] == 11
        assert node.agent.process.poll() is None
    node.eventually("written", lambda: node.call("add", again)[0] == 0)
