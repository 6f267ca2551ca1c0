"""A message is one line that people can act on, however long it was and however often it was wrapped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.text.telling import flat, one_line


def test_a_request_id_is_told_once():
    text = "A failed: no (RequestId 61fb-97) [RequestId: 61fb-97]; see RequestId 61fb-97, then RequestId 5e1f"

    assert one_line(text, 1024) == "A failed: no (RequestId 61fb-97); see, then RequestId 5e1f"


def test_a_request_id_that_is_told_elsewhere_is_left_out():
    text = "[request id:7f1c-2]you are not authorized to perform operation (vpc:A)\nresource (*)"

    assert flat(text, without="7f1c-2") == "you are not authorized to perform operation (vpc:A) resource (*)"


def test_of_a_long_message_beginning_and_end_are_kept():
    text = "ADD of Pod a/b: " + "x" * 3000 + "; grant the policy to the role"

    told = one_line(text, 1024)

    assert told.startswith("ADD of Pod a/b: x")
    assert told.endswith("; grant the policy to the role")


@pytest.mark.parametrize("text", ["", "short", "two\nlines\tand  gaps "])
def test_a_short_message_is_all_there(text):
    assert one_line(text, 100).split() == text.split()


@given(st.text(max_size=400), st.integers(20, 300))
def test_it_is_one_line_within_the_limit(text, limit):
    told = one_line(text, limit)

    assert len(told.encode()) <= limit
    assert len(told.splitlines()) <= 1
