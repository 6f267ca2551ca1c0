"""Runs `ipamd` with a defect in each of its loops: the first pieces of work of each end by an exception.

    python defective_daemon.py REPORT COUNT NAMES agent --node-name ...

NAMES are those of loops, divided by commas, or `*` for all but the election. The file REPORT tells again and
again what runs: threads, tasks with their policy, and how many pieces of work each loop has begun.
"""

import json
import runpy
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from ipamd.runtime import failpoints, task

_REPORT, _COUNT, _NAMES = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")
_SPARED = "election"
"""Its defect ends the process, which is for a test of its own."""


class Defects:
    def __init__(self):
        self.begun: Counter[str] = Counter()

    def before(self, step):
        if not step.startswith(failpoints.LOOP):
            return
        name = step.removeprefix(failpoints.LOOP)
        self.begun[name] += 1
        chosen = name in _NAMES or ("*" in _NAMES and name != _SPARED)
        if chosen and self.begun[name] <= _COUNT:
            raise RuntimeError(f"injected into {name}")

    def after(self, step, seconds, error):
        pass


def _report(defects):
    while True:
        tasks = task.running()
        threads = {thread for thread in threading.enumerate() if thread is not threading.current_thread()}
        found = {
            "threads": sorted(thread.name for thread in threads - {each.thread for each in tasks}),
            "policies": {each.name: type(each.policy).__name__ for each in tasks},
            "begun": dict(defects.begun),
            "defects": {seen.name: seen.defects for seen in task.seen()},
        }
        aside = _REPORT.with_suffix(".new")
        aside.write_text(json.dumps(found))
        aside.rename(_REPORT)
        time.sleep(0.1)


_defects = Defects()
failpoints.listen(_defects)
threading.Thread(target=_report, args=(_defects,), name="report", daemon=True).start()
sys.argv = ["ipamd", *sys.argv[4:]]
runpy.run_module("ipamd", run_name="__main__")
