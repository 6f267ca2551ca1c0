"""Puts the CNI plugin on a node, and takes away what earlier releases have put beside it.

    /opt/cni/bin/tke-route-eni                the plugin, one file without needs
    /opt/tke-eni/<version>-<digest>/          of earlier releases: the interpreter that their plugin needs

The plugin is written aside and comes to its name by a rename, so a runtime that executes it at any moment
finds the old one or the new one, whole. An interpreter tree stays for an hour after the first
installation that finds it, for plugins that have just been started and for a quick way back; a later
installation removes it. Since when it waits stands beside it, as a time since the boot with the boot's
id: the dates of files are by a clock that anybody may set.
"""

import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ipamd.core import places
from ipamd.core.errors import InvalidInputError
from ipamd.core.timing.boottime import Boottime

log = logging.getLogger(__name__)

NAME: Final = "tke-route-eni"
IN_IMAGE: Final = "/opt/tke-eni"
"""The directory of the image that has the plugin."""
TREES: Final = places.PLUGIN_TREES
"""Where the trees of earlier releases are on the node."""
KEPT_SECONDS: Final = 3600.0
"""How long a tree outlives its replacement: the longest time-out of a plugin that runs with it."""

_PROGRAM: Final = b"\x7fELF"


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
    try:
        bin_directory.mkdir(parents=True, exist_ok=True)
        _install_file(_content(source / NAME), bin_directory / NAME)
        _remove_old_trees(trees, now)
    except OSError as e:
        raise InvalidInputError(
            f"the plugin cannot be installed: {e.filename}: {e.strerror}",
            advice=f"{bin_directory} and {trees} have to be directories of the node, writable for root",
        ) from e


def _content(plugin: Path) -> bytes:
    content = plugin.read_bytes() if plugin.exists() else b""
    if not content.startswith(_PROGRAM):
        raise InvalidInputError(
            f"{plugin} is not the program that it should be",
            advice="build it with cni_plugin/build.py, or use the image as it is",
        )
    return content


def _install_file(content: bytes, target: Path) -> None:
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


def _remove_old_trees(trees: Path, now: Moment) -> None:
    for path in [path for path in trees.iterdir() if path.is_dir()] if trees.is_dir() else []:
        note = path.with_name(f".{path.name}.replaced")
        if not path.name.startswith("."):
            if not note.exists():
                note.write_text(str(now))
            if now.is_hardly_after(note.read_text()):
                continue
        shutil.rmtree(path, ignore_errors=True)
        note.unlink(missing_ok=True)
        log.info("old interpreter tree %s removed", path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
