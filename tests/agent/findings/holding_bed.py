"""A node whose kernel tells its agent of no change while a test says so, else it would be mended at once."""

import re
from collections import Counter
from pathlib import Path

from tests.agent.findings.checked_bed import CheckedBed

LAUNCHER = Path(__file__).with_name("holding_launcher.py")


class HoldingBed(CheckedBed):
    """A node that hears of no change in the kernel when the test wants it so."""

    of_pod = ip = veth = None
    _told_before = 0
    """Length of the log when the agent was started that runs."""

    @property
    def held(self):
        return self.directory / "held"

    def most_repaired(self):
        """How often this agent has repaired what it had to repair most often."""
        told = re.findall(r" repaired: (\S+ \S+): ", self.log()[self._told_before :])
        return max(Counter(told).values(), default=0)

    def begin_anew(self):
        """Have another agent, which remembers no repair."""
        self.stop(self.agent)
        self._told_before = len(self.log())
        self.start_again()

    def start_agent(self, **options):
        super().start_agent(**{**options, "launcher": (str(LAUNCHER), str(self.held))})


def run_all(node, commands):
    node.on_node("sh", "-c", commands.format(ip=node.ip, tmp=node.directory / "route"))
