"""The last lines of the log, as the status page has them."""

import logging

import pytest

from ipamd.recent_log import RecentLog
from tests.runtime.manual_clock import ManualClock

log = logging.getLogger("ipamd.of.this.test")
log.setLevel(logging.INFO)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def recent(clock):
    recent = RecentLog(monotonic=clock.now)
    recent.start()
    yield recent
    recent.stop()


def test_the_newest_line_is_first_with_its_age(recent, clock):
    log.info("assigned %d addresses", 5)
    clock.advance(10)
    log.warning("again in %.0f s", 3)
    clock.advance(1)

    assert list(recent.lines()) == [(1, "WARNING", "again in 3 s"), (11, "INFO", "assigned 5 addresses")]


def test_only_the_last_lines_are_kept_and_long_ones_are_cut(recent):
    for number in range(500):
        log.info("%d %s", number, "x" * 1000)

    lines = list(recent.lines())
    assert len(lines) == 200
    assert lines[0][2].startswith("499 x")
    assert len(lines[0][2]) == 503


def test_lines_of_libraries_are_not_kept(recent):
    """They would have whole requests, with what signs them."""
    logging.getLogger("urllib3").warning("secret")

    assert list(recent.lines()) == []


def test_a_line_that_cannot_be_made_keeps_nobody_from_logging(recent):
    recent.handle(logging.LogRecord("ipamd.x", logging.INFO, "", 0, "%d", ("five",), None))

    assert [line[2] for line in recent.lines()] == ["%d"]


def test_nothing_is_kept_after_stop(recent):
    recent.stop()
    log.info("late")

    assert list(recent.lines()) == []
