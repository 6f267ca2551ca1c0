"""Headless Chromium: what a page looks like to a browser, what its console says of it.

Debian's package; `make browser` and `make pictures` install it. Each call has a profile of its own.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.go_build import MissingProgramError

_SECONDS = 90
_CONSOLE = re.compile(r"INFO:CONSOLE[^\]]*\] \"(.*)\", source: ")


@dataclass(frozen=True, slots=True)
class Sight:
    """What came of one visit."""

    dom: str
    """The document as it was at the end, as HTML."""
    console: tuple[str, ...]
    """What the browser complained of, or the page has written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """A browser in a network namespace; in that of the machine without one."""

    netns: str = ""

    def visit(self, url: str) -> Sight:
        """Look at a page for a second of its own time."""
        done = self._run("--dump-dom", "--enable-logging=stderr", "--virtual-time-budget=1000", url)
        return Sight(done.stdout, tuple(_CONSOLE.findall(done.stderr)))

    def picture(self, url: str, path: Path, *, width: int, height: int, scale: float = 1.0) -> None:
        """Write what is seen of a page in a window of so many pixels as a PNG, made smaller by `scale`."""
        self._run(
            f"--screenshot={path.absolute()}",
            f"--window-size={width},{height}",
            f"--force-device-scale-factor={scale}",
            "--virtual-time-budget=1000",
            "--hide-scrollbars",
            url,
        )

    @contextlib.contextmanager
    def staying(self, url: str) -> Iterator[None]:
        """Have the page open for as long as the block lasts, by the clock of everybody else."""
        with tempfile.TemporaryDirectory(prefix="tke-eni-browser-") as profile:
            command = self._command(profile, "--remote-debugging-port=0", url)
            silent = subprocess.DEVNULL
            browser = subprocess.Popen(command, stdout=silent, stderr=silent, start_new_session=True)
            try:
                yield
            finally:
                os.killpg(browser.pid, signal.SIGKILL)
                browser.wait()

    def _run(self, *options: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory(prefix="tke-eni-browser-") as profile:
            command = self._command(profile, *options)
            return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)

    def _command(self, profile: str, *options: str) -> list[str]:
        chromium = shutil.which("chromium")
        if chromium is None:
            raise MissingProgramError("chromium is missing: run `make browser`")
        return [
            *(["ip", "netns", "exec", self.netns] if self.netns else []),
            chromium,
            "--headless",
            "--no-sandbox",  # it runs as root, and sees pages of ours only
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            f"--user-data-dir={profile}",
            *options,
        ]
