"""What daemons of a test import, imported once by the process that `testbed.forked` forks them from.

A daemon's own `main` goes on from here as it would anywhere: modules are there, and nothing has run.
"""

import importlib
from typing import Final

from ipamd.agent import memory
from ipamd.runtime import collector

_MODULES: Final = (
    "ipamd.agent.command",
    "ipamd.agent.main",
    "ipamd.agent.options",
    "ipamd.controller.command",
    "ipamd.controller.options",
    "simulator.access_files",
    "simulator.admin",
    "simulator.region",
    "simulator.summary",
)

with collector.kept_off(), memory.without_detector():
    for name in _MODULES:
        importlib.import_module(name)
