"""`ipamctl status|pods|enis|eips`: what the agent of this node knows, as a table or as JSON.

Reads only, over the agent's unix socket, so it works with the API server and the cloud away.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from ipamd.ctl import output, plain, tables
from ipamd.rpc import introspection_pb2 as messages
from ipamd.rpc.introspection_pb2_grpc import IntrospectionStub

DEFAULT_SOCKET = "/run/tke-eni/ipamd.sock"


@dataclass(frozen=True, slots=True)
class _Command:
    help: str
    method: str
    request: Message
    table: Callable[[Mapping[str, Any]], str]


COMMANDS: Mapping[str, _Command] = {
    "status": _Command(
        "identity, address pool, capacity and problems of this node",
        "GetStatus",
        messages.GetStatusRequest(),
        tables.status,
    ),
    "pods": _Command(
        "Pods of this node with their addresses", "ListPods", messages.ListPodsRequest(), tables.pods
    ),
    "enis": _Command("ENIs of this node", "ListEnis", messages.ListEnisRequest(), tables.enis),
    "eips": _Command("EIPs at addresses of this node", "ListEips", messages.ListEipsRequest(), tables.eips),
}


def add_commands(parser: argparse.ArgumentParser, commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands, and the flags that say where the agent is."""
    parser.add_argument("--socket", default=DEFAULT_SOCKET, help="the agent's socket (%(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=5.0, metavar="SECONDS", help="wait at most this long (%(default)s)"
    )
    for name, command in COMMANDS.items():
        added = commands.add_parser(
            name, parents=[output.flags()], help=command.help, description=command.help
        )
        added.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    command = COMMANDS[options.command]
    try:
        answer = plain.from_message(_ask(options.socket, command, options.timeout))
    except grpc.RpcError as error:
        print(_explanation(options.socket, error), file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2) if options.output == "json" else command.table(answer))
    return 0


def _ask(socket: str, command: _Command, seconds: float) -> Message:
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        method = getattr(IntrospectionStub(channel), command.method)
        answer: Message = method(command.request, timeout=seconds)
        return answer


def _explanation(socket: str, error: grpc.RpcError) -> str:
    code, details = error.code(), error.details()
    if code is grpc.StatusCode.UNAVAILABLE:
        return (
            f"ipamctl: no agent answers at {socket}: {details}\n"
            "Is the tke-eni-agent Pod of this node running (kubectl -n kube-system get pods -o wide)? "
            "--socket names another socket."
        )
    return f"ipamctl: the agent at {socket} did not answer ({code.name}): {details}; its log says more"
