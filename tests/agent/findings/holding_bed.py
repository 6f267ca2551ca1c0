"""A node whose kernel tells its agent of no change while a test says so, else it would be mended at once."""

from pathlib import Path

from tests.agent.findings.checked_bed import CheckedBed

LAUNCHER = Path(__file__).with_name("holding_launcher.py")


class HoldingBed(CheckedBed):
    """A node that hears of no change in the kernel when the test wants it so."""

    of_pod = ip = veth = None

    @property
    def held(self):
        return self.directory / "held"

    def start_agent(self, **options):
        super().start_agent(**{**options, "launcher": (str(LAUNCHER), str(self.held))})


def run_all(node, commands):
    node.on_node("sh", "-c", commands.format(ip=node.ip, tmp=node.directory / "route"))
