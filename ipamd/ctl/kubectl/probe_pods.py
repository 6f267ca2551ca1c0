"""The probe Pods of `kubectl eni connectivity`, as objects and as lines of what they ask each other. Pure.

They run the agent's image, which each node has already: no image is pulled, and none of somebody else's.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

LABEL: Final = "tke-eni-probe"
PORT: Final = 61699
_LIFE: Final = 600
"""Seconds after which a probe Pod ends by itself, whatever became of who made it."""
_SECONDS: Final = 3.0
_ANNOTATION: Final = "tke.cloud.tencent.com/eip-attributes"

_SERVE: Final = f"""
import socket
listening = socket.create_server(("", {PORT}), reuse_port=True)
while True:
    connection, peer = listening.accept()
    connection.sendall(peer[0].encode())
    connection.close()
"""
_ASK: Final = """
import json, socket, sys, time
answers = []
for host, port, listens in json.loads(sys.argv[1]):
    began, seen, fault = time.monotonic(), "", ""
    try:
        with socket.create_connection((host, port), timeout=float(sys.argv[2])) as connection:
            if listens:
                connection.settimeout(float(sys.argv[2]))
                seen = connection.recv(64).decode()
    except OSError as e:
        fault = str(e) or type(e).__name__
    answers.append({"seen": seen, "fault": fault, "ms": round((time.monotonic() - began) * 1000, 1)})
print(json.dumps(answers))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A probe Pod that runs."""

    name: str
    node: str
    ip: str
    public_ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One connection that should come about."""

    source: str
    kind: str
    """pod, node, service, internet or inbound."""
    to: str
    """The destination in words."""
    host: str
    port: int
    expects: str = ""
    """The source address that a probe Pod must see; empty when the other side does not tell."""


def manifest(name: str, node: str, image: str, *, eip: bool) -> dict[str, Any]:
    """Return a Pod that answers each connection with the address that it comes from."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/name": LABEL},
            "annotations": {_ANNOTATION: '{"Bandwidth":"1"}'} if eip else {},
        },
        "spec": {
            "nodeName": node,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LIFE,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/usr/bin/python3.11", "-c", _SERVE],
                    "securityContext": {
                        "runAsUser": 65532,
                        "runAsNonRoot": True,
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                }
            ],
        },
    }


def questions(
    probes: Sequence[Probe], nodes: Sequence[tuple[str, str]], service: str, internet: tuple[str, int] | None
) -> Iterator[Question]:
    """Yield what each probe asks: the others, all nodes, the API server's Service, the internet.

    `nodes` are names and addresses; `service` the address of Service default/kubernetes.
    """
    for probe in probes:
        for other in probes:
            if other.name != probe.name:
                to = f"{other.name} on {other.node}"
                yield Question(
                    source=probe.name, kind="pod", to=to, host=other.ip, port=PORT, expects=probe.ip
                )
        for node, address in nodes:
            yield Question(source=probe.name, kind="node", to=f"kubelet of {node}", host=address, port=10250)
        if service:
            to = "Service default/kubernetes"
            yield Question(source=probe.name, kind="service", to=to, host=service, port=443)
        if internet:
            host, port = internet
            yield Question(source=probe.name, kind="internet", to=f"{host}:{port}", host=host, port=port)


def ask(of_one: Sequence[Question]) -> tuple[str, ...]:
    """Return the command that asks the questions inside their source's Pod; `answers` reads its output."""
    asked = json.dumps([[q.host, q.port, q.kind == "pod"] for q in of_one])
    return ("/usr/bin/python3.11", "-c", _ASK, asked, str(_SECONDS))


def answers(of_one: Sequence[Question], printed: bytes, fault: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each question from what the command printed; `fault` is why it printed nothing."""
    try:
        told = json.loads(printed)
    except ValueError:
        told = [{"seen": "", "fault": fault or "it could not be asked", "ms": None}] * len(of_one)
    for question, answer in zip(of_one, told, strict=True):
        yield {
            "from": question.source,
            "kind": question.kind,
            "to": question.to,
            "address": f"{question.host}:{question.port}",
            "ms": answer["ms"],
            "problem": answer["fault"] or _mistaken(question, answer["seen"]),
        }


def _mistaken(question: Question, seen: str) -> str:
    if not question.expects or seen == question.expects:
        return ""
    return f"it sees the source address {seen or '(none)'} and should see {question.expects}"
