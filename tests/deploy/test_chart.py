"""The chart is what deploy/ says, and its values are refused with their names when they are wrong."""

import json
import re

import jsonschema
import pytest
import yaml

import ipamd
from testbed.chart import chart, patches, template
from testbed.chart.template import When
from tests.deploy import manifests

MADE = chart.files()
VALUES = yaml.load(MADE["values.yaml"], yaml.CSafeLoader)
SCHEMA = json.loads(MADE["values.schema.json"])


def test_the_chart_that_is_committed_is_what_the_manifests_make():
    committed = {
        path.relative_to(chart.CHART).as_posix(): path.read_text()
        for path in chart.CHART.rglob("*")
        if path.is_file()
    }

    assert committed == dict(MADE), "deploy/chart is not current: run `make chart`"


def test_the_version_is_that_of_the_package():
    described = yaml.safe_load(MADE["Chart.yaml"])
    assert described["version"] == described["appVersion"] == ipamd.__version__


def test_each_key_of_the_settings_is_a_value_and_is_unset():
    assert VALUES["settings"] == dict.fromkeys(manifests.one("ConfigMap", "tke-eni-defaults")["data"], "")


def test_each_component_is_a_switch_and_is_off():
    folders = {path.parent.name for path in (manifests.DEPLOY / "components").glob("*/kustomization.yaml")}
    switches = {re.sub("[A-Z]", lambda big: f"-{big[0].lower()}", name) for name in VALUES["components"]}

    # k3s has its directories elsewhere: values of the chart, and no switch.
    assert switches == folders - {"k3s"}
    assert not any(VALUES["components"].values())


def test_the_defaults_are_allowed():
    jsonschema.validate(VALUES, SCHEMA)


def test_each_value_has_a_default_that_says_what_is_shipped():
    agent = manifests.one("DaemonSet", "tke-eni-agent")["spec"]["template"]["spec"]
    controller = manifests.one("Deployment", "tke-eni-ipamd")["spec"]

    assert VALUES["agent"]["tolerations"] == agent["tolerations"]
    assert VALUES["agent"]["resources"] == agent["containers"][0]["resources"]
    assert VALUES["controller"]["replicas"] == controller["replicas"]
    assert VALUES["controller"]["priorityClassName"] == controller["template"]["spec"]["priorityClassName"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"components": {"metrics": "yes"}}, "'yes' is not of type 'boolean'"),
        ({"components": {"metric": True}}, "'metric' was unexpected"),
        ({"setting": {}}, "'setting' was unexpected"),
        ({"settings": {"CLUSTER_ID": "my-cluster"}}, "'my-cluster' does not match"),
        ({"image": {"pullPolicy": "always"}}, r"is not one of \['Always', 'IfNotPresent', 'Never'\]"),
        ({"agent": {"flags": ["log-level=debug"]}}, "'log-level=debug' does not match"),
        ({"agent": {"maxUnavailable": "some"}}, "'some' does not match"),
        ({"controller": {"replicas": 0}}, "0 is less than the minimum of 1"),
    ],
)
def test_a_wrong_value_is_refused(wrong, told):
    with pytest.raises(jsonschema.ValidationError, match=told):
        jsonschema.validate(wrong, SCHEMA)


def test_a_list_that_two_components_add_to_is_there_when_one_of_them_is():
    objects: list[manifests.Obj] = [{"kind": "Deployment", "metadata": {"name": "a"}, "spec": {}}]
    for condition, port in ((".one", 1), (".two", 2)):
        patch = f"{{kind: Deployment, metadata: {{name: a}}, spec: {{ports: [{{port: {port}}}]}}}}"
        patches.apply({"patches": [{"patch": patch}]}, objects, condition)

    assert objects[0]["spec"]["ports"] == When(
        "or .one .two", [When(".one", {"port": 1}), When(".two", {"port": 2})]
    )


@pytest.mark.parametrize(
    "patch",
    [
        '[{"op": "remove", "path": "/spec/a"}]',
        '[{"op": "add", "path": "/spec/a", "value": 2}]',
        '{"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"a": 2}}',
    ],
)
def test_a_patch_that_the_chart_cannot_follow_is_refused(patch):
    objects = [{"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"a": 1}}]
    target = {"kind": "Deployment", "name": "a"}

    with pytest.raises(ValueError, match="the chart cannot follow"):
        patches.apply({"patches": [{"patch": patch, "target": target}]}, objects, ".on")


def test_a_text_that_helm_would_take_for_its_own_is_refused():
    with pytest.raises(ValueError, match="give it to the chart as a file"):
        template.written({"summary": "{{ $labels.pod }} is away"})


def test_a_text_of_several_lines_comes_through_as_it_is():
    texts = {"a": "one\ntwo\n", "b": "one\n\n  two", "c": "yes", "d": "1"}
    assert yaml.safe_load(template.written(texts)) == texts
