"""The one thread that does the server's reading: it accepts connections, reads them, and looks at the clock.

It serves nothing itself, so no request can hold it up.
"""

import errno
import logging
import math
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ipamd.core.timing.backoff import Backoff
from ipamd.grpc_server.methods import ServedMethod
from ipamd.grpc_server.peer import BEGIN_SECONDS, Peer
from ipamd.runtime.defects import Survive
from ipamd.runtime.request_threads import RequestThreads
from ipamd.runtime.task import Task, note_defect

log = logging.getLogger(__name__)

MOST_PEERS: Final = 512
"""Connections at a time; for one more, the one that is idle for the longest time goes."""
_MOST_AT_ONCE: Final = 64
_PAUSE_SECONDS: Final = 0.1
"""After a connection that could not be accepted, for want of descriptors."""
_POLICY: Final = Survive(backoff=Backoff(first=0.05, longest=1.0))
_LACKING: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class EventLoop:
    """Invariant: `_peers` has the open connections by descriptor, and all are watched.

    Thread safety: any thread may call any public method.
    """

    def __init__(
        self, listener: socket.socket, methods: Mapping[str, ServedMethod], threads: Iterable[RequestThreads]
    ) -> None:
        """Take a socket that listens, what can be called, and the threads that serve it."""
        self._listener: socket.socket | None = listener
        self._methods = methods
        self._threads = tuple(threads)
        self._poll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._bell, select.EPOLLIN)
        self._poll.register(listener, select.EPOLLIN)
        self._peers: dict[int, Peer] = {}
        self._due = math.inf
        self._due_guard = threading.Lock()
        self._jobs: list[Callable[[], None]] = []
        self._is_leaving = False
        self._quiet = threading.Event()
        self._task = Task("rpc-socket", self._round, policy=_POLICY)

    def start(self) -> None:
        """Start the thread."""
        self._task.start()

    def leave(self, grace: float) -> bool:
        """Accept nothing more, let the calls under way end within the time; return whether they have."""
        self._do(self._begin_to_leave)
        return self._quiet.wait(grace) if self._task.has_started else True

    def stop(self, timeout: float) -> bool:
        """Cancel what is under way, close all connections, end the thread; return whether it has ended."""
        self._do(self._cancel)
        self._quiet.wait(min(1.0, timeout))
        self._task.stopping.set()
        self._ring()
        ended = self._task.join(timeout)
        if ended:
            self._close()
        return ended

    def look_at(self, at: float) -> None:
        """Look at all connections at this time, by the monotonic clock, if not before."""
        with self._due_guard:
            if at >= self._due:
                return
            self._due = at
        if threading.current_thread() is not self._task.thread:
            self._ring()

    def watch_writing(self, descriptor: int, *, wanted: bool) -> None:
        """Tell, or tell no more, when a socket takes data again."""
        self._poll.modify(descriptor, select.EPOLLIN | select.EPOLLOUT if wanted else select.EPOLLIN)

    def note_end(self) -> None:
        """Hear that a call has ended: the last one may be waited for."""
        if self._is_leaving:
            self._ring()

    # ---- the thread

    def _round(self) -> bool:
        now = time.monotonic()
        timeout = min([self._due - now, *(threads.relieve(now) for threads in self._threads)])
        for descriptor, event in self._poll.poll(None if timeout == math.inf else max(0.0, timeout)):
            if descriptor == self._bell:
                os.eventfd_read(self._bell)
            elif descriptor in self._peers:
                self._serve(self._peers[descriptor], event)
            elif self._listener is not None and descriptor == self._listener.fileno():
                self._accept(_MOST_AT_ONCE)
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job()
        if time.monotonic() >= self._due:
            self._look()
        if self._is_leaving and all(peer.is_idle for peer in self._peers.values()):
            self._quiet.set()
        return True

    def _serve(self, peer: Peer, event: int) -> None:
        try:
            if event & select.EPOLLOUT:
                peer.write()
            goes_on = peer.receive() if event & ~select.EPOLLOUT else True
        except Exception:  # a defect of one connection is not the others'
            log.exception("a connection to the socket failed by a defect")
            note_defect()
            goes_on = False
        if not goes_on:
            self._end(peer)

    def _end(self, peer: Peer) -> None:
        if self._peers.pop(peer.descriptor, None) is not None:
            peer.close()  # which ends the watch, too

    def _accept(self, most: int) -> None:
        for _ in range(most):
            if self._listener is None:
                return
            try:
                connection, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno in _LACKING:
                    log.warning("a connection to the socket cannot be accepted: %s", e.strerror)
                    self._task.stopping.wait(_PAUSE_SECONDS)
                return
            connection.settimeout(0)
            self._admit(connection)

    def _admit(self, connection: socket.socket) -> None:
        if len(self._peers) >= MOST_PEERS:
            idle = min(
                (peer for peer in self._peers.values() if peer.is_idle),
                key=lambda peer: peer.used_at,
                default=None,
            )
            if idle is None:
                connection.close()
                return
            self._end(idle)
        peer = Peer(connection, self._methods, self)
        self._peers[peer.descriptor] = peer
        self._poll.register(peer.descriptor, select.EPOLLIN)
        self.look_at(peer.used_at + BEGIN_SECONDS)
        self._serve(peer, select.EPOLLIN)  # the plugin sends as soon as it has connected

    def _look(self) -> None:
        """Have all connections do what is due."""
        with self._due_guard:
            self._due = math.inf
        now = time.monotonic()
        for peer in list(self._peers.values()):
            due = peer.look(now)
            if due is None:
                self._end(peer)
            else:
                self.look_at(due)

    def _begin_to_leave(self) -> None:
        if self._listener is not None:
            self._accept(MOST_PEERS)  # who has been let in by the kernel
            self._poll.unregister(self._listener)
            self._listener.close()
            self._listener = None
        for peer in list(self._peers.values()):
            self._serve(peer, select.EPOLLIN)  # what it has sent already is served
            peer.go_away()
        self._is_leaving = True

    def _cancel(self) -> None:
        for peer in self._peers.values():
            peer.cancel()

    def _do(self, job: Callable[[], None]) -> None:
        self._jobs.append(job)
        self._ring()

    def _ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _close(self) -> None:
        for peer in list(self._peers.values()):
            self._end(peer)
        if self._listener is not None:
            self._listener.close()
        self._poll.close()
        os.close(self._bell)
