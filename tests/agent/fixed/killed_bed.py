"""A node whose agent dies where a test says, and is started again."""

from testbed.faults.victim import Remote
from tests.agent.fixed.fixed_bed import FixedBed, ip_of


class KilledBed(FixedBed):
    """A bed whose agent dies where it is told, and is started again as the DaemonSet does it."""

    def __init__(self, directory):
        super().__init__(directory)
        orders = self._run_directory / "orders"
        self.launcher = ("-m", "testbed.faults.victim", "--orders", str(orders), "--")
        self.victim = Remote(orders)

    def dies_at(self, point):
        """Wait for the agent's death, and start it again."""
        self.agent.process.wait(timeout=60)
        assert f"killed at {point}" in self.agent.log_tail()
        self.stop(self.agent)
        self.start_agent(options=self.options, launcher=self.launcher)
        self.eventually("an answer", lambda: self.socket.exists() and bool(self.status()))

    def add(self, sandbox):
        """Ask until it is done, as a kubelet does."""
        answers = []

        def done():
            answers.append(self.call("add", sandbox))
            return answers[-1][0] == 0

        self.eventually("the Pod's network", done, seconds=40)
        return ip_of(answers[-1][1])
