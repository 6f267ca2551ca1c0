"""A suite is a target of the Makefile. What failed in it is repeated once: some tests wait for processes."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.conformance import outcomes

FOLDER = Path("build/ci")
"""Where suites that run beside others print to, and where each keeps what failed in it."""
_CONFORMANCE = Path("build/conformance.xml")

Failed = Callable[[], list[str]]
"""Gives the tests that failed in the last run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What `make` is told the first time, and to repeat what failed."""

    name: str
    first: Sequence[str]
    again: Sequence[str] = ()
    """Empty: it is not repeated."""
    failed: Failed = list


def pytest_suite(name: str, *variables: str, target: str = "", again: str = "") -> Suite:
    """Give a suite that pytest runs; `target` is what makes it, and `again` what repeats, if not its name."""
    # pytest writes what failed at its end: two that run beside each other must not write into one file.
    cache = FOLDER / "cache" / name
    options = f"-o cache_dir={cache}"
    target = target or name
    return Suite(
        name=name,
        first=(target, f"ARGS={options}", *variables),
        again=(again, f"ARGS={options}") if again else (target, f"ARGS={options} --last-failed", *variables),
        failed=lambda: _failed_of_pytest(cache),
    )


def conformance_suite() -> Suite:
    """Give a few of Kubernetes' own tests."""
    return Suite(
        name="conformance",
        first=("conformance", "ARGS=--bounded"),
        again=("conformance", "ARGS=--last-failed"),
        failed=_failed_of_conformance,
    )


def _failed_of_pytest(cache: Path) -> list[str]:
    record = cache / "v" / "cache" / "lastfailed"
    return list(json.loads(record.read_text())) if record.exists() else []


def _failed_of_conformance() -> list[str]:
    if not _CONFORMANCE.exists():
        return []
    failed = outcomes.failed_in(_CONFORMANCE.read_text())
    return [f"{mode}: {test}" for mode, tests in failed.items() for test in tests]
