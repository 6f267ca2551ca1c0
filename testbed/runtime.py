"""The container runtime's part: sandboxes, and the CNI exec protocol as containerd speaks it.

A plugin is executed in the node's network namespace with the CNI_* environment and the network
configuration on standard input; what it prints and its exit code are the answer
(CNI specification, "Execution Protocol"). Not thread-safe; parallel executions are started by `run_all`.
"""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.fabric import netns as namespaces


class CniError(RuntimeError):
    """The plugin answered with an error object; `code` and `details` are its fields."""

    def __init__(self, verb: str, answer: Mapping[str, Any], stderr: str) -> None:
        message = f"{answer.get('msg', 'no error object on stdout')}: {answer.get('details', '')}"
        super().__init__(f"{verb}: code {answer.get('code')}: {message.rstrip(': ')} {stderr}".rstrip())
        self.code = int(answer.get("code", -1))
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """One Pod sandbox: a container id and a network namespace."""

    container_id: str
    netns: str
    """Name under /run/netns."""
    pod_namespace: str = ""
    pod_name: str = ""
    pod_uid: str = ""

    @property
    def netns_path(self) -> str:
        """What the plugin gets as CNI_NETNS."""
        return f"/run/netns/{self.netns}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one execution of a plugin gave."""

    verb: str
    exit_code: int
    stdout: bytes
    stderr: str
    milliseconds: float
    """From before the process was started until it was reaped."""

    def result(self) -> dict[str, Any]:
        """The decoded answer of a success ({} when nothing was printed); CniError otherwise."""
        try:
            answer = json.loads(self.stdout) if self.stdout.strip() else {}
        except ValueError:
            answer = {"msg": f"not JSON on stdout: {self.stdout[:200]!r}"}
            raise CniError(self.verb, answer, self.stderr) from None
        if self.exit_code != 0:
            raise CniError(self.verb, answer, self.stderr)
        return dict(answer)

    def ip(self) -> str:
        """The address that a successful ADD gave."""
        return str(self.result()["ips"][0]["address"]).partition("/")[0]

    def error(self) -> CniError:
        """The error object of a failure; AssertionError when it was none."""
        try:
            answer = self.result()
        except CniError as error:
            return error
        raise AssertionError(f"{self.verb} succeeded: {answer}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One execution to come."""

    verb: str
    stdin: bytes
    environment: Mapping[str, str]


class Runtime:
    """A runtime on one node.

    Invariant: every sandbox made here has its namespace until `remove_sandbox` or `close`.
    """

    def __init__(
        self,
        *,
        node_netns: str,
        plugin: Path,
        configuration: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        surroundings: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what to execute and how; `surroundings` makes ready the thread that starts the processes."""
        self._node_netns = node_netns
        self._surroundings = surroundings
        self._plugin = plugin
        self._stdin = json.dumps(configuration).encode()
        self._environment = {"PATH": os.environ.get("PATH", ""), **(environment or {})}
        self._sandboxes: dict[str, Sandbox] = {}

    def close(self) -> None:
        """Remove all sandboxes' namespaces."""
        for sandbox in list(self._sandboxes.values()):
            self.remove_sandbox(sandbox)

    def new_sandbox(self, *, pod: Mapping[str, Any] | None = None) -> Sandbox:
        """Make a sandbox for the Pod object (or for none, where the plugin does not ask)."""
        container_id = uuid.uuid4().hex * 2
        metadata: Mapping[str, Any] = pod["metadata"] if pod else {}
        sandbox = Sandbox(
            container_id=container_id,
            netns=f"{self._node_netns}-{container_id[:8]}",
            pod_namespace=str(metadata.get("namespace", "")),
            pod_name=str(metadata.get("name", "")),
            pod_uid=str(metadata.get("uid", "")),
        )
        namespaces.create(sandbox.netns)
        self._sandboxes[sandbox.container_id] = sandbox
        return sandbox

    def remove_sandbox(self, sandbox: Sandbox) -> None:
        """Remove the sandbox's namespace, as a runtime does after DEL."""
        self._sandboxes.pop(sandbox.container_id, None)
        namespaces.delete(sandbox.netns)

    def run(
        self,
        verb: str,
        sandbox: Sandbox,
        *,
        stdin: bytes | None = None,
        configuration: Mapping[str, Any] | None = None,
        without: Sequence[str] = (),
    ) -> Outcome:
        """Execute the plugin once, with its own configuration unless another or other bytes are given.

        `without` names variables that a broken runtime would not set.
        """
        if configuration is not None:
            stdin = json.dumps(configuration).encode()
        environment = self._cni_environment(verb, sandbox)
        call = _Call(
            verb=verb,
            stdin=self._stdin if stdin is None else stdin,
            environment={name: value for name, value in environment.items() if name not in without},
        )
        outcomes, _wall = self._on_node([call])
        return outcomes[0]

    def run_all(self, verb: str, sandboxes: Sequence[Sandbox]) -> tuple[list[Outcome], float]:
        """Execute the plugin for all sandboxes at once; also gives the wall time in milliseconds."""
        calls = [
            _Call(verb=verb, stdin=self._stdin, environment=self._cni_environment(verb, sandbox))
            for sandbox in sandboxes
        ]
        return self._on_node(calls)

    def _on_node(self, calls: Sequence[_Call]) -> tuple[list[Outcome], float]:
        def execute() -> tuple[list[Outcome], float]:
            self._surroundings()
            return self._execute(calls)

        return namespaces.run_in(self._node_netns, execute)

    def _execute(self, calls: Sequence[_Call]) -> tuple[list[Outcome], float]:
        start = time.perf_counter()
        running = []
        for call in calls:
            began = time.perf_counter()
            process = subprocess.Popen(
                [str(self._plugin)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**self._environment, **call.environment},
            )
            assert process.stdin is not None
            process.stdin.write(call.stdin)
            process.stdin.close()
            process.stdin = None
            running.append((call.verb, process, began))
        outcomes = []
        for verb, process, began in running:
            stdout, stderr = process.communicate()
            outcomes.append(
                Outcome(
                    verb=verb,
                    exit_code=process.returncode,
                    stdout=stdout,
                    stderr=stderr.decode(errors="replace").strip(),
                    milliseconds=(time.perf_counter() - began) * 1000,
                )
            )
        return outcomes, (time.perf_counter() - start) * 1000

    def _cni_environment(self, verb: str, sandbox: Sandbox) -> dict[str, str]:
        pod = {
            "IgnoreUnknown": "1",
            "K8S_POD_NAMESPACE": sandbox.pod_namespace,
            "K8S_POD_NAME": sandbox.pod_name,
            "K8S_POD_INFRA_CONTAINER_ID": sandbox.container_id,
            "K8S_POD_UID": sandbox.pod_uid,
        }
        return {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": sandbox.container_id,
            "CNI_NETNS": sandbox.netns_path,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": str(self._plugin.parent),
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in pod.items() if value),
        }
