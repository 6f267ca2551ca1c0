"""`ipamctl check` and `ipamctl repair`: compare the node with what it should be, and have it mended now.

Exit code 0 when all is well, 1 when something is not, for scripts.
"""

import argparse
from collections.abc import Sequence

import grpc

from ipamd.ctl import agent_calls, command_line, output, plain
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import Block, Line, Plain, Shape
from ipamd.rpc import maintenance_pb2 as messages
from ipamd.rpc.maintenance_pb2_grpc import MaintenanceStub

_HELP = {
    "check": "compare the wiring of every Pod of this node with the store; changes nothing",
    "repair": "have the agent look at kernel and cloud and repair what differs now, then check",
}
_REPAIR_SECONDS = 60.0


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add both commands."""
    for name, text in _HELP.items():
        command_line.add(commands, name, text, _run, repeats=name == "check")


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
    output.show(options, plain.from_message(found), _FINDINGS)
    return ExitCode.PROBLEM if found.problems else ExitCode.OK


def _blocks(answer: Plain, _: float) -> Sequence[Block]:
    problems = answer["problems"]
    summary = f"all is well with the node and {answer['pods']} Pods"
    if problems:
        summary = f"{len(problems)} problems, {answer['pods']} Pods looked at"
    return [*(Line("PROBLEM", problem) for problem in problems), Line("", summary)]


_FINDINGS = Shape(_blocks, lambda answer: answer["problems"])
