"""How failures look to a runtime: details only where there are some, and strangers' values cut short."""

import json

import pytest

from ipamd.core.cni.errors import CniError, Code, shown


def test_an_error_without_advice_has_no_details():
    assert json.loads(CniError(Code.INTERNAL, "x").encoded()) == {
        "cniVersion": "1.1.0",
        "code": 999,
        "msg": "x",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", r"'a\nb'"),
        ("ü", r"'\xfc'"),
        (78 * "x", "'" + 78 * "x" + "'"),
        (79 * "x", "'" + 76 * "x" + "..."),
        (None, "None"),
    ],
)
def test_a_strangers_value_is_quoted_escaped_and_at_most_80_characters(value, text):
    assert shown(value) == text
    assert len(text) <= 80
