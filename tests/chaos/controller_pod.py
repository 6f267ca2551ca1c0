"""The Pod of the controller: one replica in this process, which its kubelet starts again when it ends.

A replica that loses its Lease ends, as its process does; on a busy machine under a broken API server that
happens at any time, also when the troubles are over.
"""

import itertools
import threading
import time

from tests.chaos.agent_node import Lifeline
from tests.controller.replica import KEYS, Replica

_numbers = itertools.count(1)


class ControllerPod:
    """Invariant: between `start` and `close` a replica runs, or is being replaced by the next.

    Thread safety: any thread may call; whoever ends a replica has started the next when the call returns.
    """

    def __init__(self, around):
        self._around = around
        self._guard = threading.Lock()
        self._clock_ahead = 0.0
        self._closing = threading.Event()
        self._kubelet = threading.Thread(
            target=self._restart_what_ends, name="controller-kubelet", daemon=True
        )

    def start(self):
        self._start_replica()
        self._kubelet.start()

    def close(self):
        self._closing.set()
        self._kubelet.join()
        self._replica.stop()

    def end(self, *, killed):
        """End the replica, by SIGKILL as far as anybody outside can tell, or as SIGTERM does."""
        with self._guard:
            if killed:
                self._lifeline.cut()
            self._replica.stop()
            self._start_replica()

    def put_clock_on(self, seconds):
        """Let the next replica come now, with a clock that is so many seconds later than today's."""
        self._clock_ahead += seconds
        self.end(killed=False)

    def _restart_what_ends(self):
        while not self._closing.wait(0.1):
            with self._guard:
                if self._replica.leader.lost.is_set():
                    self._replica.stop()
                    self._start_replica()

    def _start_replica(self):
        self._lifeline = Lifeline()
        ahead = self._clock_ahead
        self._replica = Replica(
            self._around,
            f"tke-eni-ipamd-{next(_numbers)}",
            credentials=self._lifeline.credentials(KEYS),
            authorization=self._lifeline.authorization,
            clock=lambda: time.time() + ahead,
        )
        self._replica.leader.start_watching()
        self._replica.leader.stand_for_election()
