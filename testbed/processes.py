"""Children of a testbed: started with their output in a file, ended by process id, never left behind.

A child dies with the process that started it (setpriv --pdeathsig), so that even a killed demo leaves no
daemon. For the main thread only: one testbed has one `Children`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from testbed.forked import Forked

_MEASURED: Final = "COVERAGE_PROCESS_START"
"""A process that is forked ends without the handlers that write what coverage has measured."""


class ChildFailedError(RuntimeError):
    """A child did not become ready or ended early; the message holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One running process and the file that gets all it prints."""

    name: str
    process: "subprocess.Popen[bytes] | Forked"
    log: Path

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that the child printed."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def rss_mib(self) -> float:
        """Resident memory in MiB, from /proc."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise ChildFailedError(f"{self.name} (pid {self.pid}) has no VmRSS: it has ended")

    def cpu_ms(self) -> float:
        """Milliseconds of CPU that the process has used, to the next ten, from /proc."""
        # proc(5): after the name in brackets the state is the third field, utime and stime the 14th and 15th.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


class Children:
    """Invariant: every process started here is in the list until it has been waited for."""

    def __init__(self, log_directory: Path) -> None:
        log_directory.mkdir(parents=True, exist_ok=True)
        for old in log_directory.glob("*.log"):
            old.unlink()
        self._log_directory = log_directory
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    def start_python(
        self,
        name: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        netns: str = "",
        forks: bool = False,
    ) -> Child:
        """Start Python with `argv` in a network namespace by its name; `forks`: without the cost of imports.

        Only modules are forked (`-m`): a script is there to change something before the imports.
        """
        if forks and argv[0] == "-m" and _MEASURED not in os.environ:
            log = self._log_directory / f"{name}.log"
            variables = {**os.environ, **(environment or {})}
            process = Forked(argv[1:], log=log, environment=variables, netns=netns)
            child = Child(name=name, process=process, log=log)
            self._children.append(child)
            return child
        entered = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
        return self.start(name, [*entered, sys.executable, *argv], environment=environment)

    def start(self, name: str, argv: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Child:
        """Start `argv`; its output goes to `<name>.log` (appended, so a restart keeps the story)."""
        log = self._log_directory / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                # The signal follows the thread that starts the child, so it must be one that lives on.
                ["setpriv", "--pdeathsig", "TERM", "--", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                # Own session: Ctrl-C goes to the testbed, which ends its children in order.
                start_new_session=True,
            )
        child = Child(name=name, process=process, log=log)
        self._children.append(child)
        return child

    def stop(self, child: Child, *, seconds: float = 15.0) -> int:
        """End one child: SIGTERM, then SIGKILL after `seconds`; returns its exit status."""
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
            try:
                child.process.wait(seconds)
            except subprocess.TimeoutExpired:
                child.process.kill()
        status = child.process.wait()
        if child in self._children:
            self._children.remove(child)
        return status

    def kill(self, child: Child) -> None:
        """SIGKILL, as a crash."""
        child.process.kill()
        child.process.wait()
        self._children.remove(child)

    def stop_all(self) -> None:
        """End all, the newest first."""
        for child in reversed(list(self._children)):
            self.stop(child)


def wait_for_file(child: Child, path: Path, *, seconds: float) -> None:
    """Wait until `child` has written `path`; ChildFailedError when it ends first or time is over."""
    end = time.monotonic() + seconds
    while not path.exists():
        if child.process.poll() is not None:
            raise ChildFailedError(
                f"{child.name} ended with {child.process.returncode} before it was ready:\n{child.log_tail()}"
            )
        if time.monotonic() > end:
            raise ChildFailedError(f"{child.name} was not ready within {seconds:.0f} s:\n{child.log_tail()}")
        time.sleep(0.02)
