"""Runs suites one after another or beside each other, and keeps what was seen of them.

Thread safety: any thread may call any method.
"""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

from testbed.ci.commands import Commands, EndedError
from testbed.ci.processors import ProcessorTime
from testbed.ci.suite import FOLDER, Suite

_WORD_AFTER = 120.0
"""Seconds."""


class Run:
    """One run. Invariant: `flaky` has every test that failed and passed when it was repeated."""

    def __init__(self, commands: Commands, flaky: Path) -> None:
        """Take where flaky tests are written down."""
        self._commands = commands
        self._flaky = flaky
        self._lock = threading.Lock()
        flaky.parent.mkdir(parents=True, exist_ok=True)
        flaky.write_text("")

    @property
    def flaky(self) -> list[str]:
        """What passed only when repeated."""
        return self._flaky.read_text().splitlines()

    def suite(self, suite: Suite, *, shown: bool = True) -> bool:
        """Run a suite; return whether it passed.

        What it prints is shown at once, or else in one piece at its end.
        """
        output = None if shown else FOLDER / f"{suite.name}.log"
        if output:
            output.unlink(missing_ok=True)
        began, processors = time.monotonic(), ProcessorTime.now()
        self._say(f"== make {suite.name}" + ("" if shown else f": output in {output} until it ends"))
        passed = self._passes(suite, output)
        busy = ProcessorTime.now().busy_percent_since(processors)
        self._say(
            f"== make {suite.name}: {'passed' if passed else 'FAILED'}, {time.monotonic() - began:.0f} s, "
            f"processors {busy} % busy",
            output,
        )
        return passed

    def lanes(self, *lanes: Sequence[Suite]) -> bool:
        """Run the lanes beside each other, the suites of each one after another; return whether all passed.

        A lane ends with its first suite that fails; the others are run to their ends.
        """
        passed = [True] * len(lanes)

        def work(number: int, lane: Sequence[Suite]) -> None:
            try:
                passed[number] = all(self.suite(suite, shown=False) for suite in lane)
            except EndedError:
                passed[number] = False

        threads = [threading.Thread(target=work, args=numbered, daemon=True) for numbered in enumerate(lanes)]
        for thread in threads:
            thread.start()
        self._wait(threads)
        return all(passed)

    def _wait(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for the lanes, with a word now and then, so that it does not seem to hang."""
        began = time.monotonic()
        for thread in threads:
            while thread.is_alive():
                thread.join(_WORD_AFTER)
                if thread.is_alive():
                    self._say(f"== lanes: {time.monotonic() - began:.0f} s so far")

    def make(self, *arguments: str, output: Path | None = None, nice: int = 0) -> bool:
        """Have something made; return whether that succeeded."""
        return self._commands.run(["nice", "-n", str(nice), "make", *arguments], output) == 0

    def _passes(self, suite: Suite, output: Path | None) -> bool:
        if self.make(*suite.first, output=output):
            return True
        if not suite.again:
            return False
        failed = suite.failed()
        self._note(f"== make {suite.name}: repeating what failed", output)
        if not self.make(*suite.again, output=output):
            return False
        with self._lock, self._flaky.open("a") as flaky:
            flaky.write("".join(f"{test}\n" for test in failed or [f"make {suite.name}"]))
        return True

    def _note(self, line: str, output: Path | None) -> None:
        """Write a line into a suite's output, wherever that goes."""
        if output is None:
            self._say(line)
        else:
            with output.open("a") as log:
                log.write(f"{line}\n")

    def _say(self, line: str, output: Path | None = None) -> None:
        """Print the output of a suite, if there is one, and a line."""
        with self._lock:
            if output and output.exists():
                print(output.read_text(errors="replace").rstrip("\n"))
            print(line, flush=True)
