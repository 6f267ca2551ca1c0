"""The label by which agents find their claims, for names of any length."""

import re

import hypothesis.strategies as st
from hypothesis import given

from ipamd.core.kubernetes.node_labels import label_value

VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", fullmatch=True)


@given(NAMES)
def test_every_node_name_has_a_valid_value_and_what_fits_is_the_name(name):
    value = label_value(name)

    assert VALUE.fullmatch(value)
    assert (value == name) == (len(name) <= 63)


def test_two_long_names_that_begin_alike_are_two():
    names = [f"{'a' * 80}.{zone}.example.com" for zone in ("zone-1", "zone-2")]

    assert label_value(names[0]) != label_value(names[1])
    assert label_value(names[0])[:46] == "a" * 46
