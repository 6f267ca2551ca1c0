"""A pool that an operator has frozen or drained, against the region: what it leaves alone, how long."""

import json
import subprocess
import sys

import pytest

from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.store.database import Database

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ipamctl(node, *arguments):
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), *arguments, "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=130, check=False)
    return done.returncode, json.loads(done.stdout)


def writes(node):
    wanted = ("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "CreateNetworkInterface")
    return [call for call in node.admin.get("/audit")["calls"] if any(name in str(call) for name in wanted)]


def test_a_frozen_pool_orders_nothing_until_it_is_thawed_also_after_a_restart(own_node):
    node = own_node.begin("--ip-min-warm-target=2", "--ip-max-warm-target=2", warm=2)
    assert ipamctl(node, "pool", "freeze")[1] | {"since": ""} == {
        "changed": True,
        "frozen": True,
        "since": "",
    }
    before = writes(node)

    sandboxes = [node.pod_and_sandbox(f"pod-{number}")[1] for number in range(3)]
    codes = [node.call("add", sandbox)[0] for sandbox in sandboxes]
    assert codes == [0, 0, 1]
    node.stop(node.agent)
    node.start_agent(options=node.options, launcher=node.launcher)
    node.eventually("served again", lambda: node.socket.exists() and node.status())

    status = node.status()
    assert [notice for notice in status["notices"] if notice.startswith("the pool is frozen since ")]
    assert [problem for problem in status["problems"] if "frozen" in problem]
    assert ipamctl(node, "pool", "freeze")[1]["changed"] is False
    assert writes(node) == before

    assert ipamctl(node, "pool", "thaw")[1]["frozen"] is False
    node.eventually("warm again", lambda: node.pool()["warm"] >= 2)
    assert node.call("add", sandboxes[2])[0] == 0
    assert not [notice for notice in node.status()["notices"] if "frozen" in notice]


def test_a_drain_gives_back_what_no_pod_uses_and_says_what_is_left(own_node):
    node = own_node.begin("--ip-min-warm-target=3", "--ip-max-warm-target=5", warm=3)
    _, sandbox = node.pod_and_sandbox("stays")
    assert node.call("add", sandbox)[0] == 0
    node.eventually("warm", lambda: node.pool()["warm"] >= 3)

    code, drained = ipamctl(node, "drain")

    assert code == 1
    assert len(drained["addresses"]) >= 3
    (left,) = drained["obstacles"]
    assert left.endswith("is used by Pod default/stays")
    assert (node.pool()["total"], node.pool()["warm"]) == (1, 0)

    node.delete_pod(sandbox)
    node.eventually("cooled", lambda: node.pool()["warm"] == 1)
    code, drained = ipamctl(node, "drain")

    assert (code, drained["obstacles"]) == (0, [])
    assert len(drained["enis"]) == 1
    assert node.ctl("enis")["enis"] == []
    assert node.cloud.describe_eni(drained["enis"][0]) is None


@pytest.fixture
def database(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield database


def frozen_pool(database):
    pool, heard = PoolFreeze(database, wall=lambda: 1_700_000_000.0), []
    pool.on_change(lambda: heard.append(pool.since))
    return pool, heard


def test_freeze_and_thaw_are_told_when_they_change_something(database):
    pool, heard = frozen_pool(database)

    assert [pool.thaw(), pool.freeze(), pool.freeze(), pool.thaw(), pool.thaw()] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert heard == [1_700_000_000.0, None]


def test_the_next_agent_knows_since_when_it_is_frozen_and_when_it_is_not(database):
    pool, _ = frozen_pool(database)
    pool.freeze()

    after, _ = frozen_pool(database)
    assert after.since == 1_700_000_000.0
    assert after.notices()[0].startswith("the pool is frozen since 2023-11-14T22:13:20Z: ")
    assert after.obstacle().message.startswith("the pool is frozen")
    assert [dict(metric.samples) for metric in after.metrics()] == [{(): 1}]

    after.thaw()
    thawed, _ = frozen_pool(database)
    assert (thawed.since, thawed.notices(), thawed.obstacle()) == (None, [], None)
    assert [dict(metric.samples) for metric in thawed.metrics()] == [{(): 0}]
