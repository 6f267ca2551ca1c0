"""A node whose wall clock is set while the agent runs, or while it is away: the kernel goes on as it was.

The agent is the real process with another `time.time`: the machine's own clock is not for tests to set.
The cloud keeps the right time and refuses what is signed with a wrong one, as the real one does.
"""

import time
from pathlib import Path

import pytest

from ipamd.core.timing import timestamps
from tests.agent.conftest import AgentBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

HOUR = 3600
LAUNCHER = Path(__file__).with_name("wall_clock_launcher.py")


class SteppedBed(AgentBed):
    """A bed with a wall clock of its own for the agent."""

    @property
    def clock(self):
        return self.directory / "wall-clock"

    def step(self, seconds):
        """Set the agent's clock to be so much ahead of the right time."""
        aside = self.clock.with_suffix(".new")
        aside.write_text(str(seconds))
        aside.rename(self.clock)

    def start_agent(self, **options):
        super().start_agent(**{**options, "launcher": (str(LAUNCHER), str(self.clock))})

    def added(self, name):
        """A Pod on the network; its sandbox and its address."""
        _, sandbox = self.pod_and_sandbox(name)
        code, result = self.call("add", sandbox)
        assert code == 0, result
        return sandbox, result["ips"][0]["address"].removesuffix("/32")

    def awaits_nothing(self):
        pool = self.pool()
        return not int(pool.get("held", 0)) and not int(pool.get("cooling", 0))


@pytest.fixture
def node(tmp_path):
    with SteppedBed(tmp_path) as bed:
        bed.step(0)
        yield bed


def test_a_clock_that_is_set_back_freezes_neither_pool_nor_repair(node):
    node.begin("--ip-cooldown=5s", "--ip-max-warm-target=50")  # nothing is given back
    gone, _ = node.added("gone")
    _, ip = node.added("stays")

    node.delete_pod(gone)
    node.step(-HOUR)
    node.on_node("ip", "route", "del", f"{ip}/32")

    node.eventually("the address that cooled is warm", node.awaits_nothing)
    node.eventually("its route is back", lambda: f"{ip} dev" in node.on_node("ip", "route"), seconds=30)
    _, later = node.added("later")
    assert later != ip


def test_a_clock_that_jumps_ahead_ends_no_hold(node):
    # Nothing is given back, and the test itself takes no ten minutes.
    node.begin("--ip-hold=600s", "--ip-max-warm-target=50")
    sandbox, ip = node.added("comes-back")
    gone, _ = node.added("gone")
    node.call("del", sandbox)
    assert int(node.pool()["held"]) == 1

    node.step(2 * HOUR)
    node.delete_pod(gone)
    node.eventually("time has done its part", lambda: not int(node.pool().get("cooling", 0)))

    assert int(node.pool()["held"]) == 1
    new = node.runtime.new_sandbox(pod=node.workloads.pod("comes-back"))
    code, result = node.call("add", new)
    assert code == 0
    assert result["ips"][0]["address"] == f"{ip}/32"


def test_what_was_stored_with_a_wrong_clock_ends_in_time_and_is_shown_right(node):
    node.begin("--ip-max-warm-target=50")
    held, _ = node.added("held")
    gone, _ = node.added("gone")
    node.step(2 * HOUR)
    node.added("stays")
    node.call("del", held)
    node.delete_pod(gone)
    node.kill(node.agent)

    node.step(0)
    node.start_again(warm=0)

    node.eventually("hold and cool-down are over", node.awaits_nothing)
    shown = timestamps.from_text(node.pods()["stays"]["addedAt"])
    assert shown == pytest.approx(time.time(), abs=120)


def test_a_pod_that_waits_because_of_the_clock_is_told_so(node):
    node.begin()
    node.step(HOUR)
    for number in range(int(node.pool()["warm"])):
        node.added(f"warm-{number}")

    _, sandbox = node.pod_and_sandbox("late")
    code, answer = node.call("add", sandbox)

    assert code != 0
    assert "compare the node's clock with the true time" in answer["msg"] + answer.get("details", ""), answer
