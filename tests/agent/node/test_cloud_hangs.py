"""A cloud that does not answer delays nothing that the node can do alone."""

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
REPAIRED_WITHIN = 15.0
"""Far below the 30 s for which a look at the cloud is waited for."""


def test_the_kernel_is_repaired_while_the_cloud_hangs(own_node):
    node = own_node.begin()
    _, sandbox = node.pod_and_sandbox("running")
    _, result = node.call("add", sandbox)
    ip = result["ips"][0]["address"].removesuffix("/32")
    hanging = {"kind": "timeout_before", "action": "DescribeNetworkInterfaces", "seconds": 90, "count": None}
    node.admin.post("/faults", {"add": [hanging]})

    def hanging_looks():
        return node.admin.post("/faults", {})["injected"].get("timeout_before:DescribeNetworkInterfaces", 0)

    node.eventually("a look hangs", hanging_looks)

    for damage, told, mended in (
        ("ip rule del priority 512", "PolicyRule", lambda: "512:" in node.on_node("ip", "rule")),
        ("ip route flush table all proto 116", "PodRoute", lambda: f"{ip} dev" in routes(node)),
        ("nft delete table ip tke_eni", "NftTable", lambda: ip in nft(node)),
    ):
        node.on_node(*damage.split())
        # That it was a damage, the warning tells: it may be mended before anybody looks.
        for what, done in (
            (f"repaired: {told}", lambda told=told: f"repaired: {told}" in node.log()),
            (damage, mended),
        ):
            node.eventually(f"{what} after {damage}", done, seconds=REPAIRED_WITHIN)


def routes(node):
    return node.on_node("ip", "route")


def nft(node):
    return node.on_node("nft", "list", "ruleset")
