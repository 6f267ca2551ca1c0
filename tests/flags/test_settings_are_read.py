"""What a flag says reaches the part that it is for, as far as the code tells without being run."""

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from ipamd.agent.options import AgentSettings
from ipamd.controller.options import ControllerSettings
from ipamd.flags.declaration import _COMPOSITION

ROOT = Path(__file__).parents[2]
DAEMONS = {"agent": AgentSettings, "controller": ControllerSettings}
FIELDS = [(daemon, field) for daemon, settings in DAEMONS.items() for field in dataclasses.fields(settings)]
PARTS = [
    (daemon, field.metadata[_COMPOSITION].build, name)
    for daemon, field in FIELDS
    if _COMPOSITION in field.metadata
    for name in field.metadata[_COMPOSITION].flags
]
HOLDERS = {"settings", "_settings", "chosen"}
"""What variables of settings are called; `chosen` in the commands that parse the flags."""


def reads_of(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Yield where an attribute is read, and something is done with it."""
    nodes = list(ast.walk(tree))
    idle = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node not in idle:
            yield node


class Code:
    """The product, parsed for the first test that asks: who only collects tests does not wait for it."""

    @cached_property
    def trees(self) -> dict[Path, ast.Module]:
        return {
            path.relative_to(ROOT): ast.parse(path.read_text())
            for path in sorted((ROOT / "ipamd").rglob("*.py"))
            if path.name != "options.py"
        }

    @cached_property
    def reads(self) -> dict[Path, tuple[ast.Attribute, ...]]:
        return {path: tuple(reads_of(tree)) for path, tree in self.trees.items()}

    @cached_property
    def read_names(self) -> dict[Path, set[str]]:
        return {path: {read.attr for read in found} for path, found in self.reads.items()}

    @cached_property
    def classes(self) -> list[tuple[Path, ast.ClassDef]]:
        return [
            (path, node)
            for path, tree in self.trees.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        ]

    @cached_property
    def heirs(self) -> dict[str, set[Path]]:
        found: dict[str, set[Path]] = {}
        for place, heir in self.classes:
            for base in heir.bases:
                found.setdefault(ast.unparse(base).rpartition(".")[2], set()).add(place)
        return found


CODE = Code()


def holder(read: ast.Attribute) -> str:
    return ast.unparse(read.value).rpartition(".")[2]


def unread(path: Path, made: ast.ClassDef) -> list[str]:
    """Return the private attributes that a class sets and neither its file nor that of a subclass reads."""
    read = set().union(*(CODE.read_names[place] for place in {path} | CODE.heirs.get(made.name, set())))
    stored = {
        node.attr
        for node in ast.walk(made)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "self"
    }
    return sorted(name for name in stored - read if name.startswith("_"))


@pytest.mark.parametrize(
    ("daemon", "field"), FIELDS, ids=[f"{daemon}-{field.name}" for daemon, field in FIELDS]
)
def test_each_setting_is_read_by_its_daemon(daemon, field):
    others = {Path("ipamd") / other for other in DAEMONS if other != daemon}
    places = [
        f"{path}:{read.lineno}"
        for path, found in CODE.reads.items()
        if not others & set(path.parents)
        for read in found
        if read.attr == field.name and holder(read) in HOLDERS
    ]

    assert places, f"nobody reads settings.{field.name}: the `build` of a room of {daemon} hands it on"


@pytest.mark.parametrize(("daemon", "build", "name"), PARTS)
def test_each_part_of_a_composed_setting_is_read(daemon, build, name):
    if inspect.isfunction(build):
        body = ast.parse(inspect.getsource(build))
        assert name in {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
        return
    assert name in {field.name for field in dataclasses.fields(build)}
    assert any(name in names for names in CODE.read_names.values()), f"nobody reads {build.__name__}.{name}"


@pytest.mark.parametrize("build", sorted({build for _, build, _ in PARTS if inspect.isclass(build)}, key=str))
def test_a_composed_setting_is_changed_by_replace_so_that_no_flag_is_left_behind(build):
    anew = [
        f"{path}:{node.lineno}"
        for path, tree in CODE.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == build.__name__
        and (node.args or node.keywords)
    ]

    assert anew == [], f"dataclasses.replace(settings…) keeps what {build.__name__} has besides"


def test_what_a_part_is_given_and_keeps_it_also_reads():
    """A parameter that is not used at all, ruff finds (ARG)."""
    assert {
        f"{path} {made.name}": found for path, made in CODE.classes if (found := unread(path, made))
    } == {}
