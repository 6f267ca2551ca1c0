"""What the real kube-proxy masquerades on a Pod's way out; tests/net has the same by rules in its form."""

import pytest

from ipamd.net.model import DataPlaneConfig, PodEgress
from tests.net.service_ways import begin, seen, spoofed, wanted

pytestmark = pytest.mark.netns
MODES = ["iptables", "nftables"]
ELSEWHERE = "172.16.0.0/17"
"""As --cluster-cidr of a cluster whose Pods had addresses of their own: ours are foreign to it."""


@pytest.mark.parametrize(
    "config", [DataPlaneConfig(pod_egress=egress) for egress in PodEgress], ids=["node", "eni"]
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("eip", [False, True])
def test_a_pod_reaches_every_backend_by_every_way(world, config, start_kube_proxy, mode, eip):
    start_kube_proxy(mode=mode, clusterCIDR=ELSEWHERE)
    client = begin(world, eip=eip)

    assert seen(client) == wanted(config.pod_egress, eip=eip)
    assert spoofed(world) == 0


@pytest.mark.parametrize("mode", MODES)
def test_the_same_when_kube_proxy_masquerades_all(world, start_kube_proxy, mode):
    start_kube_proxy(mode=mode, iptables={"masqueradeAll": True}, nftables={"masqueradeAll": True})
    client = begin(world)

    assert seen(client) == wanted(PodEgress.NODE, eip=False)
    assert spoofed(world) == 0
