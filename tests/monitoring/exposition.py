"""What stands in a page of metrics, and what queries need of it."""

import re
from dataclasses import dataclass, field

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_DECLARED = re.compile(r"^# TYPE (\w+) (?:gauge|counter)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_SELECTOR = re.compile(r"\b((?:tke_eni|process)_\w+|up)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")
OF_TARGETS = {"job", "node", "pod", "namespace", "container", "endpoint", "instance"}
"""Labels that a PodMonitor makes of where it finds the page."""


@dataclass
class Exposed:
    """The samples of pages, and what has none yet. A histogram has the names of its series, as queries do."""

    labels: dict[str, set[str]] = field(default_factory=dict)
    values: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def add(self, page: str) -> None:
        for name in _DECLARED.findall(page):
            self.labels.setdefault(name, set())
        for name, labels, _ in _SAMPLE.findall(page):
            known = self.labels.setdefault(name, set())
            for label, value in _LABEL.findall(labels):
                known.add(label)
                self.values.setdefault((name, label), set()).add(value)


@dataclass(frozen=True)
class Query:
    """A query of an alert or of the dashboard."""

    where: str
    text: str

    def selectors(self):
        """Yield each metric with the matchers of its labels."""
        for name, matchers in _SELECTOR.findall(self.text):
            yield name, _MATCHER.findall(matchers)

    def grouped(self):
        """Return the labels by which the query groups or joins."""
        return {
            label.strip()
            for labels in _GROUPING.findall(self.text)
            for label in labels.split(",")
            if label.strip()
        }


def unknown(query: Query, exposed: Exposed) -> list[str]:
    """Return which metrics and labels of a query nobody exposes."""
    problems = []
    have: set[str] = set(OF_TARGETS)
    for name, matchers in query.selectors():
        if name == "up":
            continue
        if name not in exposed.labels:
            problems.append(f"{query.where}: nobody exposes {name}")
            continue
        have |= exposed.labels[name]
        problems += [
            f"{query.where}: {name} has no label {label}"
            for label, _, _ in matchers
            if label not in exposed.labels[name] | OF_TARGETS
        ]
    problems += [f"{query.where}: nothing in it has the label {label}" for label in query.grouped() - have]
    return problems
