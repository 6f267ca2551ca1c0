"""The API server as a thing that runs: listening sockets, threads, running watches, faults, start and stop.

    with KubeServer(Store(), [listen()]) as server:
        ...  # server.url

The sockets may have been made in other network namespaces: a socket stays in the one it was made in. `close`
ends every connection and joins every thread. Thread-safe.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from simulator.kube import objects
from simulator.kube.access import Access
from simulator.kube.collector import Collector
from simulator.kube.connection import Connection
from simulator.kube.dispatch import Dispatcher
from simulator.kube.faults import Fault, FaultKind, Faults
from simulator.kube.kinds import namespaces
from simulator.kube.objects import Obj
from simulator.kube.registry import Registry, key_of
from simulator.kube.requests import Request
from simulator.kube.resources import NAMESPACES, ResourceTable
from simulator.kube.storage import Store
from simulator.kube.streaming import WatchControl
from simulator.kube.traffic import Traffic

_BACKLOG = 128


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Make a listening socket in the calling thread's network namespace; port 0 takes any."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


@dataclass(slots=True)
class _Listener:
    sock: socket.socket
    address: tuple[str, int]
    thread: threading.Thread | None = None
    up: threading.Event = field(default_factory=threading.Event)


class KubeServer:
    """A small Kubernetes API server.

    Invariant: after `close` no thread and no socket of it is left.
    """

    def __init__(
        self,
        store: Store,
        sockets: Sequence[socket.socket],
        *,
        access: Access | None = None,
        bookmark_seconds: float = 60.0,
        streams_lists: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Serve a store on listening sockets, which the server then owns. `clock` gives the wall time.

        Without `streams_lists` it is as a server with its feature WatchList off.
        """
        self.store = store
        self.table = ResourceTable()
        self.registry = Registry(store, self.table, clock=clock)
        self.dispatcher = Dispatcher(self.registry, streams_lists=streams_lists)
        self.collector = Collector(store, self.table, self.registry.deletion)
        self.faults = Faults()
        self.traffic = Traffic()
        self.access = access or Access()
        self.bookmark_seconds = bookmark_seconds
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._watches: list[WatchControl] = []
        self._listeners = [_Listener(sock, sock.getsockname()[:2]) for sock in sockets]
        for name in namespaces.INITIAL:
            if store.get(key_of(NAMESPACES, "", name)) is None:
                self.registry.create(NAMESPACES, "", {"metadata": {"name": name}})

    @property
    def url(self) -> str:
        """URL of the first socket."""
        host, port = self._listeners[0].address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def closing(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    def start(self) -> None:
        """Accept connections from now on."""
        self.collector.start()
        for listener in self._listeners:
            listener.up.set()
            listener.thread = threading.Thread(
                target=self._accept, args=(listener,), name=f"kube-accept-{listener.address[1]}", daemon=True
            )
            listener.thread.start()

    def close(self) -> None:
        """End everything. May be called twice."""
        self._closing.set()
        self.collector.stop()
        for listener in self._listeners:
            listener.up.set()
            with contextlib.suppress(OSError):
                listener.sock.shutdown(socket.SHUT_RDWR)
            if listener.thread:
                listener.thread.join()
            listener.sock.close()
        for thread in self._shut_connections():
            thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def inject(self, fault: Fault) -> int:
        """Switch a fault on; returns the number for `heal`."""
        number = self.faults.add(fault)
        if fault.kind is FaultKind.REFUSE:
            for listener in self._listeners:
                listener.up.clear()
                with contextlib.suppress(OSError):
                    listener.sock.shutdown(socket.SHUT_RDWR)
            for thread in self._shut_connections():
                thread.join()
        self.store.wake()
        return number

    def heal(self, number: int | None = None) -> None:
        """Switch one fault off, or all."""
        if number is None:
            self.faults.clear()
        else:
            self.faults.remove(number)
        if not self.faults.active(FaultKind.REFUSE):
            for listener in self._listeners:
                self._listen_again(listener)
        self.store.wake()

    def cut_watches(self, resource: str = "") -> int:
        """Break the connections of running watches (of a resource); returns how many."""
        return self._tell_watches(resource, cut=True)

    def expire_watches(self, resource: str = "") -> int:
        """Compact, and end running watches with a 410 ERROR event; returns how many."""
        self.store.compact()
        return self._tell_watches(resource, cut=False)

    def watches(self, resource: str = "") -> int:
        """Return how many watches run (on a resource)."""
        with self._lock:
            return sum(resource in ("", watch.request.resource) for watch in self._watches)

    def sleep(self, seconds: float) -> None:
        """Let a request wait, but not longer than the server lives."""
        self._closing.wait(seconds)

    @contextlib.contextmanager
    def running_watch(self, request: Request) -> Iterator[WatchControl]:
        """Register a watch while its stream is served."""
        control = WatchControl(request)
        with self._lock:
            self._watches.append(control)
        try:
            yield control
        finally:
            with self._lock:
                self._watches.remove(control)

    def get(self, plural: str, name: str, namespace: str = "", *, group: str = "") -> Obj:
        """Look at an object in process. Raises ApiError 404."""
        resource = self.table.at(group, "v1", plural)
        if resource is None:
            raise KeyError(f"{plural}.{group} is not served")
        return objects.clone(self.registry.get(resource, namespace, name))

    def _tell_watches(self, resource: str, *, cut: bool) -> int:
        with self._lock:
            told = [watch for watch in self._watches if resource in ("", watch.request.resource)]
            for watch in told:
                if cut:
                    watch.cut = True
                else:
                    watch.expired = True
        self.store.wake()
        return len(told)

    def _accept(self, listener: _Listener) -> None:
        while not self._closing.is_set():
            listener.up.wait()
            if self._closing.is_set():
                return
            try:
                sock, address = listener.sock.accept()
            except OSError:
                # Shut down by `close` or by a fault; or out of descriptors, which passes.
                self._closing.wait(0.01)
                continue
            thread = threading.Thread(
                target=self._serve, args=(sock, address), name="kube-connection", daemon=True
            )
            with self._lock:
                ended = [known for known in self._connections if not known.is_alive()]
                for known in ended:
                    del self._connections[known]
                self._connections[thread] = sock
                thread.start()
            if not listener.up.is_set() or self._closing.is_set():
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _serve(self, sock: socket.socket, address: tuple[str, int]) -> None:
        try:
            with contextlib.suppress(OSError):
                Connection(sock, address, self)
        finally:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _shut_connections(self) -> list[threading.Thread]:
        with self._lock:
            open_now = dict(self._connections)
        for sock in open_now.values():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.store.wake()
        return list(open_now)

    def _listen_again(self, listener: _Listener) -> None:
        if listener.up.is_set() or self._closing.is_set():
            return
        # A port that the kernel had chosen was given back when the socket stopped to listen.
        with contextlib.suppress(OSError):
            listener.sock.bind(listener.address)
        listener.sock.listen(_BACKLOG)
        listener.up.set()
