"""`ipamctl status` of a node that runs: its components, its addresses, and that a full node is no problem."""

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
SMALL = {"instances": [{"instance_type": "S5.LARGE8", "public_ip": True}]}
"""Two ENIs of nine addresses."""


def test_a_full_node_is_a_fact_and_no_problem(own_node):
    node = own_node.begin("--ip-min-warm-target=1", "--ip-max-warm-target=1", region=SMALL, warm=1)
    limit = node.pool()["limit"]
    for number in range(limit):
        _, sandbox = node.pod_and_sandbox(f"pod-{number}")
        # With one warm address an ADD may come before the next one is there.
        node.eventually("an address", lambda sandbox=sandbox: node.call("add", sandbox)[0] == 0)

    node.eventually(
        "full", lambda: node.status()["pool"]["inUse"] == limit and not node.status()["pool"]["warm"]
    )
    status = node.status()

    assert status["problems"] == []
    full = f"the node is full: all {limit} addresses for Pods are taken"
    assert [notice for notice in status["notices"] if notice.startswith(full)]
    enis = node.ctl("enis")["enis"]
    assert sum(eni["addresses"] for eni in enis) == sum(eni["addressLimit"] for eni in enis) == limit
    components = {component["name"]: component for component in status["components"]}
    assert components["pool"]["detail"] == f"{limit} of {limit} addresses in use, 0 free"
    assert {use["use"] for use in status["addresses"]} == {"pod"}
    for name in ("api-server", "cloud", "metadata", "kernel"):
        assert components[name]["state"] == "ok", components[name]
        assert components[name]["lastGood"]


def test_what_is_repaired_again_and_again_is_a_problem(own_node):
    node = own_node.begin()

    def has_rule():
        return "512:" in node.on_node("ip", "rule")

    for _ in range(5):
        node.eventually("the rule is there", has_rule)
        node.on_node("ip", "rule", "del", "priority", "512")

    def told():
        return [problem for problem in node.status()["problems"] if problem.startswith("RepairedAgain rule/")]

    node.eventually("it is told", told)
    (kernel,) = [component for component in node.status()["components"] if component["name"] == "kernel"]
    assert kernel["state"] == "trouble"
    assert "was repaired 5 times" in told()[0]
