"""Which of Kubernetes' end-to-end tests run: the groups, less what is skipped, or a bounded choice. Pure.

A test is known by its full name, such as "[sig-network] Services should serve a basic endpoint from pods
[Conformance]".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from testbed.cluster.parts import PROXY_MODES, PolicyEngine, ProxyMode

GROUPS = (
    "Services",
    "Networking",
    "HostPort",
    "Proxy",
    "Service endpoints latency",
    "Conntrack",
    "KubeProxy",
    "NoSNAT",
)
POLICIES = "Netpol"
"""The group that needs somebody who enforces NetworkPolicies."""
_FOCUS = re.compile(rf"^\[sig-network\] ({'|'.join(GROUPS)})\b")
_POLICIES = re.compile(rf"^\[sig-network\] {POLICIES}\b")


@dataclass(frozen=True, slots=True)
class Run:
    """What one of the runs has beside our plugin, each on a cluster of its own."""

    proxy_mode: ProxyMode
    policies: PolicyEngine = "none"


RUNS: Mapping[str, Run] = {
    **{mode: Run(mode) for mode in PROXY_MODES},
    "kube-router": Run("iptables", "kube-router"),
}
"""By the names by which people know them."""


class ChoiceError(ValueError):
    """A file that chooses tests is wrong; the message names the entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Tests that are not run."""

    tests: str
    """Regular expression, searched in the full name."""
    reason: str
    proxy_mode: ProxyMode | None = None
    """The only mode of kube-proxy in which they are not run; None: in no mode."""

    def fits(self, test: str, mode: ProxyMode) -> bool:
        """Whether a test is skipped by this entry."""
        return self.proxy_mode in (None, mode) and re.search(self.tests, test) is not None


def parse_skips(text: str) -> list[Skip]:
    """Read the content of skips.yaml; ChoiceError for what is not an entry."""
    document = yaml.safe_load(text) or []
    if not isinstance(document, list):
        raise ChoiceError("the file is not a list")
    return [_skip(number, entry) for number, entry in enumerate(document, start=1)]


def parse_patterns(text: str) -> list[str]:
    """Read a list of regular expressions, one a line, without comments; ChoiceError for what is none."""
    lines = [line.strip() for line in text.splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    for pattern in patterns:
        _check_pattern(pattern, pattern)
    return patterns


def in_groups(test: str) -> bool:
    """Whether a test is of the groups that matter to us."""
    return any(belongs(test, run) for run in RUNS.values())


def belongs(test: str, run: Run) -> bool:
    """Whether a test is of the groups of a run: policies where somebody enforces them, all else where not."""
    return (_FOCUS if run.policies == "none" else _POLICIES).search(test) is not None


def choose(tests: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Give the tests that any of the patterns fits; ChoiceError for a pattern that fits none."""
    for pattern in patterns:
        if not any(re.search(pattern, test) for test in tests):
            raise ChoiceError(f"{pattern!r} fits no test")
    return [test for test in tests if any(re.search(pattern, test) for pattern in patterns)]


def why_skipped(test: str, skips: Sequence[Skip], mode: ProxyMode) -> str:
    """Give the reason of the first entry that skips a test, empty when none does."""
    return next((skip.reason for skip in skips if skip.fits(test, mode)), "")


def idle(skips: Sequence[Skip], tests: Sequence[str]) -> list[Skip]:
    """Give the entries that skip nothing in any mode: the tests were renamed, or are gone."""
    return [
        skip for skip in skips if not any(skip.fits(test, mode) for test in tests for mode in PROXY_MODES)
    ]


def _skip(number: int, entry: Any) -> Skip:
    where = f"entry {number}"
    if not isinstance(entry, dict) or not {"tests", "reason"} <= entry.keys() <= _KEYS:
        raise ChoiceError(f"{where} has not just tests, reason and perhaps proxy-mode: {entry!r}")
    tests, reason, mode = str(entry["tests"]), str(entry["reason"] or "").strip(), entry.get("proxy-mode")
    _check_pattern(where, tests)
    if not reason:
        raise ChoiceError(f"{where} ({tests}) has no reason")
    if mode is not None and mode not in PROXY_MODES:
        raise ChoiceError(f"{where} ({tests}): proxy-mode {mode!r} is not one of {', '.join(PROXY_MODES)}")
    return Skip(tests=tests, reason=reason, proxy_mode=mode)


_KEYS = {"tests", "reason", "proxy-mode"}


def _check_pattern(where: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ChoiceError(f"{where}: {pattern!r} is no regular expression: {error}") from error
