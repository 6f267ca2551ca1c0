"""What is in force on a node: flags below NodeENIConfigs below annotations of the Node."""

import re

import pytest

from ipamd.core import model
from ipamd.core.errors import InvalidInputError
from ipamd.core.node_config import fields, layers, note
from ipamd.core.node_config.in_force import Places, from_node, in_force

FLAGS = layers.layer({"minWarmTarget": 5, "maxWarmTarget": 5, "subnets": ["subnet-1"]}, "flags")
LIMITS = model.EniLimits(enis=4, ips_per_eni=10)
TKE = fields.TKE


def made(configs=None, annotations=None):
    return in_force(FLAGS, layers.layer(configs or {}, "NodeENIConfig a"), from_node(annotations or {}))


def test_flags_alone():
    found = made()
    assert (found.min_warm, found.max_warm, found.desired) == (5, 5, 0)
    assert found.places == Places(subnets=("subnet-1",))
    assert found.within(LIMITS) == LIMITS
    assert found.sync_security_groups
    assert not found.disabled


def test_a_node_eni_config_is_over_flags_and_an_annotation_of_the_node_over_it():
    annotations = {TKE + "route-eni-ip-max-warm-target": "9"}
    found = made({"minWarmTarget": 1, "maxWarmTarget": 7}, annotations)
    assert (found.min_warm, found.max_warm) == (1, 9)
    assert found.source("minWarmTarget") == "NodeENIConfig a"
    assert found.source("maxWarmTarget") == f"annotation {TKE}route-eni-ip-max-warm-target"
    assert found.source("subnets") == "flags"
    assert found.source("disabled") == ""


def test_targets_that_contradict_each_other_are_refused_with_who_set_them():
    words = "maxWarmTarget is 3 by NodeENIConfig a, and minWarmTarget 5 by flags"
    with pytest.raises(InvalidInputError, match=words):
        made({"maxWarmTarget": 3})


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ({"maxRouteENI": 2}, model.EniLimits(enis=3, ips_per_eni=10)),
        ({"maxRouteENI": 1}, model.EniLimits(enis=2, ips_per_eni=10)),
        ({"maxRouteENI": 9}, LIMITS),
        ({"maxIPPerENI": 5}, model.EniLimits(enis=4, ips_per_eni=6)),
        ({"maxRouteENI": 0}, model.EniLimits(enis=1, ips_per_eni=10)),
        ({"maxIPPerENI": 4}, model.EniLimits(enis=4, ips_per_eni=5)),
        ({"maxIPPerENI": 200}, LIMITS),
        ({"disabled": True}, model.EniLimits(enis=1, ips_per_eni=10)),
    ],
)
def test_limits_are_only_ever_lowered(values, limits):
    assert made(values).within(LIMITS) == limits


def test_subnets_by_tags_replace_those_of_the_flags():
    found = made({"subnetTags": {"use": "pods"}})
    assert found.places == Places(tags={"use": "pods"})
    assert found.places.is_search
    assert str(found.places) == "subnets with tags use=pods"


def test_where_enis_go_is_said_in_words():
    assert str(Places(tags={"b": "2", "a": "1"}, cidr="10.0.0.0/24")) == "subnets with tags a=1, b=2"
    assert str(Places(cidr="10.0.0.0/24", subnets=("subnet-1",))) == "the subnet 10.0.0.0/24"
    assert str(Places(subnets=("subnet-1", "subnet-2"))) == "subnet-1, subnet-2"
    assert [Places(tags={"a": "1"}).is_search, Places(cidr="10.0.0.0/24").is_search] == [True, True]
    assert not Places(subnets=("subnet-1",)).is_search


def test_what_nobody_has_set_is_zero_or_not_there():
    found = in_force()
    assert (found.min_warm, found.max_warm, found.desired) == (0, 0, 0)
    assert (found.min_warm_enis, found.max_warm_enis) == (0, 0)
    assert (found.most_enis, found.most_ips, found.security_groups) == (None, None, ())
    assert found.places == Places()
    assert found.places.source == ""


def test_who_has_named_the_places_is_known():
    assert made().places.source == "flags"
    assert made({"subnetCIDR": "10.0.0.0/24"}).places.source == "NodeENIConfig a"


def test_a_note_has_one_text_whatever_the_order_of_what_it_says():
    one = layers.layer({"subnetTags": {"a": "x", "b": "y"}, "disabled": True}, "flags")
    other = layers.layer({"disabled": True, "subnetTags": {"b": "y", "a": "x"}}, "flags")
    assert note.write(one) == note.write(other)


def test_sources_of_a_note_are_who_is_named_in_it_and_nobody_in_what_is_none():
    assert note.sources('{"minWarmTarget": [1, "x"], "maxWarmTarget": [1, "y"]}') == {"x", "y"}
    assert note.sources("no note") == frozenset()


def test_what_the_controller_notes_is_read_as_it_was_meant():
    layer = layers.layer({"minWarmTarget": 1, "subnetTags": {"a": "b"}, "disabled": False}, "NodeENIConfig a")
    assert note.read(note.write(layer)) == layer


@pytest.mark.parametrize("text", ["", "x", "[]", '{"minWarmTarget": 5}', '{"minWarmTarget": [-1, "x"]}'])
def test_what_somebody_else_has_noted_is_refused(text):
    with pytest.raises(InvalidInputError, match=f"annotation {re.escape(note.CONFIG)}"):
        note.read(text)


def test_fields_of_a_later_release_are_left_out():
    assert note.read('{"later": [1, "x"], "minWarmTarget": [1, "x"]}').keys() == {"minWarmTarget"}
