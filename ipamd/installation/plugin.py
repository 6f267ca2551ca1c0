"""Puts the CNI plugin on a node: its interpreter as a tree of its own, then the plugin itself.

    /opt/tke-eni/<version>-<digest>/bin/python3.11, lib/...     the interpreter, its C library, three modules
    /opt/cni/bin/tke-route-eni                                  starts with a line that names that interpreter

A tree never changes: another build has another digest and so another name. Everything is written aside and
comes to its name by a rename, so a runtime that executes the plugin at any moment finds the old one or the
new one, whole. A tree that was replaced stays for an hour, for plugins that have just been started and for a
quick way back, and is removed by a later installation.
"""

import contextlib
import logging
import os
import re
import shutil
from pathlib import Path
from typing import Final

from ipamd.core.errors import InvalidInputError

log = logging.getLogger(__name__)

NAME: Final = "tke-route-eni"
TREES: Final = "/opt/tke-eni"
"""Where the trees are on the node; the plugin's interpreter line says so too."""
KEPT_SECONDS: Final = 3600.0
"""How long a tree outlives its replacement; the longest run of a plugin is its time-out, 55 s."""

_INTERPRETER_LINE: Final = re.compile(rb"#!" + TREES.encode() + rb"/([A-Za-z0-9][A-Za-z0-9._+-]*)/bin/\S+ ")
_LONGEST_LINE: Final = 128


def install(source: Path, *, bin_directory: Path, trees: Path, now: float) -> None:
    """Install what `source` holds; a node that has it already is left as it is. Errors: InvalidInputError."""
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
        if replaced and replaced != tree:
            with contextlib.suppress(FileNotFoundError):
                os.utime(trees / replaced, (now, now))
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


def _remove_old_trees(trees: Path, current: str, now: float) -> None:
    for path in trees.iterdir():
        if path.name == current or not path.is_dir():
            continue
        if path.name.startswith(".") or path.stat().st_mtime < now - KEPT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
            log.info("old interpreter tree %s removed", path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
