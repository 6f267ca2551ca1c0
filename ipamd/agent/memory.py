"""Keeps the daemon's memory small: it runs on every node, with some forty threads that mostly wait.

glibc gives each thread an arena of its own, up to eight for each CPU, and keeps what is freed in them. Python
allocates under one lock anyhow, so one arena costs nothing; large blocks (lists from the cloud and the
kernel) go back to the system when they are freed. Measured with 250 Pods: 14 MiB less after a repair round.
"""

import contextlib
import ctypes
import logging
import sys
import warnings
from collections.abc import Iterator

log = logging.getLogger(__name__)

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE = 64 * 1024
_OPTIONS = {_M_ARENA_MAX: 1, _M_TRIM_THRESHOLD: _LARGE, _M_MMAP_THRESHOLD: _LARGE}


def economize() -> None:
    """Tune the C library's allocator, before there are threads; without glibc this does nothing."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError) as e:
        log.debug("the allocator cannot be tuned: %s", e)
        return
    for option, value in _OPTIONS.items():
        mallopt(option, value)


@contextlib.contextmanager
def without_detector() -> Iterator[None]:
    """Have `requests`, if it is imported inside the block, do without charset_normalizer: 2.7 MiB.

    It would guess the encoding of texts that name none; the cloud's SDK, for which `requests` is there, reads
    JSON. It is optional by the code of `requests` (compat.py), which then takes UTF-8, and warns.
    """
    name = "charset_normalizer"
    if name in sys.modules:
        yield
        return
    # How Python is told that there is no such module (The import system, "The module cache").
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Unable to find acceptable character detection")
            yield
    finally:
        del sys.modules[name]
