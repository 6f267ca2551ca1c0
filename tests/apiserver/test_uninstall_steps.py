"""Steps of `kubectl eni uninstall` where something does not do its part: a controller, or a dead node.

The whole of it, with traffic and packets, is tests/e2e/test_uninstall.py.
"""

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.kubernetes import nodes
from ipamd.core.vpc_ip import status, vpcip, vpcipclaim
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress
from ipamd.ctl.kubectl import removal_of_nodes, removal_of_pods
from ipamd.ctl.kubectl.removal_step import Patience
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS, VPCIPCLAIMS, VPCIPS

UNREACHABLE = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
CLAIM = "EIPClaim default/held-0"


@pytest.fixture
def api(cluster):
    client = KubeClient(config.load(str(cluster.server.kubeconfig), {}), component="test")
    yield client
    client.close()


@pytest.fixture
def patience():
    """Patience of a minute, over which nobody has to wait."""
    clock = [0.0]

    def sleep(seconds):
        clock[0] += seconds

    return Patience(seconds=60.0, monotonic=lambda: clock[0], sleep=sleep)


@pytest.fixture
def held(api):
    """A claim with an EIP that no controller lets go."""
    metadata = {"namespace": "default", "name": "held-0", "finalizers": [eipclaim.FINALIZER]}
    api.create(EIPCLAIMS, {"metadata": metadata, "spec": {"attributes": {}}})
    address = {"id": "eip-1a2b3c4d", "ip": "198.18.0.2", "owned": True}
    api.patch(EIPCLAIMS, "held-0", {"status": {"address": address}}, "default", subresource="status")


def test_a_claim_that_nobody_lets_go_stops_it_until_it_is_forced(api, patience, held):
    first = removal_of_pods.own_objects(api, patience, dry=False, force=False)

    assert CLAIM in first.left
    assert "--force" in first.advice
    assert api.get(EIPCLAIMS, "held-0", "default")["metadata"]["deletionTimestamp"]

    forced = removal_of_pods.own_objects(api, patience, dry=False, force=True)
    freed = removal_of_pods.free_objects(api, patience, dry=False)

    assert (forced.left, freed.left) == ([], [])
    assert CLAIM in freed.todo
    assert api.list(EIPCLAIMS).items == []


FIXED = "VpcIPClaim default/kept-0"
LINE = "VpcIP 10.0.3.7"


@pytest.fixture
def kept(cluster, api):
    """A claim with a fixed address, and its line of the book, that no controller lets go."""
    crds = ("crd-vpcipclaim.yaml", "crd-vpcip.yaml")
    cluster.apply(*crds)
    for plural in ("vpcipclaims", "vpcips"):
        name = f"crd/{plural}.networking.tke.cloud.tencent.com"
        cluster.kubectl("wait", "--for=condition=Established", name)
    metadata = {"namespace": "default", "name": "kept-0", "finalizers": [vpcipclaim.FINALIZER]}
    made = api.create(VPCIPCLAIMS, {"metadata": metadata, "spec": {"type": "Pod", "deletePolicy": "Never"}})
    address = FixedAddress(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa", reservation_id="rsvip-1")
    claim = vpcipclaim.read(made)
    patch = status.provisioned(claim, address, VpcIpReason.RESERVED, "rsvip-1", 1_800_000_000.0)
    api.patch(VPCIPCLAIMS, "kept-0", patch, "default", subresource="status")
    api.create(VPCIPS, vpcip.new_object(claim, address))


def test_fixed_addresses_that_nobody_gives_back_stop_it_until_it_is_forced(api, patience, kept):
    """Claim and line have finalizers of their own; a run that was cut off anywhere is just repeated."""
    first = removal_of_pods.own_objects(api, patience, dry=False, force=False)

    assert {FIXED, LINE} <= {*first.left}
    assert removal_of_pods.own_objects(api, patience, dry=False, force=True).left == []
    forced = removal_of_pods.free_objects(api, patience, dry=False)
    again = removal_of_pods.free_objects(api, patience, dry=False)

    assert (forced.left, again.todo, again.left) == ([], [], [])
    assert {FIXED, LINE} <= {*forced.todo}
    assert api.list(VPCIPCLAIMS).items == api.list(VPCIPS).items == []


def test_a_line_whose_claim_was_let_go_before_is_let_go_too(api, patience, kept):
    """Cut off after the claim's finalizer was taken off, and before the line's was."""
    removal_of_pods.own_objects(api, patience, dry=False, force=True)
    gone = {"metadata": {"finalizers": None}}
    api.patch(VPCIPCLAIMS, "kept-0", gone, "default")

    report = removal_of_pods.free_objects(api, patience, dry=False)

    assert LINE in report.todo
    assert FIXED not in report.todo
    assert api.list(VPCIPS).items == []


def test_a_node_whose_kubelet_does_not_answer_is_named_and_stops_nothing(cluster, api, patience):
    cluster.apply("daemonset.yaml")
    for node in api.list(NODES).items:  # of tests before
        api.delete(NODES, node["metadata"]["name"])
    api.create(NODES, {"metadata": {"name": "dead", "annotations": {nodes.AGENT: "0.1.0"}}})
    api.patch(NODES, "dead", {"status": {"conditions": [UNREACHABLE]}}, subresource="status")

    report = removal_of_nodes.clean_nodes(api, patience, dry=False)

    assert report.left == ["dead: its kubelet does not answer, so nothing could be removed there"]
    assert not report.stops
    assert "given back in any case" in report.advice
    assert [pod for pod in api.list(PODS).items if pod["spec"].get("nodeName") == "dead"] == []
    assert nodes.AGENT in api.get(NODES, "dead")["metadata"]["annotations"]
    api.delete(NODES, "dead")
