"""Processes that work beside each other, and end with the one that started them, however that ends.

Each has regions, nodes and daemons of its own: what ends a worker has it remove them. For the main thread
only: the signal that tells of a parent's end follows the thread that has started the child (prctl(2)).
"""

import ctypes
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

_Result = TypeVar("_Result")

_PR_SET_PDEATHSIG: Final = 1
"""From linux/prctl.h."""
_CLEAN_SECONDS: Final = 60.0
"""For removing what a worker has made."""


class WorkerEndedError(RuntimeError):
    """A worker ended without a result; the message says how."""


class StoppedError(KeyboardInterrupt):
    """A signal came; everything is taken down on the way out."""


def stop_by_signal() -> None:
    """Let the signals that end a process raise StoppedError in its main thread."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)


def results(
    work: Callable[..., _Result], shares: Sequence[tuple[Any, ...]]
) -> Iterator[_Result | WorkerEndedError]:
    """Do all shares at once, each in a process of its own; yield their results in order.

    Whatever ends the wait for them ends them.
    """
    context = multiprocessing.get_context("spawn")
    workers: list[tuple[Any, Connection]] = []
    try:
        for share in shares:
            mine, its = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(os.getpid(), its, work, share))
            worker.start()
            its.close()
            workers.append((worker, mine))
        for worker, mine in workers:
            yield _result(worker, mine)
    finally:
        _end([worker for worker, _ in workers])


def _result(worker: Any, connection: Connection) -> Any:
    try:
        return connection.recv()
    except EOFError:
        worker.join()
        return WorkerEndedError(f"ended with {worker.exitcode} and without a result, see its output")


def _work(parent: int, connection: Connection, work: Callable[..., Any], share: tuple[Any, ...]) -> None:
    stop_by_signal()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return
    try:
        connection.send(work(*share))
    except StoppedError:
        return
    except Exception:  # noqa: BLE001 - told by whoever waits for the result
        traceback.print_exc()
    finally:
        connection.close()


def _end(workers: Sequence[Any]) -> None:
    for worker in workers:
        if worker.is_alive():
            worker.terminate()
    for worker in workers:
        worker.join(_CLEAN_SECONDS)
        if worker.is_alive():
            worker.kill()
            worker.join()


def _stop(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # one is enough: what follows is the way out
    raise StoppedError
