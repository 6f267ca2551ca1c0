"""Wait for what kernel, processes and threads bring about; where time can be an argument, it is one."""

import time
from collections.abc import Callable
from typing import Any


def eventually(condition: Callable[..., Any], what: str = "", *, seconds: float = 30.0) -> Any:
    """Return the first true value of the condition.

    Raises:
        AssertionError: there was none in time; `what` says what was waited for.
    """
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what or 'the condition'}: not within {seconds:g} s; it is {found!r}"
        time.sleep(0.005)
    return found


def comes_about(condition: Callable[..., Any], seconds: float, *, tick: float = 0.02) -> bool:
    """Return whether the condition becomes true in time: for tests that go on without it."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(tick)
    return True
