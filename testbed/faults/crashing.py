"""Kills a daemon at one point of one scenario and looks whether everything comes right again.

What comes right in seconds is waited for at once. What takes longer by design is remembered by the name of
its Pod and waited for at the end: a claim whose order may still deliver an EIP is kept for two minutes, and a
sandbox that went without a DEL is left alone while it is young.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from testbed import masquerade, probes
from testbed.faults import evidence, invariants
from testbed.faults.invariants import Expectation, Violation, Wanted
from testbed.faults.kubelet import Kubelet, Retry
from testbed.faults.points import Point
from testbed.faults.scenario import PATIENT, Scenario, Scene, StartScenario
from testbed.faults.stage import AGENT, CLUSTER_ID, MIN_WARM, Flags, Stage

SOON: Final = 8.0
"""Seconds in which everything that waits for nothing by design has come right."""
LATE: Final = 150.0
"""Seconds in which everything has: two minutes for an order, and some rounds of the daemons."""


class Outcome(Enum):
    """What became of a kill."""

    CONVERGED = "converged"
    LATER = "converged later"
    """Something was kept for its time, and then went."""
    NOT_REACHED = "not reached"
    """The run did not come by the point; nothing was killed and nothing is proved."""
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Trial:
    """One kill and its outcome."""

    scenario: str
    daemon: str
    point: Point
    retry: Retry
    outcome: Outcome = Outcome.NOT_REACHED
    violations: list[Violation] = field(default_factory=list)
    seconds: float = 0.0
    alone: str = ""
    """How it ended when a failure was repeated on a node of its own."""

    def fail(self, violations: Sequence[Violation]) -> None:
        """Note what did not come right."""
        self.outcome = Outcome.FAILED
        self.violations += violations


class Performance:
    """One node on which trials are made one after the other.

    Invariant: between two trials nothing is left of the last one but what is in `_late`.
    """

    def __init__(self, directory: Path, flags: Flags = PATIENT) -> None:
        """Take where logs go, and what the daemons are told."""
        self._flags = flags
        self.stage = Stage(directory, flags)
        self._lacks: Callable[[], list[str]] = list
        self._kubelet = Kubelet(stage=self.stage)
        self._late: dict[str, Trial] = {}  # by the prefix of its Pods' names
        self._number = 0
        self._reporter: probes.SourceReporter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self, *, victim: str = "", at: Point | None = None) -> None:
        """Start region and daemons; the one named `victim` dies at the point on its way."""
        self.stage.open(victim=victim, at=at)
        bed = self.stage.bed
        masquerade.install(bed.node.netns, vpc_cidrs=bed.region["vpc_cidrs"])
        self._reporter = probes.SourceReporter(bed.internet_netns)

    def close(self) -> None:
        """Remove everything."""
        if self._reporter is not None:
            self._reporter.close()
        self.stage.close()

    def record(self, scenario: Scenario) -> dict[str, list[str]]:
        """Perform the scenario without a kill; return the steps of each victim."""
        scene = self._scene(Retry.SAME_SANDBOX)
        self._lacks = lambda: scenario.lacks(scene)
        scenario.prepare(scene)
        self._settle(SOON)
        if isinstance(scenario, StartScenario):
            scenario.interrupt(scene)
        else:
            for name in scenario.victims:
                self.stage.remote(name).arm(None)
        scenario.act(scene)
        late = self._settle(SOON)
        if late:
            raise RuntimeError(
                f"{scenario.name} does not come to rest without a kill: {'; '.join(map(str, late))}"
            )
        taken = {name: self.stage.remote(name).taken() for name in scenario.victims}
        self._clean_up()
        return taken

    def attempt(self, scenario: Scenario, trial: Trial) -> None:
        """Perform the scenario with a kill and write the outcome into the trial."""
        began = time.monotonic()
        scene = self._scene(trial.retry)
        self._lacks = lambda: scenario.lacks(scene)
        try:
            scenario.prepare(scene)
            self._settle(SOON)
            self.stage.deaths.clear()
            if isinstance(scenario, StartScenario):
                scenario.interrupt(scene)
                scenario.act(scene, at=trial.point)
            else:
                self.stage.remote(trial.daemon).arm(trial.point)
                scenario.act(scene)
            self._judge(trial, scene)
            if trial.outcome is not Outcome.FAILED:
                self._disarm(trial.daemon)
                self._clean_up()
                self._judge(trial, scene)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the outcome of this kill
            trial.fail([Violation(kind="unmended", text=f"{type(error).__name__}: {error}")])
        trial.seconds = time.monotonic() - began

    def record_start(self, daemon: str) -> list[str]:
        """Return the steps of a daemon's first start, right after `open`."""
        self._settle(SOON)
        return self.stage.remote(daemon).taken()

    def attempt_start(self, trial: Trial) -> None:
        """Open everything with a kill in the daemon's first start, and write the outcome into the trial."""
        began = time.monotonic()
        try:
            self.open(victim=trial.daemon, at=trial.point)
            scene = self._scene(trial.retry)
            self._judge(trial, scene)
            if trial.outcome is not Outcome.FAILED:
                scene.run()
                self._judge(trial, scene)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is the outcome of this kill
            trial.fail([Violation(kind="unmended", text=f"{type(error).__name__}: {error}")])
        trial.seconds = time.monotonic() - began

    def finish(self) -> list[Violation]:
        """Wait for what takes its time, and look at the whole run; return what is not a single trial's."""
        rest = self._settle(LATE, forgive=False) if self._late else self._settle(SOON, forgive=False)
        nobodys = []
        for violation in rest:
            trial = next((t for prefix, t in self._late.items() if violation.pod.startswith(prefix)), None)
            if trial is None:
                nobodys.append(violation)
            else:
                trial.fail([violation])
        writes = self.stage.bed.admin.get("/audit")["writes"]
        return nobodys + invariants.repeated_orders(writes)

    def _disarm(self, daemon: str) -> None:
        """A point that was not reached must not be hit later, in the middle of something else."""
        with contextlib.suppress(OSError):  # it dies of it at this very moment, which is tended
            self.stage.remote(daemon).arm(None)

    def _judge(self, trial: Trial, scene: Scene) -> None:
        late = self._settle(SOON)
        died = trial.daemon in self.stage.deaths
        gone = [v for v in late if v.pod.startswith(scene.prefix) and v.pod not in self._kubelet.running]
        if len(gone) < len(late):
            trial.fail([v for v in late if v not in gone])
        elif gone:
            self._late[scene.prefix] = trial
            trial.outcome = Outcome.LATER
        elif died and trial.outcome is Outcome.NOT_REACHED:
            trial.outcome = Outcome.CONVERGED
        trial_packets = self._packets() if trial.outcome is not Outcome.FAILED else []
        if trial_packets:
            trial.fail(trial_packets)

    def _packets(self) -> list[Violation]:
        """Send from each Pod to the internet: it is seen as its EIP, or as the node."""
        bed = self.stage.bed
        public = {
            c["metadata"]["name"]: c["status"]["address"]["ip"]
            for c in bed.workloads.claims()
            if c["status"].get("address")
        }
        found = []
        for pod in self._kubelet.running.values():
            expected = public.get(pod.name, "no EIP") if pod.eip else bed.node.public_ip
            seen = probes.seen_source(pod.sandbox.netns, bed.internet_hosts[0])
            if seen != expected:
                text = f"Pod {pod.name} is seen as {seen or 'nobody'}, it should be {expected}"
                found.append(Violation(kind="unmended" if not seen else "stolen", text=text, pod=pod.name))
        return found

    def _settle(self, seconds: float, *, forgive: bool = True) -> list[Violation]:
        """Wait until nothing is wrong; return what is, after so many seconds, and is not known to be late."""
        found: list[Violation] = []

        def is_right() -> bool:
            found[:] = self._violations(forgive=forgive)
            return not found

        while True:
            deaths = len(self.stage.deaths)
            self.stage.until("the daemons ready", self.stage.is_ready, seconds=30)
            if self.stage.holds_within(is_right, seconds=seconds) or len(self.stage.deaths) == deaths:
                return found
            # What does its work by the clock may come by the point late: time counts from the restart.

    def _violations(self, *, forgive: bool) -> list[Violation]:
        seen = evidence.gather(self.stage.bed)
        found = invariants.violations(seen, self._expectation())
        found += [Violation(kind="unmended", text=text) for text in self._lacks()]
        if not forgive:
            return found
        return [v for v in found if not any(v.pod.startswith(prefix) for prefix in self._late)]

    def _expectation(self) -> Expectation:
        pods = {
            pod.name: Wanted(
                name=pod.name,
                eip=pod.eip,
                ip=pod.ip,
                container_id=pod.sandbox.container_id,
                states=("assigned",) if pod.is_known_by_link else ("assigned", "occupied"),
            )
            for pod in self._kubelet.running.values()
        }
        return Expectation(
            pods=pods,
            retained=frozenset(self._kubelet.retained),
            warm=range(MIN_WARM, self._flags.most_warm + 1),
            enis=1,
            cluster_id=CLUSTER_ID,
        )

    def _scene(self, retry: Retry) -> Scene:
        self._number += 1
        # The dash ends the number, so that no prefix begins with another one.
        return Scene(kubelet=self._kubelet, prefix=f"s{self._number}-", retry=retry)

    def _clean_up(self) -> None:
        """Delete all Pods and retained claims; a trial ends with nothing."""
        for pod in list(self._kubelet.running.values()):
            self._kubelet.delete(pod.sandbox)
        for name in list(self._kubelet.retained):
            self._kubelet.forget_retained(name)
        if self.stage.is_alive(AGENT):
            self._settle(SOON)
