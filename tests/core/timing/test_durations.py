import pytest

from ipamd.core import errors
from ipamd.core.timing import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1.5h", 5400), ("0", 0), ("0s", 0)],
)
def test_go_notation_is_understood(text, seconds):
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m5", "5 m", "-5m", "5m!", "1d", "1h 30m", "٣s", "9" * 30 + "s"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(errors.InvalidInputError, match="1h30m"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (120, "2m"), (5400, "1h30m"), (3661, "1h1m1s")]
)
def test_text_is_the_shortest(seconds, text):
    assert durations.text_of(seconds) == text
    assert durations.parse(text) == seconds
