"""Starts a cluster as a child process for as long as a `with` block lasts; for tests."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_START_SECONDS = 240.0
_END_SECONDS = 60.0


class ClusterStartError(RuntimeError):
    """The cluster did not come up; the message has what it printed."""


@contextlib.contextmanager
def running_cluster(directory: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Run `python -m testbed.cluster` with these options and give the content of its cluster.json."""
    directory.mkdir(parents=True, exist_ok=True)
    ready = directory / "cluster.json"
    ready.unlink(missing_ok=True)
    output = directory / "output.log"
    command = [sys.executable, "-m", "testbed.cluster", "--die-with-parent", "--directory", str(directory)]
    with output.open("wb") as log:
        # In a session of its own: Ctrl-C is for the tests, which end the cluster in order.
        process = subprocess.Popen(
            [*command, *options], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        end = time.monotonic() + _START_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise ClusterStartError(f"no cluster, see {directory}:\n{output.read_text(errors='replace')}")
            time.sleep(0.1)
        access: dict[str, Any] = json.loads(ready.read_text())
        yield access
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
