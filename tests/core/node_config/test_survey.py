"""What all NodeENIConfigs make of a node: precedence, contradictions, and what is wrong with some of them."""

import itertools

import pytest

from ipamd.core.node_config import note, state, status, survey
from tests.core.node_config.build import group, nec, node

GPU = {"gpu": "yes"}


def values(objects, **changes):
    found = survey.verdict(survey.survey(objects), node(**changes))
    return {name: (e.value, e.source) for name, e in note.read(found.note).items()}


def refusals(objects, **changes):
    found = survey.verdict(survey.survey(objects), node(**changes))
    assert found.note is None
    return {name: refusal.message for name, refusal in found.refused.items()}


def test_without_objects_nothing_is_written():
    assert survey.is_due(survey.survey([]), node()) is None


def test_a_node_that_no_object_concerns_is_told_so():
    assert values([group("gpus", labels=GPU, minWarmTarget=1)]) == {}


def test_what_is_gone_is_taken_back():
    followed = note.write(note.read('{"minWarmTarget":[1,"NodeENIConfig gpus"]}'))
    assert survey.is_due(survey.survey([]), node(eni_config=followed)) == "{}"


def test_the_object_named_as_the_node_is_over_the_groups_field_by_field():
    objects = [group("all", minWarmTarget=1, maxRouteENI=2), nec("n1", minWarmTarget=3)]
    assert values(objects) == {
        "minWarmTarget": (3, "NodeENIConfig n1"),
        "maxRouteENI": (2, "NodeENIConfig all"),
    }


def test_an_object_named_as_another_node_concerns_nobody_else():
    assert values([nec("n2", minWarmTarget=3)]) == {}


def test_a_group_named_as_a_node_is_a_group():
    assert values([group("n1", labels=GPU, minWarmTarget=3)]) == {}


@pytest.mark.parametrize("reverse", [False, True])
def test_the_group_of_higher_priority_wins(reverse):
    objects = [group("a", priority=5, minWarmTarget=1), group("b", priority=4, minWarmTarget=2)]
    assert values(sorted(objects, key=str, reverse=reverse))["minWarmTarget"] == (1, "NodeENIConfig a")


def test_another_way_to_name_subnets_replaces_the_lower_one():
    objects = [group("all", subnets=["subnet-1"]), nec("n1", subnetTags={"use": "pods"})]
    assert values(objects) == {"subnetTags": ({"use": "pods"}, "NodeENIConfig n1")}


def test_two_groups_of_one_priority_that_contradict_each_other_are_refused_by_name():
    objects = [group("a", minWarmTarget=1), group("b", minWarmTarget=2, labels=GPU)]
    message = (
        "NodeENIConfig a and NodeENIConfig b both match node n1 with priority 0, and minWarmTarget is 1 in "
        "one, minWarmTarget 2 in the other; give one a higher spec.priority"
    )
    assert refusals(objects, labels=GPU) == {"a": message, "b": message}
    assert values(objects)["minWarmTarget"] == (1, "NodeENIConfig a")


@pytest.mark.parametrize("reverse", [False, True])
def test_two_ways_to_name_subnets_contradict_each_other_whichever_comes_first(reverse):
    ways = [{"subnets": ["subnet-1"]}, {"subnetCIDR": "10.0.2.0/24"}, {"subnetTags": {"a": "b"}}]
    for one, other in itertools.combinations(reversed(ways) if reverse else ways, 2):
        assert set(refusals([group("a", **one), group("b", **other)])) == {"a", "b"}


def test_two_groups_that_name_subnets_in_two_ways_contradict_each_other():
    objects = [group("a", subnets=["subnet-1"]), group("b", subnetCIDR="10.0.2.0/24")]
    assert set(refusals(objects)) == {"a", "b"}


def test_two_groups_that_say_the_same_or_other_things_go_together():
    objects = [group("a", minWarmTarget=1, maxRouteENI=1), group("b", minWarmTarget=1, maxIPPerENI=5)]
    assert set(values(objects)) == {"minWarmTarget", "maxRouteENI", "maxIPPerENI"}


def test_what_only_several_together_get_wrong_is_refused_with_all_of_them():
    objects = [group("all", maxWarmTarget=2), nec("n1", minWarmTarget=3)]
    found = refusals(objects)
    assert set(found) == {"all", "n1"}
    assert "maxWarmTarget is 2 and minWarmTarget 3 (NodeENIConfig all over NodeENIConfig n1)" in found["n1"]


def test_an_object_that_became_unreadable_leaves_its_nodes_as_they_are_and_no_others():
    before = values_text([group("gpus", labels=GPU, minWarmTarget=1)], labels=GPU)
    seen = survey.survey([group("gpus", labels=GPU, minWarmTarget=-1), group("all", maxRouteENI=2)])

    assert "NodeENIConfig gpus: minWarmTarget is -1" in seen.unreadable["gpus"].message
    assert survey.is_due(seen, node(labels=GPU, eni_config=before)) is None
    assert note.read(survey.is_due(seen, node("n2"))).keys() == {"maxRouteENI"}


def test_an_unreadable_object_of_a_node_leaves_it_as_it_is():
    seen = survey.survey([nec("n1", minWarmTarget="5"), group("all", maxRouteENI=2)])
    assert survey.is_due(seen, node("n1")) is None


def values_text(objects, **changes):
    return survey.verdict(survey.survey(objects), node(**changes)).note


@pytest.mark.parametrize(
    ("expression", "labels", "matches"),
    [
        ({"key": "a", "operator": "In", "values": ["x", "y"]}, {"a": "y"}, True),
        ({"key": "a", "operator": "In", "values": ["x"]}, {}, False),
        ({"key": "a", "operator": "NotIn", "values": ["x"]}, {"a": "x"}, False),
        ({"key": "a", "operator": "NotIn", "values": ["x"]}, {}, True),
        ({"key": "a", "operator": "Exists"}, {"a": ""}, True),
        ({"key": "a", "operator": "Exists"}, {}, False),
        ({"key": "a", "operator": "DoesNotExist"}, {"a": "x"}, False),
        ({"key": "a", "operator": "DoesNotExist"}, {}, True),
    ],
)
def test_selectors_mean_what_kubernetes_says(expression, labels, matches):
    objects = [nec("g", nodeSelector={"matchExpressions": [expression]}, minWarmTarget=1)]
    assert bool(values(objects, labels=labels)) is matches


STATE = (
    '{"enis":2,"addresses":9,"limit":18,"refused":"",'
    '"values":{"minWarmTarget":[3,"NodeENIConfig n1"],"securityGroups":[["sg-1","sg-2"],"flag"]}}'
)


def test_the_status_says_what_the_node_has_and_is_then_left_alone():
    obj = nec("n1", minWarmTarget=3)
    patch = status.wanted(obj, refusal=None, nodes=1, own=state.as_status(STATE), now=0.0)

    assert patch is not None
    written = patch["status"]
    assert written["node"] == {
        "enis": 2,
        "addresses": 9,
        "limit": 18,
        "refused": "",
        "values": [
            {"field": "minWarmTarget", "value": "3", "source": "NodeENIConfig n1"},
            {"field": "securityGroups", "value": "sg-1,sg-2", "source": "flag"},
        ],
    }
    assert written["conditions"][0]["status"] == "True"
    again = {**obj, "status": written}
    assert status.wanted(again, refusal=None, nodes=1, own=state.as_status(STATE), now=9.0) is None


def test_a_refusal_stands_in_the_status_with_its_own_time():
    obj = nec("n1") | {"status": {"nodes": 0, "conditions": [ACCEPTED]}}
    refusal = survey.ConfigRefusal(reason="Invalid", message="wrong")

    patch = status.wanted(obj, refusal=refusal, nodes=0, own={}, now=60.0)

    assert patch is not None
    [condition] = patch["status"]["conditions"]
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", "Invalid", "wrong")
    assert condition["lastTransitionTime"] == "1970-01-01T00:01:00Z"


ACCEPTED = {"type": "Accepted", "status": "True", "lastTransitionTime": "1970-01-01T00:00:00Z"}


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"values": 5}', '{"values": {"a": 1}}'])
def test_a_state_that_no_agent_wrote_makes_no_status_of_values(text):
    assert not state.as_status(text).get("values")


def test_numbers_are_told_seldom_and_all_else_soon():
    more = STATE.replace('"addresses":9', '"addresses":10')
    other = STATE.replace('"minWarmTarget":[3', '"minWarmTarget":[4')
    assert not state.is_due(STATE, STATE, since_write=1e9)
    assert not state.is_due(STATE, more, since_write=state.COUNTS_SPACING - 1)
    assert state.is_due(STATE, more, since_write=state.COUNTS_SPACING)
    assert not state.is_due(STATE, other, since_write=state.SPACING - 1)
    assert state.is_due(STATE, other, since_write=state.SPACING)
