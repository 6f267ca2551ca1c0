"""What became of each test: read from Ginkgo's JSON report, written as JUnit XML, read again from that. Pure.

Ginkgo's fields are those of its package `types` (Report, SpecReport).
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["passed", "failed", "skipped"]

_NOT_RUN = "was not run: see the output of the run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one test in one run."""

    test: str
    """Full name."""
    verdict: Verdict
    message: str = ""
    """Why it failed or was skipped."""
    seconds: float = 0.0


def read_report(text: str, chosen: Collection[str]) -> list[Outcome]:
    """Give the outcome of each chosen test, and of what failed beside them (the set-up of the suite).

    A chosen test that was not run has failed, also when it skipped itself: whoever asks for it must not take
    silence for success. What cannot run is listed in skips.yaml.
    """
    specs = [spec for report in json.loads(text) for spec in report.get("SpecReports") or []]
    ran = [_outcome(spec) for spec in specs if not _was_left_out(spec)]
    told = [outcome for outcome in ran if outcome.test in chosen or outcome.verdict == "failed"]
    missing = set(chosen) - {outcome.test for outcome in told}
    return [*told, *(Outcome(test=test, verdict="failed", message=_NOT_RUN) for test in sorted(missing))]


def _was_left_out(spec: Mapping[str, Any]) -> bool:
    """Whether Ginkgo did not run a test because nobody asked for it; one that skips itself says why."""
    return spec["State"] == "skipped" and not spec.get("Failure", {}).get("Message")


def _outcome(spec: Mapping[str, Any]) -> Outcome:
    texts = [*(spec.get("ContainerHierarchyTexts") or []), spec.get("LeafNodeText", "")]
    name = " ".join(text for text in texts if text) or f"[{spec['LeafNodeType']}]"
    verdict: Verdict = "passed" if spec["State"] == "passed" else "failed"
    return Outcome(test=name, verdict=verdict, message=_message(spec), seconds=spec.get("RunTime", 0) / 1e9)


def _message(spec: Mapping[str, Any]) -> str:
    state = spec["State"]
    if state == "passed":
        return ""
    failure = spec.get("Failure") or {}
    message = str(failure.get("Message", "")).strip() or state
    if state == "skipped":
        return f"skipped itself, and skips.yaml does not list it: {message}"
    place = failure.get("FailureNodeLocation") or failure.get("Location") or {}
    return f"{message}\n{place.get('FileName', '')}:{place.get('LineNumber', '')}"


def write_junit(runs: Mapping[str, Sequence[Outcome]]) -> str:
    """Give JUnit XML with a suite for each run, by the run's name."""
    root = ET.Element("testsuites")
    for name, outcomes in runs.items():
        suite = ET.SubElement(
            root,
            "testsuite",
            name=name,
            tests=str(len(outcomes)),
            failures=str(count(outcomes, "failed")),
            skipped=str(count(outcomes, "skipped")),
            time=f"{sum(outcome.seconds for outcome in outcomes):.1f}",
        )
        for outcome in outcomes:
            seconds = f"{outcome.seconds:.1f}"
            case = ET.SubElement(suite, "testcase", classname=name, name=outcome.test, time=seconds)
            if outcome.verdict == "failed":
                ET.SubElement(case, "failure", message=_first_line(outcome.message)).text = outcome.message
            elif outcome.verdict == "skipped":
                ET.SubElement(case, "skipped", message=outcome.message)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def failed_in(junit: str) -> dict[str, list[str]]:
    """Give the tests that failed by the run's name, from what `write_junit` wrote."""
    return {
        suite.get("name", ""): [
            case.get("name", "") for case in suite.iter("testcase") if case.find("failure") is not None
        ]
        for suite in ET.fromstring(junit).iter("testsuite")
    }


def count(outcomes: Iterable[Outcome], verdict: Verdict) -> int:
    """Give how many outcomes are of a kind."""
    return sum(outcome.verdict == verdict for outcome in outcomes)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
