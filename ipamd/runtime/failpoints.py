"""Every effect on the outside, announced where it is made, for whoever listens.

    with failpoints.failpoint("cloud.AssociateAddress"):
        answer = ...

Each adapter has one place that sends: an action of the cloud, a request to the API server, a datagram of
netlink requests, a transaction of nft or of the store, a write to /proc/sys, a file. That place announces
itself, so nothing can be sent unannounced and no caller has to think of it. The names are those of the other
side, and there are as many as there are kinds of effects, never one for each object:

    cloud.<Action>                          kube.<verb>.<resource>[.<subresource>]
    netlink.<type>[+<type>...]              nft.<verb>.<set>[+...], nft.<transaction>
    store.<transaction>                     sysctl.<setting>
    file.<file>.<verb>

and, of this process only, `loop.<name>` around each piece of work of a task.

Listeners measure (latency, failures), and in the tests they end the process. Thread safety: any thread may
call anything; a listener is called on the thread that takes the step, often under a lock of its adapter, so
it must be quick and must not take steps itself.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol

LOOP: Final = "loop."
"""How the names begin that are no effects: pieces of work of the process's own threads."""


class Listener(Protocol):
    """Hears of every step; what it raises goes to whoever takes the step."""

    def before(self, step: str) -> None:
        """Hear that the step is about to be taken; nothing of it has been sent yet."""

    def after(self, step: str, seconds: float, error: BaseException | None) -> None:
        """Hear that it is over, and nobody has used its outcome yet; `error` is what it raised."""


_listeners: tuple[Listener, ...] = ()
_changing = threading.Lock()


def listen(listener: Listener) -> Callable[[], None]:
    """Have the listener called from now on; return what ends that. A second time it is called twice."""
    global _listeners  # noqa: PLW0603 - one process has one set of effects
    with _changing:
        _listeners = (*_listeners, listener)

    def leave() -> None:
        global _listeners  # noqa: PLW0603
        with _changing:
            remaining = list(_listeners)
            if listener in remaining:
                remaining.remove(listener)
            _listeners = tuple(remaining)

    return leave


class failpoint:  # noqa: N801 - reads as a statement
    """The block that makes one effect. Who begins to listen in the middle of it hears of the next one."""

    __slots__ = ("_began", "_heard_by", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._heard_by: tuple[Listener, ...] = ()
        self._began = 0.0

    def __enter__(self) -> None:
        if _listeners:
            self._heard_by = _listeners
            for listener in self._heard_by:
                listener.before(self._name)
            self._began = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._heard_by:
            seconds = time.monotonic() - self._began
            for listener in self._heard_by:
                listener.after(self._name, seconds, error)
