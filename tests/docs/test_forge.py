"""What the forge and `pre-commit` are told to run exists: they run where no test of ours sees it."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FILES = [
    *(ROOT / ".github").rglob("*.yml"),
    *(ROOT / ".github").rglob("*.yaml"),
    ROOT / ".pre-commit-config.yaml",
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_is_yaml(path):
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize("path", list((ROOT / ".github/workflows").iterdir()), ids=lambda path: path.name)
def test_a_workflow_runs_what_is_there(path):
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    steps = [step for job in jobs for step in job["steps"]]
    programs = [step["run"].split()[0] for step in steps if "run" in step]

    assert steps
    for program in programs:
        if "/" in program:
            assert (ROOT / program).stat().st_mode & 0o111, program
    assert any((ROOT / program).is_file() for program in programs)


def test_a_workflow_keeps_its_cache_by_files_that_are_there():
    for path in (ROOT / ".github/workflows").iterdir():
        for pattern in re.findall(r"hashFiles\(([^)]*)\)", path.read_text()):
            for glob in re.findall(r"'([^']*)'", pattern):
                assert list(ROOT.glob(glob)), glob


def test_hooks_are_targets_of_make_for_files_that_are_there():
    folders = (ROOT / name for name in ("cni_plugin", "deploy", "docs", "ipamd"))
    listed = [str(path.relative_to(ROOT)) for folder in folders for path in folder.rglob("*.*")]
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]

    for hook in repository["hooks"]:
        make, target = hook["entry"].split()
        assert (make, target in TARGETS) == ("make", True)
        for pattern in re.findall(r"[^(|)^]+", hook.get("files", "")):
            assert any(re.match(pattern, name) for name in listed), pattern


def test_forms_for_issues_ask_for_something_by_distinct_names():
    for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"):
        form = yaml.safe_load(path.read_text())
        asked = [part for part in form["body"] if part["type"] != "markdown"]
        assert form["name"]
        assert form["description"]
        assert len({part["id"] for part in asked}) == len(asked) > 0
        assert all(part["attributes"]["label"] for part in asked)
