"""What an agent may write into VpcIPClaims, decided by a real API server with the policy of own-node-only.

As `test_own_node_only` for EIPClaims: what is written by right goes through the code's own patches.
"""

import itertools
import time

import pytest

from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.vpc_ip import status, vpcipclaim
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding
from ipamd.kube import errors
from ipamd.kube.resources import VPCIPCLAIMS
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, KEPT

MINE, OTHER = "fixed-a", "fixed-b"
ACCOUNT = "tke-eni-agent"
NOW = time.time()
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def clients(cluster):
    """The agent of node MINE, and the controller; once the policy is enforced."""
    if cluster.minor < 30:
        pytest.skip("the component own-node-only needs Kubernetes 1.30")
    cluster.apply("crd-vpcipclaim.yaml", "components/own-node-only/vpc-ip-claims.yaml")
    name = "crd/vpcipclaims.networking.tke.cloud.tencent.com"
    cluster.kubectl("wait", "--for=condition=Established", name)
    for node in (MINE, OTHER):
        cluster.server.create("/api/v1/nodes", {"metadata": {"name": node}})
    pod = cluster.pod(f"{ACCOUNT}-{MINE}", node=MINE, namespace="kube-system", account=ACCOUNT)
    agent = cluster.client(cluster.token(ACCOUNT, pod))
    controller = cluster.client(cluster.token("tke-eni-ipamd"))
    probe = claim_of(controller, OTHER)
    deadline = time.monotonic() + 30
    while True:
        try:
            write(agent, probe.name, {"status": {"phase": "Failed"}})
        except errors.ForbiddenError:
            break
        assert time.monotonic() < deadline, "the policy is not enforced"
        time.sleep(0.1)
    yield agent, controller
    agent.close()
    controller.close()


def write(client, name, patch):
    return vpcipclaim.read(client.patch(VPCIPCLAIMS, name, patch, "default", subresource="status"))


def claim_of(controller, node, *, assigned_by=""):
    """A claim with an address that the controller has given to a node."""
    view = pod_view(name=f"own-{next(_numbers)}", nodeName=node)
    claim = vpcipclaim.read(controller.create(VPCIPCLAIMS, vpcipclaim.new_object(view, KEPT)))
    patch = status.provisioned(claim, ADDRESS, VpcIpReason.RESERVED, "r", NOW)
    claim = write(controller, claim.name, patch)
    claim = write(controller, claim.name, status.serve(claim, ClaimPod(uid="u1", node=node)))
    if assigned_by:
        claim = write(controller, claim.name, status.assigned(claim, binding(assigned_by), NOW))
    return claim


def binding(node):
    return AddressBinding(node=node, eni_id="eni-1", pod_uid="u1")


def refused(call, *words):
    with pytest.raises(errors.ForbiddenError) as caught:
        call()
    for word in ("ValidatingAdmissionPolicy", *words):
        assert word in str(caught.value)


def test_an_agent_assigns_and_unassigns_the_addresses_of_its_node(clients):
    agent, controller = clients
    claim = claim_of(controller, MINE)

    claim = write(agent, claim.name, status.assigning(claim, binding(MINE), NOW))
    claim = write(agent, claim.name, status.assigned(claim, binding(MINE), NOW))
    assert claim.assigned_ip == ADDRESS.ip
    claim = write(agent, claim.name, status.unassigned(claim, VpcIpReason.UNASSIGNED, "gone", NOW))
    assert claim.binding is None


@pytest.mark.parametrize("assigned_by", ["", OTHER])
def test_the_claim_of_another_node_is_out_of_reach(clients, assigned_by):
    agent, controller = clients
    claim = claim_of(controller, OTHER, assigned_by=assigned_by)

    for patch in (
        status.assigning(claim, binding(MINE), NOW),
        status.unassigned(claim, VpcIpReason.UNASSIGNED, "gone", NOW),
    ):
        refused(lambda patch=patch: write(agent, claim.name, patch), f"default/{claim.name}", MINE, OTHER)


def test_an_agent_assigns_in_its_own_name_only(clients):
    agent, controller = clients
    claim = claim_of(controller, MINE)

    refused(lambda: write(agent, claim.name, status.assigning(claim, binding(OTHER), NOW)), OTHER)


@pytest.mark.parametrize(
    "change",
    [
        {"address": {"ip": "10.0.3.9"}},
        {"refusedIPs": ["10.0.3.7"]},
        {"pod": {"node": "x"}},
        {"conditions": [{"type": "Reserved", "status": "False"}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_the_controllers_stays(clients, change):
    agent, controller = clients
    claim = claim_of(controller, MINE)

    refused(lambda: write(agent, claim.name, {"status": change}), "an agent writes")
