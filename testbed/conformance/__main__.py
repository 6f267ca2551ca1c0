"""`make conformance`: run Kubernetes' tests of the network, in each mode of kube-proxy and with policies.

Writes build/conformance.xml. Exit status: 0 when no test failed, 1 when one did or could not be run.
"""

import argparse
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from testbed.cluster import deployment
from testbed.cluster.images import Image, ImageError
from testbed.cluster.parts import CONTAINERD_LINES
from testbed.cluster.running import ClusterStartError, running_cluster
from testbed.conformance import choice, outcomes, program, summary
from testbed.conformance.images import conformance_images
from testbed.conformance.outcomes import Outcome
from testbed.go_build import MissingProgramError
from testbed.kubernetes.programs import CONFORMANCE

_FOLDER = Path(__file__).parent
_DIRECTORY = Path("build/conformance")
_RESULT = Path("build/conformance.xml")
_IMAGE = Path("build/image/ipamd.tar")
_RUN_SECONDS = 3600.0

_ERRORS = (choice.ChoiceError, program.RunError, ImageError, MissingProgramError, FileNotFoundError)


class _StoppedError(KeyboardInterrupt):
    """A signal came; everything is taken down on the way out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is missing, run, tell."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    if CONFORMANCE.main() != 0:
        return 1
    try:
        if options.prepare:
            conformance_images()
            return 0
        return _run(options)
    except (
        choice.ChoiceError,
        program.RunError,
        ClusterStartError,
        ImageError,
        MissingProgramError,
    ) as error:
        print(f"make conformance: {error}", file=sys.stderr)
        return 1
    except _StoppedError:
        return 1


def _stop(number: int, _frame: object) -> None:
    raise _StoppedError(number)


def _run(options: argparse.Namespace) -> int:
    skips = choice.parse_skips((_FOLDER / "skips.yaml").read_text())
    tests = [test for test in program.list_tests() if choice.in_groups(test)]
    stale = choice.idle(skips, tests)
    if stale:
        raise choice.ChoiceError(f"skips.yaml skips nothing with {', '.join(repr(s.tests) for s in stale)}")
    images = conformance_images()
    wanted = _wanted(options, tests)
    _RESULT.unlink(missing_ok=True)
    results: dict[str, list[Outcome]] = {}
    for name, names in wanted.items():
        mode = choice.RUNS[name].proxy_mode
        reasons = {test: choice.why_skipped(test, skips, mode) for test in names}
        results[name] = [
            Outcome(test=test, verdict="skipped", message=why) for test, why in reasons.items() if why
        ]
        results[name] += _run_in(name, [test for test, why in reasons.items() if not why], images, options)
        _RESULT.write_text(outcomes.write_junit(results))
    print(f"\n{summary.summary(results)}\n\n{summary.closing_line(results)}")
    return 1 if any(outcome.verdict == "failed" for run in results.values() for outcome in run) else 0


def _run_in(
    name: str, chosen: Sequence[str], images: Sequence[Image], options: argparse.Namespace
) -> list[Outcome]:
    """Run tests against a cluster of their own. What prevents that is what all of them failed of."""
    if not chosen:
        return []
    directory, run = _DIRECTORY / name, choice.RUNS[name]
    cluster = ["--deploy", "--dns", f"--proxy-mode={run.proxy_mode}", f"--policies={run.policies}"]
    cluster += [f"--containerd={options.containerd}"]
    cluster += [f"--image={deployment.IMAGE}:{deployment.version()}={_IMAGE}"]
    cluster += [f"--image={image.name}={image.archive}" for image in images]
    began = time.monotonic()
    print(f"{len(chosen)} tests of the run {name}, output in {directory}", flush=True)
    try:
        with running_cluster(directory, *cluster) as access:
            print(f"  the cluster is up after {time.monotonic() - began:.0f} s", flush=True)
            report = program.run(chosen, access, directory, processes=options.processes, seconds=_RUN_SECONDS)
    except (ClusterStartError, program.RunError) as error:
        return [Outcome(test=test, verdict="failed", message=str(error)) for test in chosen]
    finally:
        print(f"  ended after {time.monotonic() - began:.0f} s", flush=True)
    return outcomes.read_report(report, chosen)


def _wanted(options: argparse.Namespace, tests: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Give the tests to run, or to skip, of each run."""
    runs: Sequence[str] = options.run or list(choice.RUNS)
    if options.last_failed:
        return _failed_before(tests, runs)
    if options.bounded:
        tests = choice.choose(tests, choice.parse_patterns((_FOLDER / "bounded.txt").read_text()))
    if options.focus:
        tests = choice.choose(tests, options.focus)
    return {name: [test for test in tests if choice.belongs(test, choice.RUNS[name])] for name in runs}


def _failed_before(tests: Sequence[str], runs: Sequence[str]) -> Mapping[str, Sequence[str]]:
    failed = outcomes.failed_in(_RESULT.read_text())
    found = {name: [test for test in failed.get(name, []) if test in tests] for name in runs}
    if not any(found.values()):
        raise choice.ChoiceError(f"no test of the runs {', '.join(runs)} failed in {_RESULT}")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed.conformance", description=__doc__)
    add = parser.add_argument
    add("--prepare", action="store_true", help="build programs and images, and run nothing")
    add("--bounded", action="store_true", help="only what bounded.txt names")
    add("--focus", action="append", metavar="REGEX", help="only tests that it fits; may be repeated")
    add("--last-failed", action="store_true", help=f"only what failed according to {_RESULT}")
    add("--run", action="append", choices=list(choice.RUNS), help="by default each")
    add("--containerd", choices=CONTAINERD_LINES, default="2", help="major version")
    add("--processes", type=int, default=4, help="how many tests run beside each other")
    return parser


if __name__ == "__main__":
    sys.exit(main())
