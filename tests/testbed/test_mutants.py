"""What `make mutants` draws, which tests it lets a mutant meet, and what it calls alive."""

import json
import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from coverage import CoverageData

from testbed.mutants import __main__ as program
from testbed.mutants.collected import collected_tests
from testbed.mutants.measured import (
    Measured,
    NotMeasuredError,
    is_in_function,
    is_own,
    named_tests,
    seconds_by_test,
    shared_rooms,
    statement_lines,
)
from testbed.mutants.mutation import mutations, sample
from testbed.mutants.trial import Copy, Verdict, changed_line

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


A_TEST = "def test_a():\n    pass\n"


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


@pytest.mark.parametrize(
    ("line", "statement"),
    [(1, [1]), (3, [3, 4]), (4, [3, 4]), (5, [5]), (6, [6, 7, 8]), (8, [6, 7, 8]), (9, [9]), (2, [2])],
)
def test_a_line_belongs_to_its_innermost_statement(line, statement):
    source = "import os\n\nif (os and\n        os):\n    a = 1\n    b = [\n        2,\n    ]\n    c = 3\n"

    assert list(statement_lines(source, line)) == statement


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one module, and tests that notice some of what may be wrong with it; and its record."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "ipamd/core/limit.py": "LIMIT = 8\n\n\ndef fits(count):\n    return count <= LIMIT\n",
        "ipamd/core/loop.py": "def down(n):\n    while n > 0:\n        n = n - 1\n    return n\n",
        "tests/core/test_limit.py": "from ipamd.core.limit import fits\n\n\n"
        "def test_few_fit():\n    assert fits(1) and not fits(20)\n",
        "tests/core/test_loop.py": "from ipamd.core.loop import down\n\n\n"
        "def test_down():\n    assert down(3) == 0\n",
        "tests/agent/test_slow.py": "from ipamd.core.limit import fits\n\n\n"
        "def test_exactly():\n    assert fits(8)\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q"], check=True)
    record(tmp_path)
    return tmp_path


def record(root):
    directory = root / "build" / "coverage"
    directory.mkdir(parents=True)
    data = CoverageData(str(directory / "data"))
    limit, loop = str(root / "ipamd/core/limit.py"), str(root / "ipamd/core/loop.py")
    data.set_context("")
    data.add_lines({limit: [1, 4]})
    data.set_context("tests/core/test_limit.py")
    data.add_lines({limit: [5]})
    data.set_context("tests/agent/test_slow.py::test_exactly (setup)")
    data.add_lines({limit: [5]})
    data.set_context("tests/core/test_gone.py")
    data.add_lines({limit: [5]})
    data.set_context("tests/core/test_loop.py")
    data.add_lines({loop: [2, 3, 4]})
    data.write()
    (directory / "tests.xml").write_text(
        '<testsuites><testsuite><testcase classname="tests.core.test_limit" time="3.5"/>'
        '<testcase classname="tests.core.test_limit" time="1"/>'
        '<testcase classname="tests.agent.test_slow" time="0.5"/></testsuite></testsuites>'
    )


def measured(root):
    tests = (path.relative_to(root) for path in (root / "tests").rglob("test_*.py"))
    names = {f"{test}::{name}" for test in tests for name in re.findall(r"def (test_\w+)", test.read_text())}
    return Measured(root / "build/coverage", names)


def test_a_mutant_meets_the_tests_that_ran_its_line_those_of_its_own_file_first(project):
    assert measured(project).tests_of(Path("ipamd/core/limit.py"), 5) == [
        "tests/core/test_limit.py",
        "tests/agent/test_slow.py",
    ]


def test_quick_tests_come_before_slow_ones_and_near_ones_before_those_of_other_rooms(project):
    (project / "ipamd/core/limit.py").rename(project / "ipamd/core/bound.py")
    data = CoverageData(str(project / "build/coverage/data"))
    data.read()
    for test in ("tests/core/test_limit.py", "tests/agent/test_slow.py", "tests/kube/test_all.py"):
        data.set_context(test)
        data.add_lines({str(project / "ipamd/core/bound.py"): [5]})
    data.write()
    (project / "tests/kube").mkdir()
    (project / "tests/kube/test_all.py").write_text(A_TEST)
    seconds = {"tests.core.test_limit": 4, "tests.agent.test_slow": 2, "tests.kube.test_all": 0.5}
    (project / "build/coverage/tests.xml").write_text(
        "<s>" + "".join(f'<testcase classname="{n}" time="{t}"/>' for n, t in seconds.items()) + "</s>"
    )

    assert measured(project).tests_of(Path("ipamd/core/bound.py"), 5) == [
        "tests/kube/test_all.py",
        "tests/core/test_limit.py",
        "tests/agent/test_slow.py",
    ]


@pytest.mark.parametrize(
    ("test", "own"),
    [
        ("tests/agent/cni/test_add.py", True),
        ("tests/cni/test_add.py", False),
        ("tests/agent/cni/test_a.py", False),
    ],
)
def test_tests_of_a_file_mirror_it(test, own):
    assert is_own(Path("ipamd/agent/cni/add.py"), Path(test)) is own


@pytest.mark.parametrize(
    ("test", "shared"),
    [
        ("tests/agent/cni/test_add.py", 2),
        ("tests/agent/eips/test_eips.py", 1),
        ("tests/core/cni/test_result.py", 0),
        ("tests/test_endpoint.py", 0),
    ],
)
def test_tests_of_the_same_room_are_nearest(test, shared):
    assert shared_rooms(Path("ipamd/agent/cni/add.py"), Path(test)) == shared


def test_a_line_that_only_an_import_runs_is_met_by_all_tests_of_its_file_and_its_folder(project):
    tables = project / "tests/docs/test_tables.py"
    tables.parent.mkdir()
    tables.write_text(A_TEST)

    assert {"tests/core/test_limit.py", "tests/core/test_loop.py", "tests/docs/test_tables.py"} <= set(
        measured(project).tests_of(Path("ipamd/core/limit.py"), 1)
    )
    assert "tests/docs/test_tables.py" not in measured(project).tests_of(Path("ipamd/core/limit.py"), 5)


@pytest.mark.parametrize(
    ("line", "context"),
    [(1, "tests/agent/test_slow.py::test_exactly (call)"), (5, "")],
    ids=["", "in function"],
)
def test_who_imported_a_file_first_does_not_hide_the_others(project, line, context):
    """A daemon's imports have the context of its test; a function that an import calls has none besides."""
    data = CoverageData(str(project / "build/coverage/data"))
    data.read()
    data.set_context(context)
    data.add_lines({str(project / "ipamd/core/limit.py"): [line]})
    data.write()

    assert {"tests/core/test_limit.py", "tests/core/test_loop.py"} <= set(
        measured(project).tests_of(Path("ipamd/core/limit.py"), line)
    )


@pytest.mark.parametrize(("line", "inside"), [(1, False), (3, False), (4, False), (5, True), (6, True)])
def test_what_runs_at_import_is_told_from_what_is_called(line, inside):
    source = "A = 1\nclass B:\n    c: int = 2\n    def d(self):\n        if self:\n            return 1\n"

    assert is_in_function(source, line) is inside


def test_tests_are_met_as_far_as_the_time_goes_but_the_first_anyway(project):
    [mutation] = [m for m in mutations_of("limit") if m.operator.endswith("LtE_Lt")]

    assert len(program.chosen_tests(measured(project), mutation, 5.0)) == 2
    assert program.chosen_tests(measured(project), mutation, 4.6) == ["tests/core/test_limit.py"]
    assert program.chosen_tests(measured(project), mutation, 0.1) == ["tests/core/test_limit.py"]


def test_a_slow_test_that_does_not_fit_leaves_its_time_to_others(project):
    (project / "tests/core/test_bound.py").write_text(A_TEST)
    data = CoverageData(str(project / "build/coverage/data"))
    data.read()
    data.set_context("tests/core/test_bound.py")
    data.add_lines({str(project / "ipamd/core/limit.py"): [5]})
    data.write()
    [mutation] = [m for m in mutations_of("limit") if m.operator.endswith("LtE_Lt")]

    assert program.chosen_tests(measured(project), mutation, 4.6) == [
        "tests/core/test_limit.py",
        "tests/core/test_bound.py",
    ]


def test_a_record_that_is_missing_or_older_than_the_file_is_refused_with_what_to_do(project):
    with pytest.raises(NotMeasuredError, match="run `make coverage`"):
        Measured(project / "nothing", [])
    os.utime("ipamd/core/limit.py", (2e9, 2e9))
    with pytest.raises(NotMeasuredError, match=r"limit\.py.*run `make coverage`"):
        measured(project).tests_of(Path("ipamd/core/limit.py"), 5)


def test_a_test_that_has_another_name_by_now_kills_no_mutant(project):
    tests = project / "tests/core/test_limit.py"
    data = CoverageData(str(project / "build/coverage/data"))
    data.read()
    data.set_context("tests/core/test_loop.py::test_down")
    data.add_lines({str(project / "ipamd/core/loop.py"): [3]})
    data.set_context("tests/core/test_limit.py::test_old_name")
    data.add_lines({str(project / "ipamd/core/loop.py"): [3]})
    data.write()

    assert tests.exists()
    assert measured(project).tests_of(Path("ipamd/core/loop.py"), 3) == ["tests/core/test_loop.py"]


def test_tests_have_the_names_that_pytest_gives_them(project):
    assert collected_tests() == {
        "tests/core/test_limit.py::test_few_fit",
        "tests/core/test_loop.py::test_down",
        "tests/agent/test_slow.py::test_exactly",
    }


def test_tests_that_were_recorded_later_are_met_too(project):
    (project / "tests/core/test_new.py").write_text(A_TEST)
    more = project / "build/coverage/more"
    more.mkdir()
    data = CoverageData(str(more / "data"))
    data.set_context("tests/core/test_new.py::test_a")
    data.add_lines({str(project / "ipamd/core/limit.py"): [5]})
    data.write()

    assert "tests/core/test_new.py::test_a" in measured(project).tests_of(Path("ipamd/core/limit.py"), 5)


def test_the_seconds_of_a_file_are_the_sum_of_its_tests():
    report = """<s>
        <testcase classname="tests.core.test_limit" name="test_a[1]" time="3.5"/>
        <testcase classname="tests.core.test_limit" name="test_b" time="1"/>
        <testcase classname="tests.agent.test_slow.TestAll" name="test_c" time="0.5"/>
    </s>"""

    assert seconds_by_test(report) == {
        "tests/core/test_limit.py": 4.5,
        "tests/core/test_limit.py::test_a[1]": 3.5,
        "tests/core/test_limit.py::test_b": 1.0,
        "tests/agent/test_slow.py": 0.5,
        "tests/agent/test_slow.py::TestAll::test_c": 0.5,
    }


@pytest.mark.parametrize(
    ("contexts", "tests"),
    [
        (["", "a.py"], {"a.py"}),
        (["a.py::test_1", "a.py::test_2"], {"a.py::test_1", "a.py::test_2"}),
        (["a.py", "a.py::test_1"], {"a.py"}),
        # A process of one test alone may serve the others of its file, several are each test's own.
        (["a.py::test_1 (setup)"], {"a.py"}),
        (["a.py::test_1 (setup)", "a.py::test_1 (call)", "a.py::test_2"], {"a.py"}),
        (["a.py::test_1 (setup)", "a.py::test_2 (call)"], {"a.py::test_1", "a.py::test_2"}),
        (["a.py::test_1[x (y)] (call)", "a.py::test_2 (call)"], {"a.py::test_1[x (y)]", "a.py::test_2"}),
    ],
)
def test_tests_are_taken_one_by_one_where_it_is_known_which_ran_the_line(contexts, tests):
    assert named_tests(contexts) == tests


def mutations_of(name):
    path = Path(f"ipamd/core/{name}.py")
    return mutations(path, path.read_text())


def attempt(project, name, operator, tests, seconds=60.0):
    [mutation] = [m for m in mutations_of(name) if m.operator.endswith(operator)][:1]
    return Copy(project / "copy").attempt(mutation, tests, seconds=seconds).verdict


def test_a_mutant_is_killed_by_a_test_that_fails_and_lives_when_all_pass(project):
    weak, exact = "tests/core/test_limit.py", "tests/agent/test_slow.py"

    assert attempt(project, "limit", "LtE_Lt", [weak]) is Verdict.LIVES
    assert attempt(project, "limit", "LtE_Lt", [weak, exact]) is Verdict.KILLED
    assert attempt(project, "limit", "LtE_Gt", [weak]) is Verdict.KILLED


def test_a_mutant_without_tests_lives(project):
    assert attempt(project, "limit", "LtE_Lt", []) is Verdict.UNTESTED
    assert Verdict.UNTESTED.lives


def test_a_mutant_that_never_ends_is_killed_by_time(project):
    assert attempt(project, "loop", "Sub_Mul", ["tests/core/test_loop.py"], seconds=5.0) is Verdict.TIMEOUT


def test_the_project_itself_is_never_changed(project):
    before = Path("ipamd/core/limit.py").read_text()

    attempt(project, "limit", "LtE_Gt", ["tests/core/test_limit.py"])

    assert Path("ipamd/core/limit.py").read_text() == before
    assert (project / "copy" / "ipamd/core/limit.py").read_text() == before


def test_the_program_fails_when_one_in_twenty_or_more_lives_and_writes_which(project, capsys):
    status = program.main(["--packages", "ipamd/core", "--count", "3", "--jobs", "1", "--seconds", "4.6"])

    told = json.loads(Path("build/mutants.json").read_text())
    alive = [trial for trial in told if trial["verdict"].startswith("lives")]
    assert len(told) == 3
    assert status == (1 if alive else 0)
    assert f"{len(alive)} of 3 live" in capsys.readouterr().out
