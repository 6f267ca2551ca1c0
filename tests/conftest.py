"""What all tests share.

In CI hypothesis draws the same examples in every run, so that a change is judged by what it changes. Anywhere
else it looks for new ones; what it finds becomes a test of its own.
"""

import logging
import os
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import coverage
import hypothesis
import pytest

from ipamd.runtime import collector
from tests.testkit.threads import left_running

# How fast examples are drawn and tried says how busy the machine is, and nothing about what is tested.
hypothesis.settings.register_profile(
    "here", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("ci", hypothesis.settings.get_profile("here"), derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

_TESTS = Path(__file__).parent
_NAMED_ONLY = [
    _TESTS / "e2e",
    _TESTS / "browser",
    _TESTS / "apiserver",
    _TESTS / "contract" / "cloud" / "clients",
    _TESTS / "contract" / "grpc",
    _TESTS / "contract" / "kube_proxy",
]
"""What needs programs that take minutes to get; `make e2e` and `make contract` name them."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these tests out unless a path within them is named."""
    if collection_path not in _NAMED_ONLY:
        return None
    named = [
        (config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args
    ]
    return None if any(path.is_relative_to(collection_path) for path in named) else True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while more than ten thousand tests are made, nor among them later.

    Each worker makes all of them, and they stay until it ends.
    """
    with collector.kept_off():
        return (yield)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with whole regions first: a long one that came last would keep one worker busy, and no other.

    Within a file, and among files of a kind, the order stays.
    """
    long = {item.path for item in items if item.get_closest_marker("scenario")}
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let `make coverage` record which test ran a line: `make mutants` picks tests by that."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(item.nodeid)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Take away what a test's `main()` has configured: its handler writes to a stream that pytest closes."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


_KEEP_THREADS = {
    _TESTS / "contract" / "kube": "connections between server and clients of the whole session",
}
"""Where threads may be left, and whose they are."""


@pytest.fixture(autouse=True, scope="module")
def threads_have_ended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a file of tests that leaves threads running: they would go on in the middle of the next one."""
    before = threading.enumerate()
    yield
    if not any(request.path.is_relative_to(path) for path in _KEEP_THREADS):
        left = left_running(before, seconds=10)
        if left:
            pytest.fail(f"left running: {', '.join(left)}", pytrace=False)
