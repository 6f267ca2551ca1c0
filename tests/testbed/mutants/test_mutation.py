"""What `make mutants` draws, and what it leaves alone."""

from collections import Counter
from pathlib import Path

import pytest

from testbed.mutants.mutation import mutations, sample, usable
from testbed.mutants.trial import changed_line

SOURCE = """\
from dataclasses import dataclass

LIMIT = 8
PATIENCE = 2.5


@dataclass(frozen=True)
class Box:
    size: int | None = 3
    open: bool = False


def fits(box: Box | None, count: int) -> bool | None:
    return count <= LIMIT and box is not None
"""


def found(source, line):
    return sorted(m.operator.rpartition("/")[2] for m in mutations(Path("a.py"), source) if m.line == line)


def lines(source):
    return {m.line for m in mutations(Path("a.py"), source)}


def test_numbers_truths_and_operators_are_changed():
    assert found(SOURCE, 9) == ["NumberReplacer", "NumberReplacer"]
    assert found(SOURCE, 10) == ["ReplaceFalseWithTrue"]
    assert {
        "ReplaceComparisonOperator_LtE_Lt",
        "ReplaceAndWithOr",
        "ReplaceComparisonOperator_IsNot_Is",
    } <= set(found(SOURCE, 14))


def test_what_no_test_should_notice_is_left_alone():
    assert lines(SOURCE) == {9, 10, 14}, "sizes, a fraction of a second, a decorator, an annotation"
    assert not [name for name in found("ok = a == b\n", 1) if name.endswith("Eq_Is")]
    assert found("def f(*, a): pass\n", 1) == []


def test_a_mutation_changes_its_own_place_only():
    [less] = [m for m in mutations(Path("a.py"), SOURCE) if m.operator.endswith("LtE_Lt")]

    before, after = SOURCE.splitlines(), less.applied(SOURCE).splitlines()

    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        ("    return count <= LIMIT and box is not None", "    return count < LIMIT and box is not None")
    ]
    assert changed_line(SOURCE, less.applied(SOURCE)).endswith("=>  return count < LIMIT and box is not None")
    assert str(less) == "a.py:14:18 ReplaceComparisonOperator_LtE_Lt"


def test_a_text_without_the_place_is_refused():
    [less] = [m for m in mutations(Path("a.py"), SOURCE) if m.operator.endswith("LtE_Lt")]

    with pytest.raises(ValueError, match=r"a\.py:14:18"):
        less.applied("ok = True\n")


def test_names_are_not_compared_by_the_alphabet_and_what_sorts_alike_is_no_mutant():
    assert {name.rpartition("_")[2] for name in found("is_ready = status == 'True'\n", 1)} == {
        "IsNot",
        "NotEq",
    }
    assert "ReplaceComparisonOperator_Eq_Lt" in found("is_last = number == count\n", 1)
    assert "ReplaceUnaryOperator_USub_Invert" not in found("key = -len(pods)\n", 1)
    assert "ReplaceUnaryOperator_USub_Invert" in found("last = -1\n", 1)


@pytest.mark.parametrize(
    "line", ["Answer = Yes | model.No | None", "isinstance(x, int | str)", "Rows = Mapping[str, int] | None"]
)
def test_types_are_not_changed(line):
    assert found(line, 1) == []


@pytest.mark.parametrize(
    "source",
    [
        "log.info('%d ms', seconds * 1000 + 1)",
        "if late or not known:\n    log.warning('late')\n",
        "for name in names:\n    log.info('%s', name)\n",
        "if a == b:\n    log.info('a')\nelse:\n    log.info('b')\n",
    ],
)
def test_what_is_only_logged_is_not_changed(source):
    assert lines(source) == set()


@pytest.mark.parametrize(
    "source",
    [
        "if late:\n    log.warning('late')\n    stop()\n",
        "if late:\n    log.warning('late')\nelse:\n    stop()\n",
        "for name in names:\n    take(name)\n",
    ],
)
def test_what_decides_more_than_a_line_of_the_log_is_changed(source):
    assert lines(source) == {1}


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("_THREADS = 40", False),
        ("_A, _B = 0x4, 0x8", False),
        ("_THREADS: Final = 40", False),
        ("_PACE: Final = Pace(burst=40, rest=Backoff(most=9))", False),
        ("_PACE = timing.Pace(burst=40)", False),
        ("_PACE = Pace(burst=1)", True),
        ("_PACE = Pace(40)", True),
        ("_PACE = paces[40]", True),
        ("class A:\n    pace = Pace(burst=40)\n", True),
        ("_FIRST = 0", True),
        ("_TRIES = 2", True),
        ("_DAY = 24 * hours", True),
        ("def f(count):\n    return count > 40\n", True),
        ("class A:\n    threads = 40\n", True),
    ],
)
def test_a_size_that_a_module_names_is_not_changed_by_one(source, changed):
    found_there = [m for m in mutations(Path("a.py"), source) if m.operator.endswith("NumberReplacer")]

    assert bool(found_there) is changed


@pytest.mark.parametrize(
    ("call", "changed"),
    [("zip(a, b, strict=True)", False), ("path.resolve(strict=True)", True), ("zip(a, b, c=True)", True)],
)
def test_that_two_lengths_are_equal_is_not_changed(call, changed):
    assert (found(f"def f(a, b, path):\n    return {call}\n", 2) == ["ReplaceTrueWithFalse"]) is changed


def test_what_only_the_type_checker_reads_is_not_changed():
    assert lines("if TYPE_CHECKING:\n    from a import B\nif here:\n    from a import C\n") == {3}


def test_how_much_of_a_text_a_message_shows_is_not_changed_by_one():
    assert found("told = f'{name[:80]!r} is no name'\n", 1) == []
    assert found("told = f'{name[:1]} is no name'\n", 1) == ["NumberReplacer", "NumberReplacer"]
    assert found("told = name[:80]\n", 1) == ["NumberReplacer", "NumberReplacer"]


def test_a_union_of_sets_is_changed():
    assert found("KNOWN = _OURS | THEIRS", 1) != []


def test_what_python_does_not_compile_is_no_mutant(tmp_path):
    file = tmp_path / "unpacked.py"
    file.write_text("both = {**one, **other, 'three': 3}\n")

    assert {m.operator.rpartition("/")[2] for m in sample([file], 99, seed=1)} == {"NumberReplacer"}


def test_an_exception_of_a_module_among_others_ends_no_sample(tmp_path):
    """cosmic-ray fails at it."""
    file = tmp_path / "caught.py"
    file.write_text("try:\n    a = 3\nexcept (errors.KubeError, OSError):\n    pass\n")

    drawn = sample([file], 99, seed=1)

    assert {m.operator.rpartition("/")[2] for m in drawn} == {"NumberReplacer", "ExceptionReplacer"}


@pytest.fixture
def files(tmp_path):
    long, short = tmp_path / "long.py", tmp_path / "short.py"
    long.write_text("".join(f"a{n} = [{n}]\n" for n in range(300)))
    short.write_text("".join(f"b{n} = [{n}]\n" for n in range(30)))
    return [long, short]


def test_a_seed_draws_the_same_mutants_again_and_another_seed_others(files):
    assert sample(files, 20, seed=1) == sample(files, 20, seed=1)
    assert sample(files, 20, seed=1) != sample(files, 20, seed=2)


def test_no_place_is_drawn_twice_and_the_sample_ends_with_the_places(files):
    drawn = sample(files, 1000, seed=3)

    assert len(drawn) == 330
    assert len({(m.path, m.line, m.column) for m in drawn}) == 330


def test_longer_files_are_drawn_more_often(files):
    drawn = Counter(m.path.name for m in sample(files, 110, seed=4))

    assert drawn["long.py"] > 5 * drawn["short.py"]


def test_usable_are_those_that_can_be_made_and_compiled():
    source = "try:\n    a = 2 > 1\nexcept (errors.KubeError, ValueError):\n    pass\n"
    listed = mutations(Path("a.py"), source)

    kept = usable(Path("a.py"), source)

    assert [m for m in listed if m not in kept] == [m for m in listed if m.line == 3][:1]
    assert {m.line for m in kept} == {2, 3}


def test_parts_of_a_size_that_somebody_chose_are_no_mutants():
    assert not any(name == "NumberReplacer" for name in found("MOST = 4 << 20\nLONGEST = 60 * 60 - 5\n", 1))
    assert not any(name == "NumberReplacer" for name in found("MOST = 4 << 20\nLONGEST = 60 * 60 - 5\n", 2))
    assert found("def f(n):\n    return n << 20\n", 2).count("NumberReplacer") == 2
