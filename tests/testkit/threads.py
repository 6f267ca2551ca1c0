"""Threads that are left running: they would go on in the middle of the tests that follow."""

import threading
from collections.abc import Collection

from tests.testkit.eventually import comes_about

_OF_GRPC = ("(_poll_wrapper)",)
"""Ends of the names of threads that a library keeps for the rest of the process: grpc.aio has one."""


def left_running(before: Collection[threading.Thread], *, seconds: float) -> list[str]:
    """Return the names of the threads that were not there before and do not end in time."""

    def left() -> list[threading.Thread]:
        now = (thread for thread in threading.enumerate() if not thread.name.endswith(_OF_GRPC))
        return [thread for thread in now if thread not in before]

    comes_about(lambda: not left(), seconds)
    return sorted(thread.name for thread in left())
