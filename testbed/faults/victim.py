"""Runs a daemon of the product that dies at a point: `python -m testbed.faults.victim [flags] -- agent ...`.

The daemon is the product's own, unchanged: all that is added is a listener to its steps
(`ipamd.runtime.failpoints`), which ends the process by SIGKILL, as the OOM killer does: no handler, no
`finally`, no flush. A point can be given for the start, or later to the running process over a unix socket
(`Remote`); counting begins when it is given.
"""

import argparse
import json
import os
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ipamd import __main__ as product
from ipamd.runtime import failpoints
from testbed.faults.points import Point, parse


class Kill:
    """Counts steps and kills the process at the given one. Thread safety: called from all threads."""

    def __init__(self, point: Point | None) -> None:
        self._lock = threading.Lock()
        self._point = point
        self._counts: Counter[tuple[str, str]] = Counter()
        self._taken: list[str] = []

    def arm(self, point: Point | None) -> None:
        """Begin to count anew, for this point or for none."""
        with self._lock:
            self._point = point
            self._counts.clear()
            self._taken.clear()

    def taken(self) -> list[str]:
        """Return the steps since the process was armed, or since its start."""
        with self._lock:
            return list(self._taken)

    def before(self, step: str) -> None:
        """Die before the step, if it is the one."""
        if step.startswith(failpoints.LOOP):
            return  # no effect on the outside
        with self._lock:
            self._taken.append(step)
            self._count(step, "before")

    def after(self, step: str, seconds: float, error: BaseException | None) -> None:
        """Die after the step, if it is the one."""
        del seconds, error
        if step.startswith(failpoints.LOOP):
            return
        with self._lock:
            self._count(step, "after")

    def _count(self, step: str, phase: str) -> None:
        self._counts[step, phase] += 1
        if self._point == Point(step, phase, self._counts[step, phase]):
            os.write(2, f"victim: killed at {self._point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)


class Remote:
    """A victim's other end: arms it while it runs. One connection for each order."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def arm(self, point: Point | None) -> None:
        """Have the daemon count anew; OSError when it does not run."""
        self._ask({"arm": None if point is None else str(point)})

    def taken(self) -> list[str]:
        """Return its steps since then; OSError when it does not run."""
        return [str(step) for step in self._ask({"taken": True})]

    def _ask(self, order: dict[str, Any]) -> Any:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(5.0)
            channel.connect(str(self.path))
            with channel.makefile("rw") as stream:
                stream.write(json.dumps(order) + "\n")
                stream.flush()
                answer = stream.readline()
        if not answer:
            raise ConnectionError(f"{self.path} gave no answer")
        return json.loads(answer)


def _take_orders(listener: socket.socket, kill: Kill) -> None:
    while True:
        channel, _ = listener.accept()
        with channel, channel.makefile("rw") as stream:
            order = json.loads(stream.readline() or "{}")
            answer: list[str] = []
            if "arm" in order:
                kill.arm(parse(order["arm"]) if order["arm"] else None)
            if "taken" in order:
                answer = kill.taken()
            stream.write(json.dumps(answer) + "\n")
            stream.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Register the listener, then be the daemon; return its exit code if it lives to have one."""
    parser = argparse.ArgumentParser(prog="testbed.faults.victim", description=__doc__)
    parser.add_argument(
        "--at", type=parse, metavar="STEP:PHASE:N", help="where to die, counted from the start"
    )
    parser.add_argument("--orders", type=Path, metavar="SOCKET", help="where to listen for points later on")
    parser.add_argument("daemon", nargs=argparse.REMAINDER, help="-- agent|controller and its flags")
    arguments = parser.parse_args(argv)
    kill = Kill(arguments.at)
    failpoints.listen(kill)
    if arguments.orders is not None:
        arguments.orders.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(arguments.orders))
        listener.listen()
        threading.Thread(target=_take_orders, args=(listener, kill), name="orders", daemon=True).start()
    return product.main([word for word in arguments.daemon if word != "--"])


if __name__ == "__main__":
    sys.exit(main())
