"""`ipamctl check` and `ipamctl repair`: compare the node with what it should be, and have it mended now.

Exit code 0 when all is well, 1 when something is not or when the agent does not answer, for scripts.
"""

import argparse
import json
from typing import Any

import grpc

from ipamd.ctl import agent_calls, output, plain
from ipamd.rpc import maintenance_pb2 as messages
from ipamd.rpc.maintenance_pb2_grpc import MaintenanceStub

_HELP = {
    "check": "compare the wiring of every Pod of this node with the store; changes nothing",
    "repair": "have the agent look at kernel and cloud and repair what differs now, then check",
}
_REPAIR_SECONDS = 60.0


def add_commands(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add both commands."""
    for name, text in _HELP.items():
        added = commands.add_parser(name, parents=[output.flags()], help=text, description=text)
        added.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    def call(channel: grpc.Channel) -> messages.Findings:
        stub = MaintenanceStub(channel)
        if options.command == "check":
            return stub.Check(messages.CheckRequest(), timeout=max(options.timeout, 30.0))
        return stub.Repair(messages.RepairRequest(), timeout=max(options.timeout, _REPAIR_SECONDS))

    try:
        found = agent_calls.ask(options.socket, call)
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    if options.output == "json":
        print(json.dumps(plain.from_message(found), indent=2))
    else:
        print("\n".join([*(f"PROBLEM  {problem}" for problem in found.problems), _summary(found)]))
    return 1 if found.problems else 0


def _summary(found: messages.Findings) -> str:
    if found.problems:
        return f"{len(found.problems)} problems, {found.pods} Pods looked at"
    return f"all is well with the node and {found.pods} Pods"
