"""The run over all crash points: record each scenario, kill at each point, print the matrix.

Scenarios of the same flags share a node, which goes on from one kill to the next, as a real one does. After a
failure the node is thrown away and the trial is repeated alone on a new one: that tells whether the point
itself is at fault or what happened before. It counts as a failure in any case.
"""

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from testbed import table
from testbed.faults import catalogue
from testbed.faults.budget import UNLIMITED, Budget
from testbed.faults.catalogue import atoms
from testbed.faults.crashing import Outcome, Performance, Trial
from testbed.faults.invariants import Violation
from testbed.faults.kubelet import Retry
from testbed.faults.pod_scenarios import Add
from testbed.faults.points import Point, points_of
from testbed.faults.report import Counts, count_kinds
from testbed.faults.scenario import Scenario
from testbed.faults.scenarios import SCENARIOS
from testbed.faults.stage import Flags
from testbed.faults.workers import WorkerEndedError, results

_SIGNS: Final[Mapping[Outcome, str]] = {
    Outcome.CONVERGED: "✓",
    Outcome.LATER: "l",
    Outcome.NOT_REACHED: "·",
    Outcome.FAILED: "✗",
}
_LEGEND: Final = (
    "One sign for each time that the step was taken: ✓ converged; l converged later, after what is kept for\n"
    "a time by design; · not reached in this run, and not counted; ✗ failed."
)


@dataclass(slots=True)
class Run:
    """What a run has found so far."""

    trials: list[Trial] = field(default_factory=list)
    exercised: set[str] = field(default_factory=set)
    """Single steps that some scenario came by."""
    others: list[Violation] = field(default_factory=list)
    """Violations at the end that belong to no single trial."""
    unrecorded: list[str] = field(default_factory=list)
    """Scenarios that failed without a kill, and why: none of their points could be tried."""
    left_out: list[str] = field(default_factory=list)
    """What was not tried because the time was over."""

    def add(self, other: "Run") -> None:
        """Take what another run has found."""
        self.trials += other.trials
        self.exercised |= other.exercised
        self.others += other.others
        self.unrecorded += other.unrecorded
        self.left_out += other.left_out

    def counts(self) -> Counts:
        """Return the counts for the report."""
        killed = [trial for trial in self.trials if trial.outcome is not Outcome.NOT_REACHED]
        found = [v for trial in killed for v in trial.violations] + self.others
        return Counts(crash_points=len(killed), faults_injected=len(killed), **count_kinds(found))

    def complaints(self) -> list[str]:
        """Return what is wrong with a run of all scenarios besides its counts."""
        # What a scenario without a record comes by is missing, too, and says nothing more.
        return list(self.unrecorded) or ([] if self.left_out else catalogue.gaps(self.exercised))


Say = Callable[[str], None]
Choice = Callable[[Sequence[Point]], Iterable[Point]]
"""Which of a scenario's points are tried."""


def run(
    directory: Path,
    scenarios: Iterable[type[Scenario]],
    *,
    choose: Choice = iter,
    say: Say = print,
    budget: Budget = UNLIMITED,
) -> Run:
    """Perform the scenarios and kill at their points; what fails on the way is in what is returned."""
    found = Run()
    shared: dict[Flags, list[type[Scenario]]] = defaultdict(list)
    for scenario in scenarios:
        if scenario.needs_new_node:
            _on_new_nodes(directory, scenario, found, choose, say, budget)
        else:
            shared[scenario.flags].append(scenario)
    for flags, group in shared.items():
        _Series(directory, flags, found, say, budget).perform(group, choose)
    return found


class _Series:
    """Trials on one node, and on the next one when a trial has failed."""

    def __init__(self, directory: Path, flags: Flags, found: Run, say: Say, budget: Budget) -> None:
        self._budget = budget
        self._directory = directory
        self._flags = flags
        self._found = found
        self._say = say
        self._node: Performance | None = None

    def perform(self, scenarios: Iterable[type[Scenario]], choose: Choice) -> None:
        """Record each scenario, then try its points."""
        try:
            for scenario in scenarios:
                if self._budget.is_over():
                    self._found.left_out.append(scenario.name)
                    continue
                trials = _trials(scenario, self._record(scenario), choose)
                for trial in _in_time(trials, scenario, self._budget, self._found):
                    self._try(scenario, trial)
            self._end_node()
        finally:
            self._leave_node()  # there is one only if somebody ends the run

    def _record(self, scenario: type[Scenario]) -> Mapping[str, Sequence[str]]:
        """Return the steps of its daemons; none when it fails without a kill, which is told."""
        try:
            recorded = self._current().record(scenario())
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the others have their turn
            _miss(scenario, error, self._found, self._say)
            self._leave_node()
            return {}
        self._say(f"{scenario.name}: {sum(map(len, recorded.values()))} steps")
        _note(recorded, self._found)
        return recorded

    def _try(self, scenario: type[Scenario], trial: Trial) -> None:
        self._attempt(scenario, trial)
        self._found.trials.append(trial)
        if trial.outcome is Outcome.FAILED:
            self._end_node()
            again = Trial(scenario=trial.scenario, daemon=trial.daemon, point=trial.point, retry=trial.retry)
            self._attempt(scenario, again)
            trial.alone = again.outcome.value
            if again.outcome is Outcome.FAILED:
                self._end_node()
            _tell(trial, self._say)

    def _attempt(self, scenario: type[Scenario], trial: Trial) -> None:
        try:
            node = self._current()
        except Exception as error:  # noqa: BLE001 - a node that does not start is a trial that failed
            trial.fail([_defect(error)])
            self._leave_node()
        else:
            node.attempt(scenario(), trial)

    def _current(self) -> Performance:
        if self._node is None:
            logs = Path(tempfile.mkdtemp(dir=self._directory, prefix="node-"))
            self._node = Performance(logs, self._flags)
            self._node.open()
        return self._node

    def _leave_node(self) -> None:
        """Throw the node away without a look: what is wrong with it has been told."""
        node, self._node = self._node, None
        if node is not None:
            node.close()

    def _end_node(self) -> None:
        node, self._node = self._node, None
        if node is None:
            return
        try:
            failed_before = any(t.outcome is Outcome.FAILED for t in self._found.trials[-1:])
            rest = node.finish()
            if not failed_before:  # else it is the failed trial's, which has been told
                self._found.others += rest
        except Exception as error:  # noqa: BLE001 - a node that cannot be looked at is not at rest
            self._found.others.append(_defect(error))
        finally:
            node.close()


def _on_new_nodes(
    directory: Path, scenario: type[Scenario], found: Run, choose: Choice, say: Say, budget: Budget
) -> None:
    """Let a daemon die in its first start, each time in a region of its own."""
    if budget.is_over():
        found.left_out.append(scenario.name)
        return
    daemon = scenario.victims[0]
    try:
        with _new_node(directory) as node:
            node.open()
            recorded = node.record_start(daemon)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the others have their turn
        _miss(scenario, error, found, say)
        return
    say(f"{scenario.name}: {len(recorded)} steps")
    _note({daemon: recorded}, found)
    for trial in _in_time(_trials(scenario, {daemon: recorded}, choose), scenario, budget, found):
        with _new_node(directory) as node:
            node.attempt_start(trial)
        found.trials.append(trial)
        if trial.outcome is Outcome.FAILED:
            trial.alone = trial.outcome.value
            _tell(trial, say)


def _new_node(directory: Path) -> Performance:
    return Performance(Path(tempfile.mkdtemp(dir=directory, prefix="node-")))


def _miss(scenario: type[Scenario], error: Exception, found: Run, say: Say) -> None:
    text = f"scenario {scenario.name} failed without a kill: {type(error).__name__}: {error}"
    found.unrecorded.append(text)
    say(f"FAILED {text}")


def _defect(error: Exception) -> Violation:
    return Violation(kind="unmended", text=f"{type(error).__name__}: {error}")


def _note(recorded: Mapping[str, Sequence[str]], found: Run) -> None:
    for step in itertools.chain.from_iterable(recorded.values()):
        found.exercised |= atoms(step)


def _trials(
    scenario: type[Scenario], recorded: Mapping[str, Sequence[str]], choose: Choice
) -> Iterator[Trial]:
    """Yield a trial for each chosen point; what follows a failed ADD changes from one to the next."""
    retries = list(Retry) if issubclass(scenario, Add) else [Retry.NEW_SANDBOX]
    for daemon, steps in recorded.items():
        wanted = tuple(scenario.only_steps) or ("",)
        points = [point for point in points_of(steps) if point.step.startswith(wanted)]
        for point in choose(points):
            index = points.index(point)
            retry = retries[(index + index // len(retries)) % len(retries)]
            yield Trial(scenario=scenario.name, daemon=daemon, point=point, retry=retry)


def _in_time(
    trials: Iterable[Trial], scenario: type[Scenario], budget: Budget, found: Run
) -> Iterator[Trial]:
    """Yield trials while there is time to try them, and note how many there is none for."""
    missed = 0
    for trial in trials:
        if budget.is_over():
            missed += 1
        else:
            yield trial
    if missed:
        found.left_out.append(f"{missed} points of {scenario.name}")


def _tell(trial: Trial, say: Say) -> None:
    say(f"FAILED {trial.scenario}, {trial.daemon} at {trial.point}, then {trial.retry.value}")
    for violation in trial.violations:
        say(f"    {violation}")
    say(f"    repeated alone: {trial.alone}")


def matrix(trials: Iterable[Trial]) -> str:
    """Return points x outcome as a table: one row for each step of a daemon in a scenario."""
    rows: dict[tuple[str, str, str], dict[str, str]] = defaultdict(lambda: {"before": "", "after": ""})
    for trial in trials:
        row = rows[trial.scenario, trial.daemon, trial.point.step]
        row[trial.point.phase] += _SIGNS[trial.outcome]
    lines = [[*key, signs["before"], signs["after"]] for key, signs in rows.items()]
    return table.render(["SCENARIO", "DAEMON", "STEP", "BEFORE", "AFTER"], lines) + f"\n\n{_LEGEND}"


def summary(trials: Sequence[Trial]) -> str:
    """Return how many trials ended how."""
    outcomes = [trial.outcome for trial in trials]
    return ", ".join(f"{outcomes.count(outcome)} {outcome.value}" for outcome in Outcome)


def all_points(
    directory: Path, jobs: int, *, only: str = "", points: str | None = "", budget: Budget = UNLIMITED
) -> Run:
    """Perform every scenario whose name contains `only` in so many processes, one node each at a time.

    Killed is at the points whose text contains `points`; with None nothing is killed, only recorded.
    """
    names = [scenario.name for scenario in SCENARIOS if only in scenario.name]
    shares = [share for job in range(jobs) if (share := names[job::jobs])]
    found = Run()
    work = [(directory, share, points, budget) for share in shares]
    for share, result in zip(shares, results(_share, work), strict=True):
        if isinstance(result, WorkerEndedError):
            found.unrecorded.append(f"the process of the scenarios {', '.join(share)} {result}")
        else:
            found.add(result)
    return found


def _share(directory: Path, names: Sequence[str], points: str | None, budget: Budget) -> Run:
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in names]
    return run(
        directory,
        scenarios,
        choose=lambda all_: [point for point in all_ if points is not None and points in str(point)],
        budget=budget,
    )
