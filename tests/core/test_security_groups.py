"""Security groups: step by step, never without one, never more than are allowed."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ipamd.core.security_groups import MOST, AssociateGroups, DisassociateGroups, next_step

GROUPS = [f"sg-{letter}" for letter in "abcdefghijkl"]


@pytest.mark.parametrize(
    ("has", "wanted", "step"),
    [
        ("a", "a", None),
        ("ab", "ba", None),
        ("a", "ab", AssociateGroups(groups=("b",))),
        ("ab", "a", DisassociateGroups(groups=("b",))),
        ("a", "b", AssociateGroups(groups=("b",))),
        ("ab", "b", DisassociateGroups(groups=("a",))),
        ("abcde", "fghij", DisassociateGroups(groups=("a", "b", "c", "d"))),
        ("abcde", "bcdef", DisassociateGroups(groups=("a",))),
        ("", "a", None),
        ("a", "", None),
    ],
)
def test_next_step(has, wanted, step):
    assert next_step(list(has), list(wanted)) == step


@given(
    st.lists(st.sampled_from(GROUPS), min_size=1, max_size=8, unique=True),
    st.lists(st.sampled_from(GROUPS), min_size=1, max_size=8, unique=True),
)
def test_every_way_ends_at_what_is_wanted_and_no_step_leaves_none_or_too_many(has, wanted):
    most = max(MOST, len(has), len(wanted))
    for _ in range(20):
        step = next_step(has, wanted)
        if step is None:
            break
        before = set(has)
        if isinstance(step, AssociateGroups):
            has = [*has, *step.groups]
        else:
            has = [group for group in has if group not in step.groups]
        assert has
        assert len(has) <= most
        assert set(has) != before
    assert set(has) == set(wanted)
