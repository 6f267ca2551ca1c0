"""Rights of agent and controller: all that they need, and nothing else."""

import pytest

from tests.deploy import manifests
from tests.deploy.rights import AGENT, CONTROLLER, SOURCES, Right, granted, needed

DAEMONS = sorted(SOURCES)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_every_request_of_the_code_is_allowed(daemon):
    assert sorted(needed(daemon) - granted(daemon)) == []


@pytest.mark.parametrize("daemon", DAEMONS)
def test_no_rule_is_there_that_the_code_does_not_use(daemon):
    assert sorted(granted(daemon) - needed(daemon)) == []


def test_the_code_is_read_as_it_is():
    """Samples, so that the comparison is not one of two empty sets."""
    assert Right("", "nodes/status", "patch") in needed(AGENT)
    assert Right("", "pods", "watch") in needed(AGENT)
    assert Right("coordination.k8s.io", "leases", "update") in needed(CONTROLLER)
    assert Right("networking.tke.cloud.tencent.com", "eipclaims/status", "patch") in needed(CONTROLLER)


def test_the_agent_deletes_nothing_and_creates_only_events():
    assert [right for right in granted(AGENT) if "delete" in right.verb] == []
    assert [right for right in granted(AGENT) if right.verb == "create"] == [Right("", "events", "create")]


def test_no_rule_has_a_wildcard_and_no_secret_is_read():
    for obj in manifests.documents("rbac.yaml"):
        for rule in obj.get("rules", ()):
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words
            assert "secrets" not in words


def test_the_webhooks_certificate_is_kept_with_rights_on_two_named_objects():
    roles = [obj for obj in manifests.documents("components/admission/rbac.yaml") if "rules" in obj]
    rules = [rule for role in roles for rule in role["rules"] if "patch" in rule["verbs"]]
    assert [rule["resourceNames"] for rule in rules] == [["tke-eni-admission"]] * 2
    others = [rule for role in roles for rule in role["rules"] if rule not in rules]
    assert [(rule["resources"], rule["verbs"]) for rule in others] == [(["vpcipclaims"], ["list", "watch"])]


def test_what_is_for_one_namespace_is_granted_there_only():
    cluster_wide = [
        resource
        for obj in manifests.documents("rbac.yaml")
        if obj["kind"] == "ClusterRole"
        for rule in obj["rules"]
        for resource in rule["resources"]
    ]

    assert "leases" not in cluster_wide
    assert "configmaps" not in cluster_wide
