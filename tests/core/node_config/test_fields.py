"""What a field of a configuration may be; a refusal names object, field, value and what is allowed."""

import re

import pytest

from ipamd.core.errors import InvalidInputError
from ipamd.core.node_config import fields, node_eni_config
from tests.core.node_config.build import BAD, GOOD, config, nec


def test_every_field_is_tried():
    assert set(GOOD) == set(BAD) == set(fields.FIELDS)


@pytest.mark.parametrize(("name", "value"), [(name, v) for name, values in GOOD.items() for v in values])
def test_what_is_allowed(name, value):
    assert config("a", **{name: value}).values == {name: value}


@pytest.mark.parametrize(("name", "value"), [(name, v) for name, values in BAD.items() for v in values])
def test_what_is_refused(name, value):
    with pytest.raises(InvalidInputError) as refusal:
        config("big", **{name: value})

    assert refusal.value.message.startswith(f"NodeENIConfig big: {name} is ")
    assert refusal.value.advice.startswith("allowed is ")


def selecting(**expression):
    return {"nodeSelector": {"matchExpressions": [expression]}}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"minWarmTarget": 5, "maxWarmTarget": 4}, "maxWarmTarget is 4 and minWarmTarget 5"),
        ({"minWarmENITarget": 2, "maxWarmENITarget": 1}, "maxWarmENITarget is 1 and minWarmENITarget 2"),
        ({"subnets": ["subnet-1"], "subnetTags": {"a": "b"}}, "both subnets and subnetTags are set"),
        ({"warm": 5}, "there is no field spec.warm"),
        ({"warm": 5, "cold": 5}, "there is no field spec.cold"),
        ({"priority": 1001}, "priority is 1001"),
        ({"priority": True}, "priority is true"),
        ({"nodeSelector": ["a"]}, "spec.nodeSelector is"),
        ({"nodeSelector": {"labels": {}}}, "spec.nodeSelector.labels is"),
        (selecting(key="a", operator="Is"), "matchExpressions[0].operator is"),
        (selecting(key="a", operator="In"), "matchExpressions[0].values is"),
        (selecting(key="a", operator="Exists", values=["b"]), "matchExpressions[0].values is"),
        (selecting(operator="Exists"), "matchExpressions[0] is"),
        ({"priority": -1}, "priority is -1"),
    ],
)
def test_what_contradicts_itself_is_refused(spec, words):
    with pytest.raises(InvalidInputError, match="NodeENIConfig a: ") as refusal:
        config("a", **spec)

    assert words in refusal.value.message
    assert refusal.value.advice


def test_priority_is_zero_to_a_thousand():
    assert [config("a", **spec).priority for spec in ({}, {"priority": 0}, {"priority": 1000})] == [
        0,
        0,
        1000,
    ]


ANNOTATIONS = {
    "route-eni-ip-min-warm-target": ("3", "minWarmTarget", 3),
    "route-eni-ip-max-warm-target": ("8", "maxWarmTarget", 8),
    "desired-route-eni-pod-num": ("20", "desiredRouteENIIP", 20),
    "route-eni-max-attach": ("2", "maxRouteENI", 2),
    "max-ip-per-route-eni": ("9", "maxIPPerENI", 9),
    "direct-eni-max-attach": ("4", "maxDirectENI", 4),
    "direct-eni-min-warm-target": ("2", "minWarmENITarget", 2),
    "direct-eni-max-warm-target": ("3", "maxWarmENITarget", 3),
    "disable-node-eni-security-groups": ("yes", "syncSecurityGroups", False),
    "disable-node-eni": ("Yes", "disabled", True),
}


def test_tkes_annotations_are_all_known():
    assert {fields.TKE + name for name in ANNOTATIONS} == set(fields.BY_ANNOTATION)


@pytest.mark.parametrize(("name", "expected"), ANNOTATIONS.items())
def test_tkes_annotation_means_the_field(name, expected):
    text, field, value = expected
    assert fields.from_annotations({fields.TKE + name: text}, "Node") == {field: value}


@pytest.mark.parametrize(("text", "means"), [("yes", True), ("TRUE", True), ("no", False), ("False", False)])
def test_an_annotation_says_yes_and_no_in_both_words(text, means):
    assert fields.from_annotations({fields.TKE + "disable-node-eni": text}, "Node") == {"disabled": means}


@pytest.mark.parametrize("text", ["", "many", "-1", "5.5"])
def test_a_wrong_annotation_is_refused_by_its_name(text):
    with pytest.raises(
        InvalidInputError, match=re.escape("annotation tke.cloud.tencent.com/route-eni-max-attach")
    ):
        fields.from_annotations({"tke.cloud.tencent.com/route-eni-max-attach": text}, "Node n1")


def test_an_annotation_of_the_object_stands_for_its_field_and_must_not_contradict_it():
    noted = {"tke.cloud.tencent.com/route-eni-max-attach": "2"}
    assert node_eni_config.read(nec("a", noted)).values == {"maxRouteENI": 2}
    assert node_eni_config.read(nec("a", noted, maxRouteENI=2)).values == {"maxRouteENI": 2}
    with pytest.raises(InvalidInputError, match=r"spec\.maxRouteENI is 3, and 2 by its annotation"):
        node_eni_config.read(nec("a", noted, maxRouteENI=3))
    with pytest.raises(InvalidInputError, match=r"spec\.maxRouteENI is 1, and 2 by its annotation"):
        node_eni_config.read(nec("a", noted, maxRouteENI=1))
