"""Tokens and denials: 401 and 403 as the real server words them."""

import pytest

from simulator.kube import KubeServer, Store, listen
from simulator.kube.access import Access, Deny
from tests.contract.kube.endpoint import CLAIM_GROUP

AGENT = "system:serviceaccount:kube-system:tke-eni-agent"


@pytest.fixture
def guarded():
    access = Access(
        tokens={"agent-token": AGENT, "admin-token": "admin"},
        denials=(
            Deny(user=AGENT, verbs=frozenset({"list", "get"}), resources=frozenset({"pods"})),
            Deny(user=AGENT, verbs=frozenset({"*"}), resources=frozenset({"nodes/status"})),
            Deny(
                user=AGENT,
                verbs=frozenset({"patch"}),
                resources=frozenset({"eipclaims/status"}),
                namespaces=frozenset({"default"}),
            ),
        ),
    )
    with KubeServer(Store(), [listen()], access=access) as server:
        yield server


def test_a_wrong_token_is_not_known(guarded, connect):
    refused = connect(guarded.url, token="wrong").get("/healthz")
    assert refused.failure == (401, "Unauthorized", "Unauthorized")


def test_without_a_token_one_sees_health_and_version_only(guarded, connect):
    api = connect(guarded.url)
    assert api.get("/readyz").code == 200
    assert api.get("/version").code == 200
    text = 'forbidden: User "system:anonymous" cannot get path "/api"'
    assert api.get("/api").failure == (403, "Forbidden", text)
    assert api.get("/api").body["details"] == {}
    text = (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" '
        "at the cluster scope"
    )
    assert api.get("/api/v1/pods").failure == (403, "Forbidden", text)


def test_who_is_known_is_served(guarded, connect):
    assert connect(guarded.url, token="admin-token").get("/api/v1/pods").code == 200
    assert connect(guarded.url, token="agent-token").get("/api/v1/nodes").code == 200


def test_a_denied_list_names_user_verb_and_scope(guarded, connect):
    api = connect(guarded.url, token="agent-token")
    refused = api.get("/api/v1/pods")
    text = (
        f'pods is forbidden: User "{AGENT}" cannot list resource "pods" in API group "" at the cluster scope'
    )
    assert refused.failure == (403, "Forbidden", text)
    assert refused.body["details"] == {"kind": "pods"}
    refused = api.get("/api/v1/namespaces/default/pods/p")
    text = (
        f'pods "p" is forbidden: User "{AGENT}" cannot get resource "pods" in API group "" '
        'in the namespace "default"'
    )
    assert refused.failure == (403, "Forbidden", text)
    with api.watch("/api/v1/pods", timeoutSeconds=1) as events:
        assert events.rest() == []


def test_a_subresource_is_denied_by_its_own_name(guarded, connect):
    api = connect(guarded.url, token="agent-token")
    refused = api.patch("/api/v1/nodes/n1/status", {})
    text = (
        f'nodes "n1" is forbidden: User "{AGENT}" cannot patch resource "nodes/status" in API group "" '
        "at the cluster scope"
    )
    assert refused.failure == (403, "Forbidden", text)
    assert api.patch("/api/v1/nodes/n1", {}).failure[:2] == (404, "NotFound")


def test_a_denial_may_be_for_a_namespace(guarded, connect):
    api = connect(guarded.url, token="agent-token")
    group = f"/apis/{CLAIM_GROUP}/v1/namespaces"
    refused = api.patch(f"{group}/default/eipclaims/c/status", {})
    text = (
        f'eipclaims.{CLAIM_GROUP} "c" is forbidden: User "{AGENT}" cannot patch resource "eipclaims/status" '
        f'in API group "{CLAIM_GROUP}" in the namespace "default"'
    )
    assert refused.failure == (403, "Forbidden", text)
    assert api.patch(f"{group}/kube-system/eipclaims/c/status", {}).failure[:2] == (404, "NotFound")


def test_access_can_change_while_the_server_runs(guarded, connect):
    api = connect(guarded.url, token="agent-token")
    assert api.get("/api/v1/pods").code == 403
    guarded.access = Access(tokens={"agent-token": AGENT})
    assert api.get("/api/v1/pods").code == 200
