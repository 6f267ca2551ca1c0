"""One after the other for what takes the kernel's rtnl lock, so that nobody spins for it.

A request over netlink sleeps until it has the lock. A write to `net.ipv6.conf.*.disable_ipv6` does not: it
tries, and the kernel restarts the call at once when somebody else has the lock (`addrconf_disable_ipv6`,
net/ipv6/addrconf.c: rtnl_trylock, restart_syscall). A hundred ADDs at once then burn six times the CPU that
they need, and keep each other from going on. As there is one such lock for the whole machine, to take turns
here costs nothing; what is left to spin against is other processes and links that go.
"""

import threading
from typing import Final

TURN: Final = threading.Lock()
"""Held for single system calls only, never while anything is announced or waited for."""
