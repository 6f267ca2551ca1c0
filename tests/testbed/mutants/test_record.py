"""Lines of a file are followed to where they were when it was measured."""

import pytest

from testbed.mutants.record import origins_of_lines

BEFORE = "a\nb\nc\nd\n"


@pytest.mark.parametrize(
    ("after", "origins"),
    [
        (BEFORE, [[1], [2], [3], [4]]),
        ("x\na\nb\nc\nd\n", [[1], [1], [2], [3], [4]]),
        ("a\nb\nx\ny\nc\nd\n", [[1], [2], [2, 3], [2, 3], [3], [4]]),
        ("a\nB\nC\nd\n", [[1], [2, 3], [2, 3], [4]]),
        ("a\nd\n", [[1], [4]]),
        ("a\nb\nc\nd\ne\n", [[1], [2], [3], [4], [4]]),
    ],
    ids=["as it was", "new at the top", "new inside", "changed", "taken out", "new at the end"],
)
def test_a_line_comes_from_its_place_or_from_what_stood_around_it(after, origins):
    found = origins_of_lines(BEFORE, after)

    assert [list(found[number]) for number in sorted(found)] == origins


def test_a_file_that_was_empty_has_no_lines_to_come_from():
    assert [list(lines) for lines in origins_of_lines("", "a\n").values()] == [[]]
