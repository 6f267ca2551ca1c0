"""The programs of docs/simulator.md do what it says."""

import re
import subprocess
import sys
from pathlib import Path

import simulator

ROOT = Path(simulator.__file__).parents[1]
PROGRAMS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "simulator.md").read_text(), re.DOTALL)


def run(program):
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_program_that_starts_the_process_learns_where_everything_is():
    (line,) = run(PROGRAMS[0])

    cloud, kube, key = line.split()
    assert cloud.startswith("http://127.0.0.1:")
    assert kube.startswith("http://127.0.0.1:")
    assert key == "AKIDdemo"


def test_the_cloud_in_the_process_of_a_test_allocates_throttles_and_counts():
    allocated, refused, counts = run(PROGRAMS[1])

    assert re.fullmatch(r"\['eip-[0-9a-z]{8}'\]", allocated)
    assert refused == "RequestLimitExceeded"
    assert "'AllocateAddresses': 2" in counts


def test_the_kubernetes_api_alone_answers_with_an_injected_fault():
    assert run(PROGRAMS[2]) == ["429"]


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "simulator" / "py.typed").exists()
