"""`kubectl eni connectivity`: probe Pods on some nodes, which ask each other, nodes, a Service, the internet.

They are removed whatever happens, and end by themselves should that fail.
"""

import argparse
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.ctl import command_line, output
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.kubectl import access, probe_pods
from ipamd.ctl.kubectl.access import Kubectl
from ipamd.ctl.kubectl.probe_pods import Probe
from ipamd.ctl.shape import Block, Column, Line, Plain, Shape, Table
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import NODES, PODS, SERVICES

_HELP: Final = "make probe Pods, have them connect to each other and to what Pods need, and remove them"
_MOST: Final = 3
_POLL: Final = 0.5
_ANNOTATION: Final = "tke.cloud.tencent.com/eip-public-ip"


class ProbeError(IpamError):
    """The probes could not be made, so nothing is known about connections."""


def add_command(commands: "command_line.Subparsers") -> None:
    """Add the command."""
    added = command_line.add(commands, "connectivity", _HELP, _run, asks_agent=False)
    access.add_flags(added, default=False)
    added.add_argument(
        "nodes", nargs="*", metavar="NODE", help=f"where (default: {_MOST} that have an agent)"
    )
    added.add_argument("--eip", action="store_true", help="one of the Pods gets an EIP, which costs money")
    added.add_argument(
        "--internet",
        default="",
        metavar="HOST:PORT",
        help="a TCP server outside that each Pod has to reach (default: none is asked)",
    )
    added.add_argument(
        "--wait",
        type=command_line.positive_seconds,
        default=90.0,
        metavar="SECONDS",
        help="for all probe Pods to run (default: %(default)s)",
    )


def _run(options: argparse.Namespace) -> int:
    internet = _destination(options.internet)
    kubectl = access.kubectl(options)
    namespace = options.namespace or "default"
    with access.client(options) as api:
        nodes, image = _places(api, options.nodes)
        run = _Run(api, kubectl, namespace)
        try:
            run.create(nodes, image, eip=options.eip)
            rows = run.ask(run.wait(options.wait), _service(api), internet)
        finally:
            run.remove()
    output.show(options, {"namespace": namespace, "connections": rows}, _SHAPE)
    return ExitCode.PROBLEM if any(row["problem"] for row in rows) else ExitCode.OK


def _destination(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise InvalidInputError(
            f"--internet is {text!r}", advice="give HOST:PORT, for example mirrors.tencent.com:443"
        )
    return host, int(port)


def _places(api: KubeClient, wanted: Sequence[str]) -> tuple[list[tuple[str, str]], str]:
    """Return names and addresses of the nodes, and the agents' image. Raises: ProbeError; KubeError."""
    agents = access.agents(api)
    if missing := [node for node in wanted if node not in agents]:
        raise ProbeError(
            f"no agent's Pod is on {', '.join(missing)}, so no Pod there could get an address",
            advice="kubectl eni nodes lists the nodes",
        )
    chosen = list(wanted) or sorted(agents)[:_MOST]
    if not chosen:
        raise ProbeError(
            f"no node has a Pod of DaemonSet {access.NAMESPACE}/tke-eni-agent",
            advice="install it first (docs/install.md)",
        )
    image = agents[chosen[0]]["spec"]["containers"][0]["image"]
    return [(node, _address(api.get(NODES, node))) for node in chosen], image


def _address(node: dict[str, Any]) -> str:
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((a["address"] for a in addresses if a.get("type") == "InternalIP"), "")


def _service(api: KubeClient) -> str:
    """Return the address of Service default/kubernetes, empty when it has none or may not be read."""
    try:
        return str(api.get(SERVICES, "kubernetes", "default")["spec"].get("clusterIP") or "")
    except errors.KubeError:
        return ""


class _Run:
    """The probe Pods of one run; `remove` may be called at any time."""

    def __init__(self, api: KubeClient, kubectl: Kubectl, namespace: str) -> None:
        self._api = api
        self._kubectl = kubectl
        self._namespace = namespace
        self._prefix = f"{probe_pods.LABEL}-{secrets.token_hex(3)}"
        self._nodes: dict[str, str] = {}
        self._addresses: list[tuple[str, str]] = []
        self._with_eip = ""

    def create(self, nodes: Sequence[tuple[str, str]], image: str, *, eip: bool) -> None:
        """Make a Pod on each node, and a second one on the first: two on one node matter too."""
        self._addresses = [(node, address) for node, address in nodes if address]
        places = [nodes[0][0], *(node for node, _ in nodes)]
        for number, node in enumerate(places):
            name = f"{self._prefix}-{number}"
            body = probe_pods.manifest(name, node, image, eip=eip and number == 0)
            body["metadata"]["namespace"] = self._namespace
            self._api.create(PODS, body)
            self._nodes[name] = node
            if eip and number == 0:
                self._with_eip = name

    def wait(self, seconds: float) -> list[Probe]:
        """Return the probes when all run. Raises: ProbeError when they do not in time."""
        end = time.monotonic() + seconds
        while True:
            pods = [self._api.get(PODS, name, self._namespace) for name in self._nodes]
            waiting = [pod for pod in pods if not self._runs(pod)]
            if not waiting:
                return [self._probe(pod) for pod in pods]
            if time.monotonic() > end:
                name = waiting[0]["metadata"]["name"]
                raise ProbeError(
                    f"{len(waiting)} of {len(pods)} probe Pods do not run after {seconds:.0f} s, the first "
                    f"is {self._namespace}/{name} on {self._nodes[name]}: {_state(waiting[0])}",
                    advice=f"kubectl -n {self._namespace} get events --field-selector involvedObject.name="
                    f"{name} says why",
                )
            time.sleep(_POLL)

    def ask(
        self, probes: Sequence[Probe], service: str, internet: tuple[str, int] | None
    ) -> list[dict[str, Any]]:
        """Have every probe ask its questions; return the answers."""
        asked = list(probe_pods.questions(probes, self._addresses, service, internet))
        rows: list[dict[str, Any]] = []
        for probe in probes:
            of_one = [question for question in asked if question.source == probe.name]
            command = ("--namespace", self._namespace, "exec", probe.name, "--", *probe_pods.ask(of_one))
            said = self._kubectl.run(*command)
            rows += probe_pods.answers(of_one, said.out, said.err)
        return rows

    def remove(self) -> None:
        """Remove what was made; what cannot be removed ends by itself."""
        for name in self._nodes:
            try:
                self._api.delete(PODS, name, self._namespace)
            except errors.NotFoundError:
                continue
            except errors.KubeError as e:
                output.say(f"probe Pod {self._namespace}/{name} is left: {e}", program="kubectl eni")

    def _runs(self, pod: dict[str, Any]) -> bool:
        status = pod.get("status") or {}
        annotations = pod["metadata"].get("annotations") or {}
        if pod["metadata"]["name"] == self._with_eip and not annotations.get(_ANNOTATION):
            return False
        return status.get("phase") == "Running" and bool(status.get("podIP"))

    def _probe(self, pod: dict[str, Any]) -> Probe:
        name = pod["metadata"]["name"]
        annotations = pod["metadata"].get("annotations") or {}
        return Probe(
            name=name,
            node=self._nodes[name],
            ip=pod["status"]["podIP"],
            public_ip=annotations.get(_ANNOTATION, ""),
        )


def _state(pod: dict[str, Any]) -> str:
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return str(waiting["reason"])
    return str(status.get("phase") or "no state yet")


def _blocks(answer: Plain, _: float) -> Sequence[Block]:
    columns = (
        Column("FROM", lambda row: row["from"]),
        Column("KIND", lambda row: row["kind"]),
        Column("TO", lambda row: row["to"]),
        Column("ADDRESS", lambda row: row["address"], wide=True),
        Column("MS", lambda row: "" if row["ms"] is None else str(row["ms"])),
        Column("RESULT", lambda row: "failed" if row["problem"] else "ok"),
    )
    rows = answer["connections"]
    return [
        Table(columns, rows, empty="nothing was asked"),
        *(Line("PROBLEM", f"{r['from']} to {r['to']}: {r['problem']}") for r in rows if r["problem"]),
    ]


_SHAPE: Final = Shape(_blocks, lambda answer: [row["to"] for row in answer["connections"] if row["problem"]])
