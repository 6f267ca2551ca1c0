"""Removes links in the background, because the kernel takes 20 ms for each.

A veth is gone only after the kernel has waited for its RCU readers; a runtime that drains a node need not
wait for that. What is lost when the process ends is a link without owner, which the agent's repair removes.
Links are named by their index, which the kernel does not give to a later link, so a new sandbox of the same
Pod is never hit. Thread safety: any thread may call any method.
"""

import logging
import queue
import threading

from ipamd.core import errors
from ipamd.net import rtnetlink
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)


class LinkRemoval:
    """One thread that removes links in the order in which they were named.

    Invariant: the thread runs from the first link until `close`, in the namespace of the thread that named
    that first link.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._links: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._task: Task | None = None
        self._leaving: set[int] = set()

    @property
    def leaving(self) -> frozenset[int]:
        """The indices of the links that were named and are not removed yet."""
        with self._guard:
            return frozenset(self._leaving)

    def remove(self, ifindex: int) -> None:
        """Have the link removed soon."""
        with self._guard:
            if self._task is None:
                task = Task("link-removal", self._remove_next, policy=Survive())
                task.start()  # if the node has no room for a thread, the next link tries again
                self._task = task
            self._leaving.add(ifindex)
            self._links.put(ifindex)

    def close(self) -> None:
        """Wait until every link that was named is gone, and end the thread; a later `remove` starts anew."""
        with self._guard:
            task, self._task = self._task, None
            if task is not None:
                self._links.put(None)
                task.join(None)

    def _remove_next(self) -> bool:
        ifindex = self._links.get()
        if ifindex is None:
            return False
        try:
            with NetlinkSocket(ROUTE) as channel:
                channel.change(rtnetlink.delete_link_index(ifindex))
        except errors.KernelError as e:
            log.warning("%s; the repair will try again", e)
        finally:
            # Without the guard: `close` waits for this thread under it.
            self._leaving.discard(ifindex)
        return True
