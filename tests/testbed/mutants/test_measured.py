"""Which tests `make mutants` lets a mutant meet."""

import shutil
from pathlib import Path

import pytest
from coverage import CoverageData

from testbed.mutants.collected import collected_tests
from testbed.mutants.measured import (
    is_in_function,
    is_own,
    named_tests,
    seconds_by_test,
    shared_rooms,
    statement_lines,
)
from testbed.mutants.record import NotMeasuredError
from tests.testbed.mutants.project import A_TEST, measured


@pytest.mark.parametrize(
    ("line", "statement"),
    [(1, [1]), (3, [3, 4]), (4, [3, 4]), (5, [5]), (6, [6, 7, 8]), (8, [6, 7, 8]), (9, [9]), (2, [2])],
)
def test_a_line_belongs_to_its_innermost_statement(line, statement):
    source = "import os\n\nif (os and\n        os):\n    a = 1\n    b = [\n        2,\n    ]\n    c = 3\n"

    assert list(statement_lines(source, line)) == statement


def test_a_mutant_meets_the_tests_that_ran_its_line_those_of_its_own_file_first(project):
    assert measured(project).tests_of(Path("ipamd/core/limit.py"), 5) == [
        "tests/core/test_limit.py",
        "tests/agent/test_slow.py",
    ]


def test_quick_tests_come_before_slow_ones_and_near_ones_before_those_of_other_rooms(project):
    (project / "ipamd/core/limit.py").rename(project / "ipamd/core/bound.py")
    (project / "build/coverage/ipamd/core/limit.py").rename(project / "build/coverage/ipamd/core/bound.py")
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


@pytest.mark.parametrize("missing", ["tests.xml", "data", "ipamd"])
def test_a_record_that_is_not_whole_is_refused_with_what_to_do(project, missing):
    (project / "build/coverage" / missing).rename(project / "elsewhere")

    with pytest.raises(NotMeasuredError, match=rf"coverage/{missing} is missing: run `make coverage`"):
        measured(project)


def test_a_line_that_has_moved_since_meets_the_tests_that_ran_it_where_it_was(project):
    limit = Path("ipamd/core/limit.py")
    tests = measured(project).tests_of(limit, 5)
    limit.write_text("import os\n\n" + limit.read_text())

    assert measured(project).tests_of(limit, 7) == tests


def test_a_record_that_was_made_in_another_checkout_will_do(project):
    tests = measured(project).tests_of(Path("ipamd/core/limit.py"), 5)
    shutil.move(project / "build/coverage/data", project / "data")
    there = CoverageData(str(project / "data"))
    there.read()
    elsewhere = CoverageData(str(project / "build/coverage/data"))
    for name in there.measured_files():
        for line, contexts in there.contexts_by_lineno(name).items():
            for context in contexts:
                elsewhere.set_context(context)
                elsewhere.add_lines({name.replace(str(project), "/home/somebody/ipamd/tke-eni"): [line]})
    elsewhere.write()

    assert measured(project).tests_of(Path("ipamd/core/limit.py"), 5) == tests


def test_a_file_that_is_newer_than_the_record_meets_the_tests_of_its_folder(project):
    new = Path("ipamd/core/new.py")
    new.write_text("def a():\n    return 1\n")

    assert set(measured(project).tests_of(new, 2)) == {"tests/core/test_limit.py", "tests/core/test_loop.py"}


def test_the_file_s_own_tests_are_met_before_any_record_knows_them(project):
    tests = project / "tests/core/test_loop.py"
    report = project / "build/coverage/tests.xml"
    known = '<testcase classname="tests.core.test_loop" name="test_down" time="2"/>'
    report.write_text(report.read_text().replace("</testsuite>", known + "</testsuite>"))
    data = CoverageData(str(project / "build/coverage/data"))
    data.read()
    data.set_context("tests/core/test_limit.py")
    data.add_lines({str(project / "ipamd/core/limit.py"): [5]})
    data.write()
    own = project / "tests/core/test_limit.py"
    own.rename(project / "tests/core/test_bound.py")
    tests.write_text(tests.read_text() + "\n\ndef test_zero():\n    assert down(0) == 0\n")
    own.write_text(A_TEST)

    of_limit = measured(project).tests_of(Path("ipamd/core/limit.py"), 5)
    of_loop = measured(project).tests_of(Path("ipamd/core/loop.py"), 3)

    assert of_limit[0] == "tests/core/test_limit.py"
    assert of_loop == ["tests/core/test_loop.py"], "the whole file is met, with what is new in it"


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
    more = project / "build/coverage/more/1"
    shutil.copytree(project / "ipamd", more / "ipamd")
    (more / "tests.xml").write_text(
        '<s><testcase classname="tests.core.test_new" name="test_a" time="9"/></s>'
    )
    data = CoverageData(str(more / "data"))
    data.set_context("tests/core/test_new.py::test_a")
    data.add_lines({str(project / "ipamd/core/limit.py"): [5]})
    data.write()

    assert "tests/core/test_new.py::test_a" in measured(project).tests_of(Path("ipamd/core/limit.py"), 5)
    assert measured(project).seconds("tests/core/test_new.py::test_a") == 9.0


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
