"""What `make mutants` calls alive, and which tests there is time for."""

import json
from pathlib import Path

import pytest
from coverage import CoverageData

from testbed.mutants import __main__ as program
from testbed.mutants.trial import Copy, Verdict, failed_test
from tests.testbed.mutants.project import A_TEST, measured, mutations_of


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


def attempt(project, name, operator, tests, seconds=60.0):
    [mutation] = [m for m in mutations_of(name) if m.operator.endswith(operator)][:1]
    return Copy(project / "copy").attempt(mutation, tests, seconds=seconds).verdict


def test_a_mutant_is_killed_by_a_test_that_fails_and_lives_when_all_pass(project):
    weak, exact = "tests/core/test_limit.py", "tests/agent/test_slow.py"

    assert attempt(project, "limit", "LtE_Lt", [weak]) is Verdict.LIVES
    assert attempt(project, "limit", "LtE_Lt", [weak, exact]) is Verdict.KILLED
    assert attempt(project, "limit", "LtE_Gt", [weak]) is Verdict.KILLED


def test_the_test_that_noticed_is_named(project):
    [mutation] = [m for m in mutations_of("limit") if m.operator.endswith("LtE_Lt")]
    tests = ["tests/core/test_limit.py", "tests/agent/test_slow.py"]

    trial = Copy(project / "copy").attempt(mutation, tests, seconds=60.0)

    assert trial.noticed_by == "tests/agent/test_slow.py::test_exactly"


def test_a_test_that_fails_without_the_mutant_too_has_not_noticed_it(project):
    broken, exact = project / "tests/core/test_broken.py", "tests/agent/test_slow.py"
    broken.write_text("def test_is_broken():\n    assert False\n\ndef test_is_well():\n    pass\n")
    [mutation] = [m for m in mutations_of("limit") if m.operator.endswith("LtE_Lt")]
    copy = Copy(project / "copy")

    alone = copy.attempt(mutation, ["tests/core/test_broken.py"], seconds=60.0)
    others = copy.attempt(mutation, ["tests/core/test_broken.py", exact], seconds=60.0)

    assert alone.verdict is Verdict.LIVES
    assert (others.verdict, others.noticed_by) == (Verdict.KILLED, f"{exact}::test_exactly")


def test_a_file_of_tests_that_cannot_be_read_has_noticed_nothing(project):
    (project / "tests/core/test_broken.py").write_text("import nothing_of_that_name\n")
    [mutation] = [m for m in mutations_of("limit") if m.operator.endswith("LtE_Lt")]

    trial = Copy(project / "copy").attempt(mutation, ["tests/core/test_broken.py"], seconds=60.0)

    assert trial.verdict is Verdict.LIVES


@pytest.mark.parametrize(
    ("output", "test"),
    [
        ("F\nFAILED tests/core/test_a.py::test_b[x] - assert 1\n1 failed", "tests/core/test_a.py::test_b[x]"),
        ("ERROR tests/core/test_a.py - ImportError\n", "tests/core/test_a.py"),
        ("Killed", ""),
    ],
)
def test_which_test_failed_is_read_from_what_pytest_writes(output, test):
    assert failed_test(output) == test


def test_a_mutant_without_tests_lives(project):
    assert attempt(project, "limit", "LtE_Lt", []) is Verdict.UNTESTED
    assert Verdict.UNTESTED.lives


def test_a_mutant_that_never_ends_is_killed_by_time(project):
    assert attempt(project, "loop", "Sub_Mul", ["tests/core/test_loop.py"], seconds=5.0) is Verdict.TIMEOUT


def test_who_goes_on_working_in_the_project_changes_nothing_of_a_trial(project):
    [mutation] = [m for m in mutations_of("limit") if m.operator.endswith("LtE_Lt")]
    copy = Copy(project / "copy")
    Path("ipamd/core/limit.py").write_text("from ipamd.core.later import LIMIT\n")

    trial = copy.attempt(mutation, ["tests/core/test_limit.py"], seconds=60.0)

    assert trial.verdict is Verdict.LIVES


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


def test_all_mutants_of_a_line_can_be_tried_instead_of_a_sample(project, capsys):
    options = ["--jobs", "1", "--at", "ipamd/core/loop.py:2", "ipamd/core/limit.py:4-5"]

    status = program.main(["--packages", "ipamd/core", *options])

    told = json.loads(Path("build/mutants.json").read_text())
    assert {trial["mutant"].split(" ")[0].rpartition(":")[0] for trial in told} == {
        "ipamd/core/loop.py:2",
        "ipamd/core/limit.py:5",
    }
    assert status in (0, 1)
    assert f"of {len(told)} live" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["ipamd/core/limit.py:one", "ipamd/core/nothing.py:1"])
def test_a_place_that_is_none_is_refused(project, place, capsys):
    with pytest.raises(SystemExit):
        program.main(["--packages", "ipamd/core", "--at", place])

    assert "error" in capsys.readouterr().err
