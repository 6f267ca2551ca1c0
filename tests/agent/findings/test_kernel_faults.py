"""Each fault of the node's kernel is one finding: cause, whom it concerns, and what to do.

The kernel tells of no change while a test says so (`holding_bed`), else it would be mended before anybody
looks. `--table` writes what was said into docs/findings.md (`conftest`).
"""

import time

import pytest

from tests.agent.findings.faults import FOREIGN_NAT, OTHERS, OURS
from tests.agent.findings.holding_bed import run_all

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.mark.parametrize("fault", OURS)
def test_what_is_ours_is_one_finding_and_fix_mends_it(node, fault):
    command, code = OURS[fault]
    (table,) = {str(eni["routeTable"]) for eni in node.ctl("enis")["enis"] if eni["inUse"]}
    node.held.touch()
    since = time.monotonic()

    def provoke():
        node.on_node(*command.format(ip=node.ip, veth=node.veth, table=table).split())

    provoke()

    # A round that began before the kernel was silenced may have mended it.
    finding = node.only_finding(fault, code, since=since, if_mended=provoke)

    assert finding["repairable"]
    exit_code, answer = node.check("--fix")
    assert exit_code == 0, answer
    assert any(said.startswith(f"{code} ") for said in answer["repaired"]), answer["repaired"]
    assert node.is_well()


@pytest.mark.parametrize("fault", OTHERS)
def test_what_is_somebody_elses_is_one_finding_with_the_next_step_and_is_left_alone(node, fault):
    damage, undo, code = OTHERS[fault]
    since = time.monotonic()
    run_all(node, damage)

    try:
        finding = node.only_finding(fault, code, since=since)

        assert not finding["repairable"]
        assert node.check("--fix")[0] == 1, "it is not ours to mend"
    finally:
        run_all(node, undo)


def test_fix_mends_the_kernel_and_says_that_the_cloud_did_not_answer(node):
    node.held.touch()
    run_all(node, "ip link set eth1 mtu 1400; ip rule del priority 32766")
    try:
        _, answer = node.check("--fix")
    finally:
        run_all(node, "ip rule add priority 32766 lookup main")

    assert [said.split()[0] for said in answer["repaired"]] == ["EniLink"]
    (skipped,) = answer["unfinished"]
    assert skipped.startswith("the cloud has not answered")
    (finding,) = [found for found in answer["findings"] if found["severity"] == "error"]
    assert finding["code"] == "MainRule"
    assert "--fix leaves it" in finding["nextStep"]
    assert not finding["repairable"]


LET_THROUGH = {
    "iptables-nft with a rule for Pods": (
        "iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -i eni+ -j ACCEPT",
        "iptables-nft -P FORWARD ACCEPT; iptables-nft -F FORWARD",
    ),
    "iptables-legacy with a rule for Pods": (
        "iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -i eni+ -j ACCEPT",
        "iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F FORWARD",
    ),
    "a masquerade in front of ours of others' networks": (
        FOREIGN_NAT + "nft add rule ip theirs post ip saddr 172.17.0.0/16 masquerade",
        "nft delete table ip theirs",
    ),
    "ip-masq-agent's": (
        "iptables-nft -t nat -A POSTROUTING -j MASQUERADE",
        "iptables-nft -t nat -F POSTROUTING",
    ),
}


@pytest.mark.parametrize("case", LET_THROUGH)
def test_what_does_not_harm_pods_is_no_finding(node, case):
    setting, undo = LET_THROUGH[case]
    run_all(node, setting)
    try:
        assert node.problems() == []
    finally:
        run_all(node, undo)
