"""`.ci/run`: everything that decides whether a change lands, on a machine that has nothing yet.

Programs of others are built from the first second on, with what the tests leave of the processors.
`make test` runs alone: it keeps the processors busy. The suites after it mostly wait, and run in two lanes.
What failed is repeated once. What passes only then is to be mended: it is in build/flaky.txt, printed last.
Exit status: 0 when everything passed; 1 when something failed twice; 2 when a signal ended the run.
"""

import signal
import sys
import threading
from pathlib import Path

from testbed.ci.commands import Commands, EndedError
from testbed.ci.run import Run
from testbed.ci.suite import FOLDER, Suite, conformance_suite, pytest_suite

_FLAKY = Path("build/flaky.txt")
_NICE = 10

TEST = pytest_suite("test", again="test-failed")
OWN_CLUSTERS = tuple(
    f"tests/e2e/test_{name}.py" for name in ("containerd_2", "direct_eni", "network_policies")
)
"""Tests of the cluster that do not share one with the others, so they run in the other lane."""
LANES = (
    # tests/contract/kube meets a real API server in `make contract`.
    (
        pytest_suite(
            "e2e",
            " ".join(
                ("FILES=tests/e2e tests/deploy/test_image.py", *(f"--ignore={one}" for one in OWN_CLUSTERS))
            ),
        ),
    ),
    (
        pytest_suite("browser"),
        pytest_suite("contract"),
        conformance_suite(),
        Suite(name="coverage-units", first=("coverage-units",)),
        pytest_suite(
            "e2e-own-clusters",
            " ".join(("FILES=--junitxml=build/e2e-own-clusters.xml", *OWN_CLUSTERS)),
            target="e2e",
        ),
    ),
)


class _StoppedError(KeyboardInterrupt):
    """A signal came."""


def main() -> int:
    """Run all of it."""
    commands = Commands()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        return _run(Run(commands, _FLAKY))
    except (_StoppedError, EndedError):
        return 2
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        commands.end()


def _stop(_number: int, _frame: object) -> None:
    raise _StoppedError


def _run(run: Run) -> int:
    if not run.make("shim", "shim-arm64"):  # its tests run it by emulation
        return 1
    programs = threading.Thread(target=_build, args=(run,), daemon=True)
    programs.start()
    if not run.suite(TEST):
        return 1
    programs.join()
    passed = run.lanes(*LANES)
    if run.flaky:
        print("== passed only when repeated:", *run.flaky, sep="\n", flush=True)
    return 0 if passed else 1


def _build(run: Run) -> None:
    """Make what suites need of others. Who needs it makes what is missing, and says what is wrong."""
    try:
        if not run.make("programs", output=FOLDER / "programs.log", nice=_NICE):
            print(f"== make programs: failed, see {FOLDER / 'programs.log'}", flush=True)
    except EndedError:
        return


if __name__ == "__main__":
    sys.exit(main())
