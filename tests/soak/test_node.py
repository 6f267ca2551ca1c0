"""Whether waves of Pods and the full node say what is wrong, on a node where something is."""

import subprocess

import pytest

from testbed.bed import Bed
from testbed.soak import full_node
from testbed.soak.__main__ import REGION
from testbed.soak.churn import WITH_EIP, WITHOUT, Churn, StrayError

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    with Bed(tmp_path_factory.mktemp("soak")) as bed:
        bed.start_region(REGION)
        bed.start_controller()
        # What is broken is not to be repaired while it is looked at.
        bed.start_agent(options=("--ip-cooldown=1s", "--ip-hold=5s", "--repair-interval=10m"))
        bed.wait_until_ready()
        yield bed


def within(netns, *command):
    subprocess.run(["ip", "netns", "exec", netns, *command], check=True)


@pytest.fixture
def churn(bed):
    churn = Churn(bed)
    yield churn
    churn.end()


def test_a_wave_of_a_good_node_ends_without_a_complaint(churn):
    churn.wave()

    assert churn.life_cycles == WITH_EIP + WITHOUT


def test_a_pod_that_stays_and_is_cut_off_ends_the_waves(churn):
    within(churn.resident.netns, "ip", "route", "del", "default")

    with pytest.raises(StrayError, match="the Pod that stays is seen as nobody"):
        churn.wave()


def test_a_full_node_on_which_everybody_is_reached_has_no_problem(bed):
    assert full_node.visit(bed, pods=4).problems == ()


def test_a_full_node_on_which_packets_are_lost_has_a_problem_for_each_pod(bed):
    drop = "add chain ip spoil packets { type filter hook forward priority 0; policy drop; }"
    within(bed.node.netns, "nft", f"add table ip spoil; {drop}")
    try:
        problems = full_node.visit(bed, pods=4).problems
    finally:
        within(bed.node.netns, "nft", "delete", "table", "ip", "spoil")

    assert len([text for text in problems if text.endswith("is seen as nobody")]) == 3
