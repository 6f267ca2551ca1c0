"""What a flag says reaches the part that it is for, as far as the code tells without being run."""

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipamd.agent.options import AgentSettings
from ipamd.controller.options import ControllerSettings
from ipamd.flags.declaration import _COMPOSITION

ROOT = Path(__file__).parents[2]
TREES = {
    path.relative_to(ROOT): ast.parse(path.read_text())
    for path in sorted((ROOT / "ipamd").rglob("*.py"))
    if path.name != "options.py"
}
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


READS = {path: tuple(reads_of(tree)) for path, tree in TREES.items()}
READ_NAMES = {path: {read.attr for read in found} for path, found in READS.items()}
CLASSES = [
    (path, node) for path, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
]
HEIRS: dict[str, set[Path]] = {}
for place, heir in CLASSES:
    for base in heir.bases:
        HEIRS.setdefault(ast.unparse(base).rpartition(".")[2], set()).add(place)


def holder(read: ast.Attribute) -> str:
    return ast.unparse(read.value).rpartition(".")[2]


def unread(path: Path, made: ast.ClassDef) -> list[str]:
    """Return the private attributes that a class sets and neither its file nor that of a subclass reads."""
    read = set().union(*(READ_NAMES[place] for place in {path} | HEIRS.get(made.name, set())))
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
        for path, found in READS.items()
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
    assert any(name in names for names in READ_NAMES.values()), f"nobody reads {build.__name__}.{name}"


@pytest.mark.parametrize("build", sorted({build for _, build, _ in PARTS if inspect.isclass(build)}, key=str))
def test_a_composed_setting_is_changed_by_replace_so_that_no_flag_is_left_behind(build):
    anew = [
        f"{path}:{node.lineno}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == build.__name__
        and (node.args or node.keywords)
    ]

    assert anew == [], f"dataclasses.replace(settings…) keeps what {build.__name__} has besides"


def test_what_a_part_is_given_and_keeps_it_also_reads():
    """A parameter that is not used at all, ruff finds (ARG)."""
    assert {f"{path} {made.name}": found for path, made in CLASSES if (found := unread(path, made))} == {}
