"""Chance, so that many nodes do not do the same at one moment: jitter of delays, and choices among equals.

The generator is this module's own. The process-wide one of `random` belongs to everybody: a library that
seeds it would have all nodes wait for the same time.
"""

import random
from typing import Final

_generator: Final = random.Random()  # noqa: S311 - no secret


def fraction() -> float:
    """Return a number in [0, 1). Thread safety: any thread may call it."""
    return _generator.random()
