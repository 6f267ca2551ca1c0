"""What an agent may write, decided by a real API server: RBAC alone, and with the policies of own-node-only.

The agent of node A is its service account with the token that the kubelet mounts into its Pod there. What it
writes by right goes through the agent's own code; what it must not write is sent by hand, as whoever has
taken over the node would do.
"""

import itertools
import time
from typing import Any

import pytest

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.node.extended_resources import missing_resources
from ipamd.core.claim import eipclaim
from ipamd.core.claim import status as claim_status
from ipamd.core.claim.eipclaim import ClaimBinding
from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes import node_condition
from ipamd.core.kubernetes.external_dns import TARGETS
from ipamd.core.kubernetes.node_labels import subnet_label
from ipamd.core.kubernetes.nodes import AGENT, ENI_CONFIG, ENI_STATE
from ipamd.core.node_config.fields import NEED_SYNC
from ipamd.kube import errors
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS
from tests.apiserver.conftest import CLAIMS

NODE_A, NODE_B = "node-a", "node-b"
ACCOUNT = "tke-eni-agent"
POLICIES = [f"components/own-node-only/{name}.yaml" for name in ("claims", "pods", "nodes")]
MERGE = "application/merge-patch+json"
BINDING = {"eniID": "eni-1", "privateIP": "10.0.1.4", "podUID": "u", "sandbox": "s"}
ANNOTATIONS = {"tke.cloud.tencent.com/eip-id": "eip-1", "tke.cloud.tencent.com/eip-public-ip": "198.18.0.1"}
QUANTITIES = {"tke.cloud.tencent.com/eip": "2", "tke.cloud.tencent.com/eni-ip": "27"}
_numbers = itertools.count(1)


class Agent:
    """The agent of one node."""

    def __init__(self, cluster, node):
        self.node = node
        pod = cluster.pod(f"tke-eni-agent-{node}", node=node, namespace="kube-system", account=ACCOUNT)
        self.client = cluster.client(cluster.token(ACCOUNT, pod))
        self.claims = ClaimSource(self.client, node)

    def binding(self, node=""):
        return ClaimBinding(node=node or self.node, eni_id="eni-1", private_ip="10.0.1.4", pod_uid="u")

    def live(self, name):
        return self.claims.live("default", name)

    def begin(self, name, node=""):
        """What the agent writes before it associates the EIP."""
        return self.claims.revise(
            self.live(name),
            lambda claim: claim_status.binding_begun(claim, self.binding(node), time.time()),
        )

    def bound(self, name):
        return self.claims.revise(
            self.live(name),
            lambda claim: claim_status.bound(claim, self.binding(), time.time()),
        )

    def withdraw(self, name):
        return self.claims.revise(
            self.live(name),
            lambda claim: claim_status.unbound(claim, Reason.UNBOUND, "unbound", time.time()),
        )

    def write(self, name, status):
        """A merge patch of the claim's status by hand."""
        return self.client.patch(EIPCLAIMS, name, {"status": status}, "default", subresource="status")


class Scene:
    """Two nodes with their agents, Pods and claims; and the controller, which is the administrator here."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.server = cluster.server
        for node in (NODE_A, NODE_B):
            self.server.create(
                "/api/v1/nodes",
                {"metadata": {"name": node, "labels": {"zone": "1"}, "annotations": {"a": "b"}}},
            )
        self.a, self.b = Agent(cluster, NODE_A), Agent(cluster, NODE_B)
        self.taken_by_rbac_alone: dict[str, Any] = {}

    def claim(self, *, label, bound_by="", name=""):
        """A provisioned claim that the controller has given to the node `label`."""
        name = name or f"web-{next(_numbers)}"
        self.server.create(
            CLAIMS,
            {
                "apiVersion": eipclaim.API_VERSION,
                "kind": eipclaim.KIND,
                "metadata": {"name": name, "labels": {eipclaim.NODE_LABEL: label}},
                "spec": {"attributes": {}, "deletePolicy": "Delete"},
            },
        )
        status: dict[str, Any] = {
            "phase": "Provisioned",
            "pod": {"uid": "u", "node": label},
            "allocation": {"attempt": 1},
            "address": {"id": "eip-1", "ip": "198.18.0.1", "owned": True},
            "conditions": [{"type": "Provisioned", "status": "True", "reason": "Allocated"}],
        }
        if bound_by:
            status["binding"] = {"node": bound_by, **BINDING}
        self.controller(name, {"status": status}, "/status")
        return name

    def controller(self, name, body, subresource=""):
        code, answer = self.server.call("PATCH", f"{CLAIMS}/{name}{subresource}", body, content=MERGE)
        assert code == 200, answer

    def status(self, name):
        return self.server.call("GET", f"{CLAIMS}/{name}")[1]["status"]


@pytest.fixture(scope="module")
def unguarded(cluster):
    """The cluster with RBAC alone; what an agent could do to the claim of another node then."""
    if cluster.minor < 30:
        pytest.skip("the component own-node-only needs Kubernetes 1.30")
    scene = Scene(cluster)
    name = scene.claim(label=NODE_B, bound_by=NODE_B)
    scene.a.write(name, {"binding": None})
    scene.taken_by_rbac_alone = scene.status(name)
    return scene


@pytest.fixture(scope="module")
def scene(unguarded):
    """The same with the policies, once the API server enforces them."""
    unguarded.cluster.apply(*POLICIES)
    name = unguarded.claim(label=NODE_B)
    probes = [
        lambda: unguarded.a.write(name, {"phase": "Failed"}),
        lambda: unguarded.a.client.patch(NODES, NODE_B, {"status": {"phase": "x"}}, subresource="status"),
        lambda: unguarded.a.client.patch(
            PODS, f"tke-eni-agent-{NODE_B}", {"metadata": {"labels": {"a": "b"}}}, "kube-system"
        ),
    ]
    for probe in probes:
        _wait_until_refused(probe)
    return unguarded


def _wait_until_refused(probe):
    deadline = time.monotonic() + 30
    while True:
        try:
            probe()
        except errors.ForbiddenError:
            return
        assert time.monotonic() < deadline, "the policy is not enforced"
        time.sleep(0.1)


def refused(call, *words):
    """Expect a refusal by a policy that says these words, and return it."""
    with pytest.raises(errors.KubeError) as caught:
        call()
    assert caught.value.status == 403, caught.value
    assert "grant it" not in str(caught.value), "a policy is not to be answered with more rights"
    for word in ("ValidatingAdmissionPolicy", *words):
        assert word in str(caught.value)


def test_with_rbac_alone_an_agent_can_take_the_binding_of_another_nodes_claim(unguarded):
    """Rules name kinds of objects, not "those of my node": this is why there are policies."""
    assert "binding" not in unguarded.taken_by_rbac_alone


class TestClaims:
    def test_an_agent_binds_and_unbinds_the_claims_of_its_node(self, scene):
        name = scene.claim(label=NODE_A)

        assert scene.a.begin(name).binding.node == NODE_A
        assert scene.a.bound(name).binding.node == NODE_A
        assert scene.status(name)["phase"] == "Bound"
        assert scene.a.withdraw(name).binding is None

    @pytest.mark.parametrize("bound_by", ["", NODE_B])
    @pytest.mark.parametrize("act", ["begin", "bound", "withdraw"])
    def test_the_claim_of_another_node_is_out_of_reach(self, scene, act, bound_by):
        name = scene.claim(label=NODE_B, bound_by=bound_by)
        before = scene.status(name)

        refused(lambda: getattr(scene.a, act)(name), f"default/{name}", NODE_A, NODE_B)

        assert scene.status(name) == before

    def test_a_claim_that_moved_away_is_given_up_by_the_old_node_and_only_then_taken_by_the_new(self, scene):
        name = scene.claim(label=NODE_A)
        scene.a.bound(name)
        scene.controller(name, {"metadata": {"labels": {eipclaim.NODE_LABEL: NODE_B}}})

        refused(lambda: scene.b.begin(name), NODE_A)
        refused(lambda: scene.a.bound(name), NODE_A)
        assert scene.a.withdraw(name).binding is None
        assert scene.b.begin(name).binding.node == NODE_B

    def test_nobody_binds_in_the_name_of_another_node(self, scene):
        name = scene.claim(label=NODE_A)
        refused(lambda: scene.a.begin(name, node=NODE_B), NODE_B)

    @pytest.mark.parametrize(
        "status",
        [
            {"address": {"owned": False}},
            {"address": {"id": "eip-other"}},
            {"address": None},
            {"pod": {"uid": "another"}},
            {"pod": None},
            {"allocation": {"attempt": 7}},
            {"conditions": [{"type": "Provisioned", "status": "False"}]},
            {"conditions": [{"type": "Bound", "status": "True"}]},
            {"conditions": None},
        ],
        ids=str,
    )
    def test_what_the_controller_writes_stays_the_controllers(self, scene, status):
        name = scene.claim(label=NODE_A)
        before = scene.status(name)

        refused(lambda: scene.a.write(name, status), "an agent writes")

        assert scene.status(name) == before

    @pytest.mark.parametrize(
        "body",
        [
            {"metadata": {"labels": {eipclaim.NODE_LABEL: NODE_A}}},
            {"metadata": {"finalizers": None}},
            {"spec": {"deletePolicy": "Never"}},
        ],
        ids=str,
    )
    def test_label_finalizer_and_spec_are_out_of_reach_by_rbac(self, scene, body):
        name = scene.claim(label=NODE_B)
        with pytest.raises(errors.ForbiddenError, match="eipclaims"):
            scene.a.client.patch(EIPCLAIMS, name, body, "default")

    def test_the_status_subresource_moves_no_label(self, scene):
        """Else an agent could give itself a claim and then bind it."""
        name = scene.claim(label=NODE_B)
        body = {"metadata": {"labels": {eipclaim.NODE_LABEL: NODE_A}}, "status": {"phase": "Bound"}}
        refused(lambda: scene.a.client.patch(EIPCLAIMS, name, body, "default", subresource="status"))
        assert eipclaim.read(scene.server.call("GET", f"{CLAIMS}/{name}")[1]).node == NODE_B

    def test_claims_are_not_deleted_by_an_agent(self, scene):
        name = scene.claim(label=NODE_A)
        with pytest.raises(errors.ForbiddenError):
            scene.a.client.delete(EIPCLAIMS, name, "default")


class TestPods:
    @pytest.fixture
    def pods(self, scene):
        number = next(_numbers)
        return {node: scene.cluster.pod(f"{node}-{number}", node=node) for node in (NODE_A, NODE_B)}

    def annotate(self, scene, pod, annotations, **metadata):
        body = {"metadata": {"uid": pod["metadata"]["uid"], "annotations": annotations, **metadata}}
        return scene.a.client.patch(PODS, pod["metadata"]["name"], body, "default")

    def test_a_pod_of_the_node_gets_its_two_annotations(self, scene, pods):
        assert self.annotate(scene, pods[NODE_A], ANNOTATIONS)["metadata"]["annotations"] == ANNOTATIONS

    @pytest.mark.parametrize("target", TARGETS)
    def test_external_dns_is_told_the_public_ip_and_nothing_else(self, scene, pods, target):
        refused(lambda: self.annotate(scene, pods[NODE_A], {target: "198.18.0.9"}), "external-dns")
        refused(
            lambda: self.annotate(scene, pods[NODE_A], {**ANNOTATIONS, target: "198.18.0.9"}), "external-dns"
        )

        told = {**ANNOTATIONS, target: ANNOTATIONS["tke.cloud.tencent.com/eip-public-ip"]}
        assert self.annotate(scene, pods[NODE_A], told)["metadata"]["annotations"] == told

    def test_a_pod_of_another_node_is_out_of_reach(self, scene, pods):
        refused(lambda: self.annotate(scene, pods[NODE_B], ANNOTATIONS), NODE_A, NODE_B)

    @pytest.mark.parametrize(
        "annotations",
        [
            {"tke.cloud.tencent.com/eip-attributes": ""},
            {"tke.cloud.tencent.com/eip-claim-delete-policy": "Never"},
            {"example.com/x": "y"},
        ],
    )
    def test_no_other_annotation_is_written(self, scene, pods, annotations):
        refused(lambda: self.annotate(scene, pods[NODE_A], annotations), "eip-id and eip-public-ip")

    @pytest.mark.parametrize(
        "metadata",
        [{"labels": {"a": "b"}}, {"finalizers": ["example.com/hold"]}],
        ids=["labels", "finalizers"],
    )
    def test_nothing_else_of_a_pod_is_written(self, scene, pods, metadata):
        refused(lambda: self.annotate(scene, pods[NODE_A], {}, **metadata))

    def test_the_image_is_not_changed(self, scene, pods):
        body = [{"op": "replace", "path": "/spec/containers/0/image", "value": "registry.example/evil"}]
        name = pods[NODE_A]["metadata"]["name"]
        refused(lambda: scene.a.client.patch(PODS, name, body, "default", content="json"))


class TestNodes:
    def patch(self, scene, node, body):
        return scene.a.client.patch(NODES, node, body, subresource="status")

    def test_an_agent_offers_the_resources_of_its_node(self, scene):
        body = {"status": missing_resources({}, QUANTITIES)}
        status = self.patch(scene, NODE_A, body)["status"]
        assert (status["capacity"], status["allocatable"]) == (QUANTITIES, QUANTITIES)

    def test_an_agent_says_that_it_serves_its_node(self, scene):
        for agent in ("kube-system/tke-eni-agent-1", "kube-system/tke-eni-agent-2"):
            body = {"status": missing_resources({}, QUANTITIES), "metadata": {"annotations": {AGENT: agent}}}
            metadata = self.patch(scene, NODE_A, body)["metadata"]
            assert metadata["annotations"] == {"a": "b", AGENT: agent}

    def test_an_agent_says_of_which_subnets_its_node_can_have_addresses(self, scene):
        label = subnet_label("subnet-demo0001")
        written = self.patch(scene, NODE_A, {"metadata": {"labels": {label: ""}}})
        assert written["metadata"]["labels"][label] == ""
        taken = self.patch(scene, NODE_A, {"metadata": {"labels": {label: None}}})
        assert label not in taken["metadata"]["labels"]
        refused(lambda: self.patch(scene, NODE_B, {"metadata": {"labels": {label: ""}}}), NODE_A, NODE_B)

    def test_an_agent_says_what_its_node_has_and_that_a_sync_is_done(self, scene):
        asked = {"metadata": {"annotations": {NEED_SYNC: "true"}}}
        scene.server.call("PATCH", f"/api/v1/nodes/{NODE_A}", asked, content=MERGE)

        body = {"metadata": {"annotations": {ENI_STATE: "{}", NEED_SYNC: None}}}
        annotations = self.patch(scene, NODE_A, body)["metadata"]["annotations"]

        assert annotations[ENI_STATE] == "{}"
        assert NEED_SYNC not in annotations

    def say(self, scene, node, *, status="True"):
        verdict = node_condition.NodeVerdict(status=status, reason="Serving", message="well")
        body = node_condition.patch({}, verdict, time.time())
        return scene.a.client.patch(NODES, node, body, subresource="status", content="strategic")["status"]

    def test_an_agent_says_how_its_node_is_beside_what_others_say(self, scene):
        scene.server.call(
            "PATCH",
            f"/api/v1/nodes/{NODE_A}/status",
            {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
            content="application/strategic-merge-patch+json",
        )

        for status in ("True", "False", "True"):
            found = {c["type"]: c["status"] for c in self.say(scene, NODE_A, status=status)["conditions"]}
            assert found == {"Ready": "True", "TkeEniReady": status}

    def test_how_another_node_is_an_agent_does_not_say(self, scene):
        refused(lambda: self.say(scene, NODE_B), NODE_A, NODE_B)

    def test_the_controller_says_so_of_any_node(self, scene):
        client = scene.cluster.client(scene.cluster.token("tke-eni-ipamd"))
        body = node_condition.patch({}, node_condition.abandoned(NODE_B, 150.0), time.time())

        written = client.patch(NODES, NODE_B, body, subresource="status", content="strategic")

        assert node_condition.shown(written)["status"] == "Unknown"

    def test_another_node_is_out_of_reach(self, scene):
        body = {"status": missing_resources({}, QUANTITIES)}
        refused(lambda: self.patch(scene, NODE_B, body), NODE_A, NODE_B)
        mark = {"metadata": {"annotations": {AGENT: "kube-system/tke-eni-agent-1"}}}
        refused(lambda: self.patch(scene, NODE_B, mark), NODE_A, NODE_B)

    @pytest.mark.parametrize(
        "body",
        [
            {"status": {"capacity": {"cpu": "64"}}},
            {"status": {"allocatable": {"example.com/gpu": "1"}}},
            {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
            {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.9"}]}},
            {"metadata": {"labels": {"zone": "2"}}},
            {"metadata": {"labels": {"zone": None}}},
            {"metadata": {"labels": {"example.com/subnet.tke.cloud.tencent.com": "x"}}},
            {"metadata": {"annotations": {"a": "c"}}},
            {"metadata": {"annotations": {"a": None}}},
            {"metadata": {"annotations": {"new": "x", AGENT: "no-pod"}}},
            {"metadata": {"annotations": {ENI_CONFIG: "{}"}}},
            {"metadata": {"annotations": {NEED_SYNC: "true"}}},
        ],
        ids=str,
    )
    def test_nothing_else_of_the_node_is_written(self, scene, body):
        refused(lambda: self.patch(scene, NODE_A, body))


class TestTokens:
    def test_a_token_that_is_bound_to_no_pod_writes_nothing(self, scene):
        client = scene.cluster.client(scene.cluster.token(ACCOUNT))
        name = scene.claim(label=NODE_A)
        body = {"status": {"phase": "Bound"}}
        refused(lambda: client.patch(EIPCLAIMS, name, body, "default", subresource="status"), "names no node")

    def test_others_are_not_concerned(self, scene):
        """The controller unbinds for a node that is gone."""
        name = scene.claim(label=NODE_A, bound_by=NODE_A)
        client = scene.cluster.client(scene.cluster.token("tke-eni-ipamd"))
        body = {"status": {"binding": None, "phase": "Provisioned"}}
        assert "binding" not in client.patch(EIPCLAIMS, name, body, "default", subresource="status")["status"]


def test_the_api_server_finds_nothing_wrong_with_the_policies(scene):
    for policy in ("claims", "pods", "nodes"):
        path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
        status = scene.server.call("GET", f"{path}/tke-eni-agent-{policy}")[1].get("status", {})
        assert not status.get("typeChecking", {}).get("expressionWarnings")
