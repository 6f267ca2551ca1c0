"""Pods that come and go in waves, some with an EIP, beside one that stays: what a busy node sees all day."""

from dataclasses import dataclass
from itertools import count

from testbed.bed import Bed
from testbed.probes import SourceReporter, seen_source
from testbed.runtime import Sandbox
from testbed.soak import figures

WITH_EIP, WITHOUT = 4, 6
"""Pods of a wave."""
_ANNOTATIONS = {"eip-attributes": ""}


class StrayError(AssertionError):
    """Something happened to a Pod that should not have."""


@dataclass
class Churn:
    """Makes waves on one node. Not thread-safe."""

    bed: Bed
    life_cycles: int = 0

    def __post_init__(self) -> None:
        """Start the Pod that stays."""
        self._numbers = count(1)
        self.resident, outcome = self.bed.add_pod("resident", annotations=_ANNOTATIONS, eip=True)
        outcome.result()
        self._eip = self._seen()

    def wave(self) -> None:
        """Let Pods come and go until nothing of them is left; StrayError if the resident suffers."""
        number = next(self._numbers)
        sandboxes = [
            self._create(f"wave-{number}-{index}", eip=index < WITH_EIP)
            for index in range(WITH_EIP + WITHOUT)
        ]
        for outcome in self.bed.runtime.run_all("ADD", sandboxes)[0]:
            outcome.result()
        for sandbox in sandboxes:
            self.bed.workloads.delete_pod(sandbox.pod_name)
        for outcome in self.bed.runtime.run_all("DEL", sandboxes)[0]:
            outcome.result()
        for sandbox in sandboxes:
            self.bed.runtime.remove_sandbox(sandbox)
            self.bed.workloads.remove_pod(sandbox.pod_name)
        self.bed.wait_until("the wave is gone", self._is_gone, seconds=60)
        self.life_cycles += len(sandboxes)
        if self._seen() != self._eip:
            raise StrayError(f"the Pod that stays is seen as {self._seen() or 'nobody'}, not as {self._eip}")

    def end(self) -> None:
        """Let the Pod that stayed go, too."""
        self.bed.delete_pod(self.resident)
        self.bed.wait_until("all claims are gone", lambda: not self.bed.workloads.claims(), seconds=60)

    def _create(self, name: str, *, eip: bool) -> Sandbox:
        pod = self.bed.workloads.create_pod(
            name, node=self.bed.node.name, annotations=_ANNOTATIONS if eip else None, eip=eip
        )
        return self.bed.runtime.new_sandbox(pod=pod)

    def _is_gone(self) -> bool:
        return len(self.bed.workloads.claims()) == 1 and figures.orders(self.bed) == 1

    def _seen(self) -> str:
        with SourceReporter(self.bed.internet_netns):
            return seen_source(self.resident.netns, self.bed.internet_hosts[0])
