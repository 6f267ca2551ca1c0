"""What a person reads at the end: a table, why tests were skipped, which failed. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import get_args

from testbed import table
from testbed.conformance.outcomes import Outcome, Verdict, count

_HEADERS = ("run", "ran", "passed", "failed", "skipped")


def summary(runs: Mapping[str, Sequence[Outcome]]) -> str:
    """Give it for outcomes by the run's name."""
    parts = [table.render(_HEADERS, [_row(name, outcomes) for name, outcomes in runs.items()])]
    for name, outcomes in runs.items():
        reasons = Counter(outcome.message for outcome in outcomes if outcome.verdict == "skipped")
        lines = [f"  {number:3}  {reason}" for reason, number in reasons.most_common()]
        if lines:
            parts.append("\n".join([f"skipped in the run {name}:", *lines]))
    for name, outcomes in runs.items():
        lines = [
            f"  {outcome.test}\n      {outcome.message.strip().splitlines()[0]}"
            for outcome in outcomes
            if outcome.verdict == "failed"
        ]
        if lines:
            parts.append("\n".join([f"failed in the run {name}:", *lines]))
    return "\n\n".join(parts)


def closing_line(runs: Mapping[str, Sequence[Outcome]]) -> str:
    """Give the counts of all runs in one line."""
    outcomes = [outcome for run in runs.values() for outcome in run]
    return ", ".join(f"{count(outcomes, verdict)} {verdict}" for verdict in get_args(Verdict))


def _row(name: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    passed, failed = count(outcomes, "passed"), count(outcomes, "failed")
    numbers = (passed + failed, passed, failed, count(outcomes, "skipped"))
    return (name, *(str(number) for number in numbers))
