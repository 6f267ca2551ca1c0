"""CHANGELOG.md has the form of Keep a Changelog, so that people and `make release` find their way in it."""

import re

from tests.docs.project import ROOT

LINES = (ROOT / "CHANGELOG.md").read_text().splitlines()
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def sections():
    """Yield each version's heading with the kinds of changes below it."""
    heading = ""
    kinds: list[str] = []
    for line in LINES:
        if line.startswith("## "):
            if heading:
                yield heading, kinds
            heading, kinds = line, []
        elif line.startswith("### "):
            kinds.append(line.removeprefix("### "))
    yield heading, kinds


def test_the_open_section_comes_first_and_the_others_have_version_and_date():
    first, *others = [heading for heading, _ in sections()]

    assert first == "## [Unreleased]"
    for heading in others:
        assert re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", heading), heading


def test_each_section_has_the_known_kinds_once_and_in_order():
    for heading, kinds in sections():
        assert kinds == [kind for kind in KINDS if kind in kinds], heading


def test_every_change_stands_under_a_kind():
    kind = ""
    for number, line in enumerate(LINES, 1):
        if line.startswith("#"):
            kind = line if line.startswith("### ") else ""
        elif line.startswith("- "):
            assert kind, f"line {number}: {line}"


def test_versions_go_down():
    versions = [
        tuple(map(int, heading.split("]")[0].removeprefix("## [").split(".")))
        for heading, _ in sections()
        if heading != "## [Unreleased]"
    ]
    assert versions == sorted(set(versions), reverse=True)
