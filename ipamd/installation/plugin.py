"""Puts the CNI plugin on a node: its interpreter as a tree of its own, then the plugin itself.

    /opt/tke-eni/<version>-<digest>/bin/python3.11, lib/...     the interpreter, its C library, three modules
    /opt/cni/bin/tke-route-eni                                  starts with a line that names that interpreter

A tree never changes: another build has another digest and so another name. Everything is written aside and
comes to its name by a rename, so a runtime that executes the plugin at any moment finds the old one or the
new one, whole. A tree that was replaced stays for an hour, for plugins that have just been started and for a
quick way back, and is removed by a later installation. When it was replaced stands beside it, as a time since
the boot with the boot's id: the dates of files are by a clock that anybody may set.
"""

import logging
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ipamd.core.errors import InvalidInputError
from ipamd.core.timing.boottime import Boottime

log = logging.getLogger(__name__)

NAME: Final = "tke-route-eni"
TREES: Final = "/opt/tke-eni"
"""Where the trees are on the node; the plugin's interpreter line says so too."""
KEPT_SECONDS: Final = 3600.0
"""How long a tree outlives its replacement; the longest run of a plugin is its time-out, 55 s."""

_INTERPRETER_LINE: Final = re.compile(rb"#!" + TREES.encode() + rb"/([A-Za-z0-9][A-Za-z0-9._+-]*)/bin/\S+ ")
_LONGEST_LINE: Final = 128


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of one boot of the node."""

    boot_id: str
    at: Boottime

    def is_hardly_after(self, replaced: str) -> bool:
        """Whether a tree that was replaced then is to stay; no plugin of an earlier boot runs any more."""
        boot_id, _, at = replaced.partition(" ")
        try:
            return boot_id == self.boot_id and 0 <= self.at - float(at) < KEPT_SECONDS
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{self.boot_id} {self.at:.0f}"


def install(source: Path, *, bin_directory: Path, trees: Path, now: Moment) -> None:
    """Install what `source` holds; a node that has it already is left as it is. Raises: InvalidInputError."""
    plugin = source / NAME
    tree = _tree_of(plugin)
    if not tree:
        raise InvalidInputError(
            f"{plugin} does not name an interpreter under {TREES}",
            advice="build it with cni_plugin/tree.py, or use the image as it is",
        )
    target = bin_directory / NAME
    try:
        for directory in (bin_directory, trees):
            directory.mkdir(parents=True, exist_ok=True)
        replaced = _tree_of(target)
        _install_tree(source / tree, trees / tree)
        if replaced != tree and replaced and (trees / replaced).is_dir():
            _replaced_at(trees / replaced).write_text(str(now))
        _install_file(plugin, target)
        _remove_old_trees(trees, tree, now)
    except OSError as e:
        raise InvalidInputError(
            f"the plugin cannot be installed: {e.filename}: {e.strerror}",
            advice=f"{bin_directory} and {trees} have to be directories of the node, writable for root",
        ) from e


def _tree_of(plugin: Path) -> str:
    """Return which tree a plugin runs with; empty for one that is not there or runs otherwise."""
    try:
        with plugin.open("rb") as file:
            line = file.read(_LONGEST_LINE)
    except FileNotFoundError:
        return ""
    match = _INTERPRETER_LINE.match(line)
    return match[1].decode() if match else ""


def _install_tree(source: Path, target: Path) -> None:
    if target.is_dir():
        return  # whole, as it came by a rename; and of the same content, as the name holds its digest
    aside = target.with_name(f".{target.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside)
    for path in aside.rglob("*"):
        _sync(path)
    aside.rename(target)
    _sync(target.parent)
    log.info("interpreter tree %s installed", target)


def _install_file(source: Path, target: Path) -> None:
    content = source.read_bytes()
    if target.is_file() and not target.is_symlink() and target.read_bytes() == content:
        log.info("%s is up to date", target)
        return
    aside = target.with_name(f".{target.name}.new")
    aside.unlink(missing_ok=True)
    aside.write_bytes(content)
    aside.chmod(0o755)
    _sync(aside)
    aside.rename(target)
    _sync(target.parent)
    log.info("%s installed", target)


def _remove_old_trees(trees: Path, current: str, now: Moment) -> None:
    _replaced_at(trees / current).unlink(missing_ok=True)
    for path in [path for path in trees.iterdir() if path.is_dir() and path.name != current]:
        note = _replaced_at(path)
        if not path.name.startswith("."):
            if not note.exists():  # an installation that was cut short, or of an earlier release
                note.write_text(str(now))
            if now.is_hardly_after(note.read_text()):
                continue
        shutil.rmtree(path, ignore_errors=True)
        note.unlink(missing_ok=True)
        log.info("old interpreter tree %s removed", path)


def _replaced_at(tree: Path) -> Path:
    """Return the file that says when a tree was replaced."""
    return tree.with_name(f".{tree.name}.replaced")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
