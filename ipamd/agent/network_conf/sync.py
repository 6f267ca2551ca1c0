"""The runtime's network configuration: written as soon as the agent serves the plugin, and then kept.

A node without one is not ready, so that a new node gets no Pods before they could start. Once written it
stays, also while the agent is away: the plugin then answers by itself, and a node whose agent restarts must
not become unready. What the file has to be is decided by `ipamd.core.cni.conflist`; what an operator added to
it stays. A change is noticed at once (inotify), and at the latest after the repair interval.

How containerd reads it (1.6 to 2.x, internal/cri/server/cni_conf_syncer.go): it loads the directory anew at
each write, rename or removal in it, but not at a creation, and a file that is moved there from elsewhere is a
creation for it. So a new content comes by a rename within the directory, from a name whose ending no runtime
reads.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ipamd.agent.network_conf.directory_watch import DirectoryWatch
from ipamd.agent.network_conf.plugins import NodePlugins
from ipamd.core.cni import conflist
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.runtime import failpoints
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)

_SETTLE: Final = 0.2
"""Seconds between a change and the look at it: who writes several files is let finish."""


class NetworkConfiguration:
    """Keeps one file.

    Invariant: `_problems` and `_lacking` are what the last look left for an operator; `_has_kept` says that
    the file has been right once. Who writes the file again and again is answered ever more seldom, up to the
    interval. Thread safety: any thread may call `problems` and `lacking`.
    """

    def __init__(
        self,
        path: Path,
        *,
        chosen: tuple[str, ...],
        binaries: NodePlugins,
        interval: float,
        on_repair: Callable[[Difference], None],
    ) -> None:
        """Take the file, the types that are chained behind our plugin, and the seconds between two looks.

        `on_repair` hears what was made right, but for what the first look has found.
        """
        self._path = path
        self._chosen = chosen
        self._binaries = binaries
        self._interval = interval
        self._on_repair = on_repair
        self._problems: tuple[str, ...] = ()
        self._lacking: tuple[str, ...] = ()
        self._has_kept = False
        self._pause = _SETTLE
        self._watch: DirectoryWatch | None = None
        self._task = Task("cni-conf", self._work, policy=Survive())

    def start(self) -> None:
        """Make the file what it has to be, and keep it so from now on."""
        self.look()
        self._watch = DirectoryWatch((self._path.parent, self._binaries.directory))
        self._task.start()

    def stop(self, timeout: float) -> bool:
        """Leave the file as it is; return whether nothing looks at it any more."""
        self._task.stopping.set()
        if self._watch is None:
            return True
        self._watch.wake()
        ended = self._task.join(timeout)
        if ended:
            self._watch.close()
        return ended

    def problems(self) -> list[str]:
        """Return what an operator has to mend, one sentence each."""
        return list(self._problems)

    def lacking(self) -> list[str]:
        """Return which wishes of Pods do nothing as a plugin is missing, one sentence each."""
        return list(self._lacking)

    def look(self) -> bool:
        """Look at the file, write what is missing; return whether something was."""
        try:
            written, problems, lacking = self._mend()
        except OSError as e:
            written, problems = True, (f"it cannot be read or written: {e.strerror or e}",)
            lacking = self._lacking
        found = (*(f"{self._path}: {problem}" for problem in problems), *self._preferred())
        for problem in (*found, *lacking):
            if problem not in (*self._problems, *self._lacking):
                log.warning("%s", problem)
        self._problems, self._lacking = found, lacking
        return written

    def _work(self) -> bool:
        watch = self._watch
        if watch is None:
            return False
        watch.drain()
        # Our own writing is a reason to look once more: somebody else's may have come with it.
        self._pause = min(self._pause * 2, self._interval) if self.look() else _SETTLE
        watch.wait(self._interval)
        self._task.stopping.wait(self._pause)
        return True

    def _mend(self) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
        """Return whether it wrote, the problems, and what is lacking."""
        content = self._read()
        types = conflist.plugin_types(content) | set(self._chosen)
        kept = conflist.keep(content, chosen=self._chosen, binaries=self._binaries.versions(types))
        problems, lacking = (
            tuple(f"{sentence} (looked for in {self._binaries.directory})" for sentence in sentences)
            for sentences in (kept.problems, kept.lacking)
        )
        damaged = conflist.is_damaged(content)
        if content is not None and not damaged and not kept.changes:
            self._has_kept = True
            return False, problems, lacking
        self._path.parent.mkdir(parents=True, exist_ok=True)
        found = list(kept.changes)
        if content is None:
            found = ["it was gone"]
        elif damaged:
            aside = self._path.with_name(f"{self._path.name}.damaged")
            _write(aside, content)
            found.insert(0, f"it was no list of plugins, and is kept as {aside.name}")
        _write(self._path, kept.encoded())
        self._tell(content, found)
        return True, problems, lacking

    def _tell(self, content: bytes | None, found: list[str]) -> None:
        """Tell what was made right: a repair, if the file has been right before."""
        for text in found:
            if self._has_kept:
                self._on_repair(
                    Difference(
                        code=FindingCode.CNI_CONFIGURATION,
                        subject="node/network-configuration",
                        text=f"{self._path}: {text}",
                    )
                )
            elif content is not None:
                log.warning("the network configuration %s is mended: %s", self._path, text)
        if content is None and not self._has_kept:
            log.info("the network configuration %s is written", self._path)
        self._has_kept = True

    def _read(self) -> bytes | None:
        content = self._path.read_bytes() if self._path.exists() else None
        if conflist.is_damaged(content) and not self._task.stopping.wait(_SETTLE):
            # Who does not write it aside has perhaps just begun.
            content = self._path.read_bytes() if self._path.exists() else None
        return content

    def _preferred(self) -> tuple[str, ...]:
        """Return what to say of the files that a runtime takes instead of ours."""
        try:
            names = [entry.name for entry in self._path.parent.iterdir() if not entry.is_dir()]
        except OSError:
            return ()
        return tuple(
            f"{self._path.parent}/{_printed(name)} comes before {self._path.name}: the runtime gives Pods "
            "that network; remove it, unless it calls tke-route-eni in its turn (multus)"
            for name in conflist.before_ours(names, self._path.name)
        )


def _printed(name: str) -> str:
    """Return a file's name as text for people and protobuf, whatever bytes it has."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _write(path: Path, content: bytes) -> None:
    """Make the file what it has to be, whole or not at all."""
    aside = path.with_name(f".{path.name}.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        with failpoints.failpoint("file.cni_conf.write"):
            while content:  # a disk with little room takes the beginning and refuses only what follows
                content = content[os.write(descriptor, content) :]
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with failpoints.failpoint("file.cni_conf.rename"):
        aside.rename(path)
