"""Commands that the agent of one node, or of each node, answers: `ipamctl` in the agents' Pods.

What it prints is passed on as it is, and so is how it ended.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.ctl import command_line, output
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.kubectl import access
from ipamd.ctl.kubectl.access import Kubectl, Said
from ipamd.ctl.shape import Block, Line, Plain, Shape
from ipamd.kube.errors import NotFoundError
from ipamd.kube.resources import PODS

_AT_ONCE: Final = 8
"""Nodes that are asked at the same time: each is a stream through the API server to a kubelet."""


class PodNotPlacedError(IpamError):
    """The Pod is on no node, so no agent has to do with it."""


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add `check`, `status` and `explain`."""
    for name, text in _OF_NODES.items():
        added = command_line.add(commands, name, text, _ask, asks_agent=False)
        access.add_flags(added, default=False)
        added.add_argument("node", nargs="?", default="", metavar="NODE", help="name of a Node")
        added.add_argument("--all", action="store_true", help="each node that has an agent's Pod")
        added.set_defaults(asked=name, fix=False)
        if name == "check":
            added.add_argument("--fix", action="store_true", help="have what is ours repaired first")
    added = command_line.add(
        commands,
        "explain",
        "what happened to a Pod and its EIP, and what is next",
        _explain,
        asks_agent=False,
    )
    access.add_flags(added, default=False)
    added.add_argument("kind", choices=("pod",), metavar="pod", help="the word pod")
    added.add_argument("pod", metavar="NAMESPACE/NAME", help="of the Pod; -n gives the namespace too")


_OF_NODES: Final[Mapping[str, str]] = {
    "check": "have the agent of a node compare it with what it should be; changes nothing without --fix",
    "status": "what the agent of a node says of itself",
}


def ask(kubectl: Kubectl, pods: Mapping[str, str], command: Sequence[str]) -> dict[str, Said]:
    """Run `ipamctl` with these arguments in the agents' Pods, by node; return what each said."""
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        asked = {
            node: workers.submit(kubectl.run, *access.in_agent(pod, "ipamctl", *command))
            for node, pod in pods.items()
        }
        return {node: future.result() for node, future in asked.items()}


def _ask(options: argparse.Namespace) -> int:
    if bool(options.node) == options.all:
        raise InvalidInputError(
            f"{options.asked} takes the name of one node, or --all",
            advice="kubectl eni nodes -o name lists them",
        )
    kubectl, command = access.kubectl(options), (options.asked, *(["--fix"] if options.fix else []))
    with access.client(options) as api:
        if options.node:
            pod = access.agent_of(api, options.node)
            return kubectl.pass_through(*access.in_agent(pod, "ipamctl", *command, "-o", options.output))
        pods = {node: str(pod["metadata"]["name"]) for node, pod in sorted(access.agents(api).items())}
    if not pods:
        raise access.NoAgentError(
            f"no node has a Pod of DaemonSet {access.NAMESPACE}/tke-eni-agent, so nothing is known of any",
            advice=f"see kubectl -n {access.NAMESPACE} describe ds tke-eni-agent",
        )
    said = ask(kubectl, pods, (*command, "-o", "json"))
    answer = {"nodes": [_entry(node, one) for node, one in said.items()]}
    output.show(options, answer, _SHAPE)
    return ExitCode.PROBLEM if any(entry["exitCode"] for entry in answer["nodes"]) else ExitCode.OK


def _entry(node: str, said: Said) -> dict[str, Any]:
    try:
        told = json.loads(said.out) if said.out else None
    except ValueError:
        told = None
    return {"node": node, "exitCode": said.code, "answer": told, "error": "" if told else said.err}


def _explain(options: argparse.Namespace) -> int:
    namespace, slash, name = options.pod.partition("/")
    if not slash:
        namespace, name = options.namespace or "default", options.pod
    kubectl = access.kubectl(options)
    with access.client(options) as api:
        try:
            pod = api.get(PODS, name, namespace)
        except NotFoundError as e:
            raise PodNotPlacedError(
                f"there is no Pod {namespace}/{name}", advice="kubectl get pods -A lists them"
            ) from e
        node = pod["spec"].get("nodeName")
        if not node:
            raise PodNotPlacedError(
                f"Pod {namespace}/{name} is not scheduled to a node, so no agent has seen it",
                advice=f"kubectl -n {namespace} describe pod {name} says what the scheduler misses",
            )
        agent = access.agent_of(api, node)
    print(f"Pod {namespace}/{name} is on node {node}; its agent says:", file=sys.stderr)
    arguments = ("ipamctl", "explain", "pod", f"{namespace}/{name}", "-o", options.output)
    return kubectl.pass_through(*access.in_agent(agent, *arguments))


def _blocks(answer: Plain, _: float) -> Sequence[Block]:
    return [block for entry in answer["nodes"] for block in lines(entry)]


def lines(entry: Plain) -> Sequence[Line]:
    """Return what one node's agent has found, or that it did not answer; one that is well is one line."""
    told = entry["answer"]
    if not isinstance(told, Mapping):
        return [Line("UNKNOWN", f"{entry['node']}: {entry['error'] or 'no answer that is understood'}")]
    # Agents of an earlier release tell sentences only.
    found = told.get("findings") or told.get("problems") or ()
    return [_line(entry["node"], one) for one in found] or [Line("OK", entry["node"])]


def _line(node: str, finding: object) -> Line:
    if not isinstance(finding, Mapping):
        return Line("PROBLEM", f"{node}: {finding}")
    what = f"{finding.get('code')} {finding.get('object')}: {finding.get('text')}"
    breaks, advice = finding.get("breaks"), finding.get("nextStep")
    more = f"{f'; breaks {breaks}' if breaks else ''}{f'; {advice}' if advice else ''}"
    return Line(str(finding.get("severity")).upper(), f"{node}: {what}{more}")


_SHAPE: Final = Shape(_blocks, lambda answer: [entry["node"] for entry in answer["nodes"]])
