"""Runs `ipamd` under a wall clock that is wrong by the seconds in a file, read at each look at the clock.

python wall_clock_launcher.py FILE agent --node-name ...
"""

import runpy
import sys
import time
from pathlib import Path

_FILE = Path(sys.argv[1])
_right = time.time


def _wrong() -> float:
    return _right() + float(_FILE.read_text())


time.time = _wrong
sys.argv = ["ipamd", *sys.argv[2:]]
runpy.run_module("ipamd", run_name="__main__")
