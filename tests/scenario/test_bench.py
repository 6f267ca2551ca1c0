"""`make bench` when it is told to end in the middle: nothing of it may stay on the machine."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.fabric import netns
from tests.testkit.eventually import eventually

pytestmark = pytest.mark.scenario


def mine(directory):
    """Return what the processes have in their command lines that know the directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:  # it has ended
            continue
        if str(directory).encode() in line:
            found.append(line)
    return found


def test_a_bench_that_is_terminated_leaves_no_process_and_no_namespace(tmp_path):
    command = [sys.executable, "-m", "testbed.bench", "--quick", "--only", "ADD and DEL"]
    region = tmp_path / "bench" / "ADD-and-DEL" / "region.json"
    with subprocess.Popen(
        [*command, "--output", str(tmp_path)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as bench:
        try:
            eventually(region.exists, seconds=60)
            node = json.loads(region.read_text())["instances"][0]["netns"]
            sandbox = f"{node}-"
            eventually(lambda: any(name.startswith(sandbox) for name in netns.names()), seconds=90)
        finally:
            bench.send_signal(signal.SIGTERM)
        said = bench.communicate(timeout=60)[0]

    assert bench.returncode == 130
    assert said.endswith("stopped; everything was removed\n")
    assert mine(tmp_path) == []
    assert [name for name in netns.names() if name.startswith(node)] == []
