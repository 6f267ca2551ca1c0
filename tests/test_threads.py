"""Whether a thread that a test leaves running is noticed: `tests/conftest.py` looks after each file."""

import threading

from tests.testkit.threads import left_running


def test_a_thread_that_goes_on_is_named():
    before = threading.enumerate()
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="lost")
    thread.start()
    try:
        assert left_running(before, seconds=0.05) == ["lost"]
    finally:
        stop.set()
        thread.join()
    assert left_running(before, seconds=0) == []


def test_one_that_is_about_to_end_is_waited_for():
    before = threading.enumerate()
    threading.Timer(0.1, lambda: None).start()
    assert left_running(before, seconds=30) == []


def test_one_that_was_there_before_is_somebody_else_s():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert left_running(threading.enumerate(), seconds=0) == []
    finally:
        stop.set()
        thread.join()
