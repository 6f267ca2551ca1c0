"""The CNI plugins that the node has, and which versions of CNI they speak: asked by VERSION."""

import json
import logging
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_SECONDS: Final = 5.0
_QUESTION: Final = b'{"cniVersion": "1.0.0"}'


class NodePlugins:
    """Asks a plugin once, and again when its file is another one or it took too long. Not thread-safe.

    The plugin is executed by vfork: the daemon with its threads is not copied for it. What lies in the node's
    plugin directory is executed by its runtime as root anyway.
    """

    def __init__(self, directory: Path) -> None:
        """Take the node's plugin directory, as it is seen here."""
        self.directory = directory
        self._known: dict[tuple[str, int, int, int], tuple[str, ...] | None] = {}

    def versions(self, types: Iterable[str]) -> dict[str, tuple[str, ...] | None]:
        """Return which versions the plugins speak that are there; None: it does not say."""
        found = {}
        for kind in types:
            path = self.directory / kind
            if not _can_name_a_file(kind) or not os.access(path, os.X_OK) or not path.is_file():
                continue
            file = path.stat()
            key = (kind, file.st_ino, file.st_size, file.st_mtime_ns)
            found[kind] = self._known[key] if key in self._known else self._asked(path, key)
        return found

    def _asked(self, path: Path, key: tuple[str, int, int, int]) -> tuple[str, ...] | None:
        try:
            self._known[key] = _ask(path)
        except subprocess.TimeoutExpired as e:
            # The node may be busy just now, when it boots for instance; that says nothing about the plugin.
            log.warning("the plugin does not say which versions of CNI it speaks, it is asked again: %s", e)
            return None
        return self._known[key]


def _can_name_a_file(kind: str) -> bool:
    """Whether a type, which may be any JSON string, is a name that a file of the directory may have."""
    return "/" not in kind and kind.isprintable()


def _ask(path: Path) -> tuple[str, ...] | None:
    """Return what the plugin says; None when that is nothing. Raises: TimeoutExpired."""
    environment = {"CNI_COMMAND": "VERSION", "PATH": os.environ.get("PATH", "")}
    try:
        answer = subprocess.run(
            [path], input=_QUESTION, env=environment, capture_output=True, timeout=_SECONDS, check=True
        ).stdout
        versions = json.loads(answer)["supportedVersions"]
        return tuple(version for version in versions if isinstance(version, str))
    except (OSError, subprocess.CalledProcessError, ValueError, LookupError, TypeError) as e:
        log.warning("the plugin %s does not say which versions of CNI it speaks: %s", path, e)
        return None
