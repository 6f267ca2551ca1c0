"""What a test sees of a cluster: judged at once, or waited for with an end that says what was seen last."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from testbed.http_json import HttpError

T = TypeVar("T")

_PAUSE = 0.1


class ClusterError(AssertionError):
    """The cluster did not do what the test asked or waited for; the message has what was seen last."""


def await_true(what: str, look: Callable[[], T | None], *, seconds: float) -> T:
    """Look until there is something true, and give it; ClusterError with `what` when time is over.

    Errors of the API server and of kubectl count as nothing seen: an API server may be restarting.
    """
    end = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            last = look()
            if last:
                return last
        except (ClusterError, HttpError, OSError) as error:
            last = error
        if time.monotonic() > end:
            raise ClusterError(f"{what}: not within {seconds:.0f} s; seen last: {last}")
        time.sleep(_PAUSE)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a Pod's condition Ready is true."""
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
