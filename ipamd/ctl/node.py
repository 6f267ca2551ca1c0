"""`ipamctl status|pods|enis|eips`: what the agent of this node knows, as a table or as JSON.

Reads only, over the agent's unix socket, so it works with the API server and the cloud away.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from ipamd.ctl import agent_calls, output, plain, tables
from ipamd.rpc import introspection_pb2 as messages
from ipamd.rpc.introspection_pb2_grpc import IntrospectionStub


@dataclass(frozen=True, slots=True)
class Command:
    """One of the commands below."""

    help: str
    method: str
    request: Message
    table: Callable[[Mapping[str, Any]], str]


COMMANDS: Mapping[str, Command] = {
    "status": Command(
        "identity, address pool, capacity and problems of this node",
        "GetStatus",
        messages.GetStatusRequest(),
        tables.status,
    ),
    "pods": Command(
        "Pods of this node with their addresses", "ListPods", messages.ListPodsRequest(), tables.pods
    ),
    "enis": Command("ENIs of this node", "ListEnis", messages.ListEnisRequest(), tables.enis),
    "eips": Command("EIPs at addresses of this node", "ListEips", messages.ListEipsRequest(), tables.eips),
}


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add the commands."""
    for name, command in COMMANDS.items():
        added = commands.add_parser(
            name, parents=[output.flags()], help=command.help, description=command.help
        )
        added.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    command = COMMANDS[options.command]
    try:
        message = agent_calls.ask(options.socket, lambda channel: ask(channel, command, options.timeout))
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    answer = plain.from_message(message)
    print(json.dumps(answer, indent=2) if options.output == "json" else command.table(answer))
    return 0


def ask(channel: grpc.Channel, command: Command, seconds: float) -> Message:
    """Return the agent's answer to a command of COMMANDS. Raises: grpc.RpcError."""
    answer: Message = getattr(IntrospectionStub(channel), command.method)(command.request, timeout=seconds)
    return answer
