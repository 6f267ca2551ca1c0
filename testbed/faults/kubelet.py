"""What a kubelet and its runtime do with Pods, whatever becomes of the daemons; and who runs then.

A kubelet repeats until it has what it wants: a failed ADD is followed by a DEL of that sandbox and an ADD
with another one; a DEL is repeated until it succeeds. A Pod can also go away in the middle, with a DEL, or
without one because its node was thought dead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from testbed.faults.stage import AGENT, Stage
from testbed.runtime import Outcome, Sandbox

_ATTEMPTS: Final = 8
EIP: Final[Mapping[str, str]] = {"eip-attributes": ""}
OWN_ENI_EIP: Final[Mapping[str, str]] = {"networks": "tke-direct-eni", "eip-attributes": ""}
RETAINED_EIP: Final[Mapping[str, str]] = {"eip-attributes": "", "eip-claim-delete-policy": "Never"}


class Retry(Enum):
    """What follows an ADD that failed because the agent died."""

    SAME_SANDBOX = "ADD again"
    NEW_SANDBOX = "DEL at once, ADD of a new sandbox"
    DELETED = "DEL, Pod gone"
    GONE = "no DEL, Pod gone"


@dataclass(slots=True, kw_only=True)
class RunningPod:
    """One Pod that runs: what the runtime was told, and what is to be true of it."""

    name: str
    eip: bool
    sandbox: Sandbox
    ip: str
    is_known_by_link: bool = True
    """Whether an agent without a store can tell from the link whose it is."""


@dataclass(slots=True, kw_only=True)
class Kubelet:
    """One node's. Invariant: `running` holds exactly the Pods that run; `retained` claims outlive theirs."""

    stage: Stage
    running: dict[str, RunningPod] = field(default_factory=dict)
    retained: set[str] = field(default_factory=set)

    def create(self, name: str, annotations: Mapping[str, str] | None = None) -> Sandbox:
        """Have a Pod of this node created and make its first sandbox."""
        bed = self.stage.bed
        has_eip = any(key.startswith("eip-") for key in annotations or ())
        pod = bed.workloads.create_pod(name, node=bed.node.name, annotations=annotations, eip=has_eip)
        if annotations and "eip-claim-delete-policy" in annotations:
            self.retained.add(name)
        return bed.runtime.new_sandbox(pod=pod)

    def run(self, sandbox: Sandbox, retry: Retry = Retry.NEW_SANDBOX) -> RunningPod | None:
        """ADD until it succeeds; None when the Pod went away after a failure, as `retry` says."""
        for _ in range(_ATTEMPTS):
            outcome = self._execute("ADD", sandbox)
            if outcome.exit_code == 0:
                return self._runs(sandbox, outcome.ip())
            if retry is Retry.SAME_SANDBOX:
                self._await_agent()
                continue
            if retry is Retry.GONE:
                self.vanish(sandbox)
                return None
            if retry is Retry.DELETED:
                self.delete(sandbox)
                return None
            sandbox = self._next_sandbox(sandbox)
        raise RuntimeError(f"ADD of {sandbox.pod_name} failed {_ATTEMPTS} times: {outcome.error()}")

    def replace(self, pod: RunningPod) -> RunningPod | None:
        """Give a running Pod a new sandbox, made before the old one is torn down."""
        bed = self.stage.bed
        fresh = bed.runtime.new_sandbox(pod=bed.workloads.pod(pod.name))
        successor = self.run(fresh)
        self._tear_down(pod.sandbox)
        return successor

    def recreate(self, pod: RunningPod) -> RunningPod | None:
        """Give a Pod whose sandbox has died a new one."""
        bed = self.stage.bed
        del self.running[pod.name]
        self._tear_down(pod.sandbox)
        return self.run(bed.runtime.new_sandbox(pod=bed.workloads.pod(pod.name)))

    def delete(self, sandbox: Sandbox) -> None:
        """User, runtime and kubelet in their order: deletionTimestamp, DEL, the object goes."""
        self.running.pop(sandbox.pod_name, None)
        self.stage.bed.workloads.delete_pod(sandbox.pod_name)
        self._tear_down(sandbox)
        self.stage.bed.workloads.remove_pod(sandbox.pod_name)

    def vanish(self, sandbox: Sandbox) -> None:
        """The Pod is deleted by force and its sandbox goes without a DEL."""
        self.running.pop(sandbox.pod_name, None)
        self.stage.bed.workloads.remove_pod(sandbox.pod_name)
        self.stage.bed.runtime.remove_sandbox(sandbox)

    def forget_retained(self, name: str) -> None:
        """The operator deletes a retained claim."""
        self.retained.discard(name)
        self.stage.bed.workloads.delete_claim(name)

    def _execute(self, verb: str, sandbox: Sandbox) -> Outcome:
        return self.stage.call(lambda: self.stage.bed.runtime.run(verb, sandbox))

    def _next_sandbox(self, sandbox: Sandbox) -> Sandbox:
        bed = self.stage.bed
        with self.stage.untended():  # the agent is still dead: the plugin puts the DEL on disk
            self._tear_down(sandbox)
        self._await_agent()
        return bed.runtime.new_sandbox(pod=bed.workloads.pod(sandbox.pod_name))

    def _tear_down(self, sandbox: Sandbox) -> None:
        bed = self.stage.bed
        for _ in range(_ATTEMPTS):
            outcome = self._execute("DEL", sandbox)
            if outcome.exit_code == 0:
                bed.runtime.remove_sandbox(sandbox)
                return
            self._await_agent()
        raise RuntimeError(f"DEL of {sandbox.pod_name} failed {_ATTEMPTS} times: {outcome.error()}")

    def _runs(self, sandbox: Sandbox, ip: str) -> RunningPod:
        bed = self.stage.bed
        bed.workloads.pod_is_running(sandbox.pod_name, ip)
        annotations = bed.workloads.pod(sandbox.pod_name)["metadata"]["annotations"]
        has_eip = any(key.endswith(("/eip-attributes", "/eip-id-list")) for key in annotations)
        pod = RunningPod(name=sandbox.pod_name, eip=has_eip, sandbox=sandbox, ip=ip)
        self.running[pod.name] = pod
        return pod

    def _await_agent(self) -> None:
        self.stage.until("the agent back", self._agent_serves, seconds=30)

    def _agent_serves(self) -> bool:
        return self.stage.is_alive(AGENT) and self.stage.agent_listens()
