"""The cluster of the user's kubeconfig, and the kubectl beside us for what only kubectl does.

`exec` and `logs` go through the kubectl binary: exec is no HTTP request but a stream with a protocol of its
own, and whoever calls `kubectl eni` has one that works, with the user's own ways of logging in.
"""

import argparse
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.kubernetes import cluster_settings
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import PODS

NAMESPACE: Final = cluster_settings.NAMESPACE
"""Where deploy/ puts agents and controller."""
AGENT_LABEL: Final = "app.kubernetes.io/name=tke-eni-agent"
CONTROLLER_LABEL: Final = "app.kubernetes.io/name=tke-eni-ipamd"
_COMPONENT: Final = "kubectl-eni"
_EXEC_SECONDS: Final = 60.0


class NoAgentError(IpamError):
    """No Pod of the agent is on the node, so nobody there can be asked."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a program printed, and how it ended."""

    code: int
    out: bytes
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """The kubectl beside us, for one cluster."""

    program: str
    flags: tuple[str, ...]

    def argv(self, *arguments: str) -> list[str]:
        """Return the command line."""
        return [self.program, *self.flags, *arguments]

    def run(self, *arguments: str, seconds: float = _EXEC_SECONDS) -> Said:
        """Run it and keep what it prints; its own time-out counts as a failure."""
        try:
            done = subprocess.run(
                self.argv(*arguments),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Said(1, b"", f"no answer in {seconds:.0f} s")
        return Said(done.returncode, done.stdout, done.stderr.decode(errors="replace").strip())

    def pass_through(self, *arguments: str) -> int:
        """Run it in our place: what it prints goes where ours goes. Return its exit code."""
        return subprocess.run(self.argv(*arguments), check=False).returncode


def add_flags(parser: Any, *, default: bool) -> None:
    """Add the flags that say which cluster; without `default` those of the program hold until given."""
    absent = "" if default else argparse.SUPPRESS
    parser.add_argument(
        "--kubeconfig",
        default=absent,
        metavar="FILE",
        help="of the cluster (default: $KUBECONFIG, else ~/.kube/config)",
    )
    parser.add_argument("--context", default=absent, help="of the kubeconfig (default: its current one)")


def kubeconfig(options: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Return the kubeconfig that is meant. Raises: InvalidInputError."""
    named = str(options.kubeconfig or environ.get("KUBECONFIG", ""))
    if os.pathsep in named:
        raise InvalidInputError(
            f"KUBECONFIG names several files: {named}",
            advice="give one: kubectl config view --raw --flatten --minify > FILE, then --kubeconfig FILE",
        )
    return named or str(Path("~/.kube/config").expanduser())


@contextmanager
def client(options: argparse.Namespace) -> Iterator[KubeClient]:
    """Open the cluster's API. Raises: InvalidInputError for a kubeconfig that cannot be used."""
    path = kubeconfig(options, os.environ)
    opened = KubeClient(config.from_kubeconfig(path, options.context), component=_COMPONENT)
    try:
        yield opened
    finally:
        opened.close()


def kubectl(options: argparse.Namespace) -> Kubectl:
    """Return the kubectl of the path. Raises: InvalidInputError when there is none."""
    program = shutil.which("kubectl")
    if program is None:
        raise InvalidInputError(
            "there is no kubectl in the path, which is needed to run a command in a Pod",
            advice="install it, or run ipamctl in the agent's Pod by other means",
        )
    flags = [f"--kubeconfig={kubeconfig(options, os.environ)}"]
    if options.context:
        flags.append(f"--context={options.context}")
    return Kubectl(program=program, flags=tuple(flags))


def agents(api: KubeClient) -> dict[str, dict[str, Any]]:
    """Return the agents' Pods by node; the youngest where a node has two. Raises: KubeError."""
    found = api.list(PODS, NAMESPACE, label_selector=AGENT_LABEL).items
    found.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
    return {pod["spec"]["nodeName"]: pod for pod in found if pod["spec"].get("nodeName")}


def agent_of(api: KubeClient, node: str) -> str:
    """Return the name of the agent's Pod on a node. Raises: NoAgentError; KubeError."""
    pod = agents(api).get(node)
    if pod is None:
        raise NoAgentError(
            f"no Pod of DaemonSet {NAMESPACE}/tke-eni-agent is on node {node}",
            advice=f"see kubectl describe node {node}, and kubectl -n {NAMESPACE} describe ds tke-eni-agent",
        )
    return str(pod["metadata"]["name"])


def in_agent(pod: str, *command: str) -> tuple[str, ...]:
    """Return the arguments of kubectl that run a command beside the agent in this Pod."""
    return ("--namespace", NAMESPACE, "exec", pod, "--container", "agent", "--", *command)
