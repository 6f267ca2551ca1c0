"""Runs `ipamd` with a kernel that tells of no change while a file exists, so that only a round finds it.

python holding_launcher.py FILE agent --node-name ...
"""

import runpy
import select
import sys
import threading
import time
from pathlib import Path

_FILE = Path(sys.argv[1])
_poll = select.poll


class LatePoll:
    def __init__(self):
        self._poll = _poll()
        self.register = self._poll.register

    def poll(self, timeout=None):
        ready = self._poll.poll(timeout)
        while threading.current_thread().name == "kernel-listening" and _FILE.exists():
            time.sleep(0.02)
        return ready


setattr(select, "poll", LatePoll)  # noqa: B010 - the type of a builtin
sys.argv = ["ipamd", *sys.argv[2:]]
runpy.run_module("ipamd", run_name="__main__")
