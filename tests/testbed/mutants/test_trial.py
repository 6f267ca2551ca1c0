"""What `make mutants` calls alive, and which tests there is time for."""

import json
from pathlib import Path

from coverage import CoverageData

from testbed.mutants import __main__ as program
from testbed.mutants.trial import Copy, Verdict
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
