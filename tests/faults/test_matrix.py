"""What is told of kills: nothing that was not killed counts, and no violation is lost."""

from testbed.faults.crashes import Run, matrix, summary
from testbed.faults.crashing import Outcome, Trial
from testbed.faults.invariants import Violation
from testbed.faults.kubelet import Retry
from testbed.faults.points import parse

LEAK = Violation(kind="leaked", text="eip-1")
THEFT = Violation(kind="stolen", text="10.0.1.5")


def trial(point, outcome, *violations, scenario="add"):
    tried = Trial(scenario=scenario, daemon="agent", point=parse(point), retry=Retry.GONE, outcome=outcome)
    tried.violations += violations
    return tried


TRIALS = [
    trial("cloud.X:before:1", Outcome.CONVERGED),
    trial("cloud.X:before:2", Outcome.LATER),
    trial("cloud.X:after:1", Outcome.FAILED, LEAK),
    trial("nft.y:before:1", Outcome.NOT_REACHED),
]


def test_a_point_that_was_not_reached_is_no_kill():
    counts = Run(trials=TRIALS).counts()

    assert (counts.crash_points, counts.faults_injected) == (3, 3)


def test_violations_of_trials_and_of_the_end_of_a_run_are_counted():
    counts = Run(trials=TRIALS, others=[THEFT]).counts()

    assert (counts.leaked, counts.stolen, counts.duplicate, counts.unmended) == (1, 1, 0, 0)


def test_a_failure_notes_what_is_wrong():
    failed = trial("cloud.X:before:1", Outcome.CONVERGED)

    failed.fail([LEAK, THEFT])

    assert failed.outcome is Outcome.FAILED
    assert failed.violations == [LEAK, THEFT]


def test_the_matrix_has_a_row_for_each_step_and_a_sign_for_each_time():
    rows = [line.split() for line in matrix(TRIALS).splitlines()]

    assert ["add", "agent", "cloud.X", "✓l", "✗"] in rows
    assert ["add", "agent", "nft.y", "·"] in rows


def test_the_summary_counts_every_outcome():
    assert summary(TRIALS) == "1 converged, 1 converged later, 1 not reached, 1 failed"
