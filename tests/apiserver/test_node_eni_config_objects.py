"""The rules of the CRD NodeENIConfig, decided by a real API server: the same as those of the code."""

import json

import pytest

from ipamd.core.errors import InvalidInputError
from ipamd.core.node_config import node_eni_config
from ipamd.kube.resources import NODE_ENI_CONFIGS
from tests.core.node_config.build import BAD, GOOD

ONLY_BY_CODE = [("minWarmTarget", None), ("subnetCIDR", "10.0.2.1/24"), ("subnetCIDR", "300.0.0.0/24")]
"""What no schema says, or an API server takes as absent."""
RIGHT = [(name, value) for name, values in GOOD.items() for value in values]
WRONG = [(name, v) for name, values in BAD.items() for v in values if (name, v) not in ONLY_BY_CODE]


@pytest.fixture(scope="module")
def server(cluster):
    cluster.apply("crd-nodeeniconfig.yaml")
    name = "crd/nodeeniconfigs.networking.tke.cloud.tencent.com"
    cluster.kubectl("wait", "--for=condition=Established", name)
    return cluster.server


def refuse(server, cluster, spec, words):
    """Whether the API server refuses it or, where that knows no rules (before 1.25), the controller."""
    status, answer = create(server, **spec)
    if status != 422:
        assert (status, cluster.minor < 25) == (201, True), answer
        with pytest.raises(InvalidInputError):
            node_eni_config.read(answer)
        return
    assert words in json.dumps(answer)


def create(server, **spec):
    body = {
        "apiVersion": NODE_ENI_CONFIGS.api_version,
        "kind": NODE_ENI_CONFIGS.kind,
        "metadata": {"generateName": "test-"},
        "spec": spec,
    }
    return server.call("POST", NODE_ENI_CONFIGS.path(), body)


@pytest.mark.parametrize(("name", "value"), RIGHT, ids=str)
def test_what_the_code_allows_is_taken(server, name, value):
    status, answer = create(server, **{name: value})
    assert status == 201, answer
    assert answer["spec"] == {name: value}


@pytest.mark.parametrize(("name", "value"), WRONG, ids=str)
def test_what_the_code_refuses_is_refused_by_the_field(server, cluster, name, value):
    refuse(server, cluster, {name: value}, f"spec.{name}")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"minWarmTarget": 5, "maxWarmTarget": 4}, "choose the warm targets"),
        ({"subnets": ["subnet-1"], "subnetTags": {"a": "b"}}, "at most one of subnets"),
        ({"subnetTags": {"a": "b"}, "subnetCIDR": "10.0.2.0/24"}, "at most one of subnets"),
        ({"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}, "Unsupported value"),
        ({"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, "values are needed"),
        ({"priority": -1}, "spec.priority"),
    ],
    ids=str,
)
def test_what_contradicts_itself_is_refused(server, cluster, spec, words):
    refuse(server, cluster, spec, words)
