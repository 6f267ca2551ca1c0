"""`ipamctl status|pods|enis|eips|claims|settings`: what the agent of this node knows.

Reads only, over the agent's unix socket, so it works with the API server and the cloud away.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.protobuf.message import Message

from ipamd.ctl import agent_calls, command_line, completion, output, plain, tables
from ipamd.ctl.choice import Choice, object_keys
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import Plain, Shape
from ipamd.rpc import diagnosis_pb2 as found
from ipamd.rpc import introspection_pb2 as messages
from ipamd.rpc.diagnosis_pb2_grpc import DiagnosisStub
from ipamd.rpc.introspection_pb2_grpc import IntrospectionStub


@dataclass(frozen=True, slots=True)
class Listing:
    """What of an answer is a list that names on the command line choose from."""

    field: str
    kind: str
    keys: Callable[[Plain], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Command:
    """One of the commands below."""

    help: str
    method: str
    request: Message
    shape: Shape
    listing: Listing | None = None
    stub: Callable[[grpc.Channel], Any] = IntrospectionStub
    """Of the service that has the method."""


COMMANDS: Mapping[str, Command] = {
    "status": Command(
        "identity, components, addresses, capacity and problems of this node",
        "GetStatus",
        messages.GetStatusRequest(addresses=True),
        tables.STATUS,
    ),
    "pods": Command(
        "Pods of this node with their addresses",
        "ListPods",
        messages.ListPodsRequest(),
        tables.PODS,
        Listing("pods", "Pod", object_keys),
    ),
    "enis": Command(
        "ENIs of this node",
        "ListEnis",
        messages.ListEnisRequest(),
        tables.ENIS,
        Listing("enis", "ENI", lambda eni: (eni["eniId"], eni["interface"])),
    ),
    "eips": Command(
        "EIPs at addresses of this node",
        "ListEips",
        messages.ListEipsRequest(),
        tables.EIPS,
        Listing("eips", "EIP", lambda eip: (eip["eipId"], eip["publicIp"], *object_keys(eip))),
    ),
    "claims": Command(
        "EIPClaims of this node, as its agent knows them",
        "ListClaims",
        found.ListClaimsRequest(),
        tables.CLAIMS,
        Listing("claims", "claim", object_keys),
        DiagnosisStub,
    ),
    "settings": Command(
        "flags of this node's agent as they are in effect, and who has set them",
        "ListSettings",
        found.ListSettingsRequest(),
        tables.SETTINGS,
        Listing("settings", "flag", lambda setting: (setting["flag"],)),
        DiagnosisStub,
    ),
}


_WAYS = {
    "Pod": "NAME or NAMESPACE/NAME",
    "claim": "NAME or NAMESPACE/NAME",
    "ENI": "its id or link",
    "EIP": "its id or address, or its Pod",
    "flag": "its name, behind -- alone",
}


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add the commands."""
    for name, command in COMMANDS.items():
        added = command_line.add(commands, name, command.help, _run, repeats=True)
        if command.listing is not None:
            kind = command.listing.kind
            names = added.add_argument("names", nargs="*", metavar=kind.upper(), help=_choosing(kind))
            completion.complete(names, partial(_known, command))


def _choosing(kind: str) -> str:
    return f"only this {kind}: {_WAYS[kind]} (default: all of them)"


def _run(options: argparse.Namespace) -> int:
    command = COMMANDS[options.command]
    try:
        message = agent_calls.ask(options.socket, lambda channel: ask(channel, command, options.timeout))
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    output.show(options, _selected(command, plain.from_message(message), options), command.shape)
    return ExitCode.OK


def ask(channel: grpc.Channel, command: Command, seconds: float) -> Message:
    """Return the agent's answer to a command of COMMANDS. Raises: grpc.RpcError."""
    answer: Message = getattr(command.stub(channel), command.method)(command.request, timeout=seconds)
    return answer


def _selected(command: Command, answer: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    listing = command.listing
    if listing is None:
        return answer
    chosen = Choice(options.namespace, options.names)
    return answer | {listing.field: chosen.of(answer[listing.field], listing.keys, listing.kind)}


def _known(command: Command, socket: str) -> list[str]:
    """Return the names that can be completed. Raises: grpc.RpcError."""
    message = agent_calls.ask(socket, lambda channel: ask(channel, command, completion.SECONDS))
    return list(command.shape.names(plain.from_message(message)))


def pods_known(socket: str) -> list[str]:
    """Return the names of Pods for a shell that completes one. Raises: grpc.RpcError."""
    return _known(COMMANDS["pods"], socket)
