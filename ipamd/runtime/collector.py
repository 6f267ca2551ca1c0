"""The garbage collector of Python, kept away from what stays anyhow."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def kept_off() -> Iterator[None]:
    """Import something in the block: what is made in it stays, and the collector never looks at it again.

    It would go through all modules a dozen times while they are imported (an eighth of the CPU of the agent's
    start), and once more whenever it looks at everything, which stops all threads for 20 ms. What the imports
    themselves leave behind stays too, less than 0.3 MiB.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
