"""`ipamctl pool freeze|thaw` and `ipamctl drain`: what an operator has the pool of this node do."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from ipamd.ctl import agent_calls, ages, command_line, output, plain
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import Block, Line, Plain, Shape
from ipamd.rpc import maintenance_pb2 as messages
from ipamd.rpc.maintenance_pb2_grpc import PoolControlStub

_FREEZE_HELP: Final = (
    "have the pool order nothing and give nothing back, also after a restart, until it is thawed"
)
_THAW_HELP: Final = "let the pool order and give back again"
_DRAIN_HELP: Final = "freeze the pool and give back what no Pod uses: addresses, and ENIs without any"
_DRAIN_SECONDS: Final = 120.0

Ask = Callable[[PoolControlStub, float], Message]


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add `pool` with its verbs, and `drain`."""
    group = commands.add_parser("pool", help="freeze or thaw the pool of addresses")
    verbs = command_line.commands_of(group, "VERB")
    command_line.add(verbs, "freeze", _FREEZE_HELP, _freeze)
    command_line.add(verbs, "thaw", _THAW_HELP, _thaw)
    command_line.add(commands, "drain", _DRAIN_HELP, _drain, seconds=_DRAIN_SECONDS)


def _freeze(options: argparse.Namespace) -> int:
    return _done(options, lambda stub, s: stub.Freeze(messages.FreezeRequest(), timeout=s), _FROZEN)


def _thaw(options: argparse.Namespace) -> int:
    return _done(options, lambda stub, s: stub.Thaw(messages.ThawRequest(), timeout=s), _FROZEN)


def _drain(options: argparse.Namespace) -> int:
    return _done(options, lambda stub, s: stub.Drain(messages.DrainRequest(), timeout=s), _DRAINED)


def _done(options: argparse.Namespace, ask: Ask, shape: Shape) -> int:
    try:
        reply = agent_calls.ask(
            options.socket, lambda channel: ask(PoolControlStub(channel), options.timeout)
        )
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    answer: dict[str, Any] = plain.from_message(reply)
    output.show(options, answer, shape)
    return ExitCode.PROBLEM if answer.get("obstacles") else ExitCode.OK


def _frozen_blocks(answer: Plain, now: float) -> Sequence[Block]:
    if not answer["frozen"]:
        return [Line("", "the pool is thawed" if answer["changed"] else "the pool was not frozen")]
    since = "now" if answer["changed"] else f"since {ages.ago(answer['since'], now)} already"
    return [Line("", f"the pool is frozen {since}; `ipamctl pool thaw` ends it")]


def _drain_blocks(answer: Plain, _: float) -> Sequence[Block]:
    given = f"{len(answer['addresses'])} addresses and {len(answer['enis'])} ENIs were given back"
    return [
        *(Line("RETURNED", address) for address in answer["addresses"]),
        *(Line("DELETED", eni) for eni in answer["enis"]),
        *(Line("LEFT", text) for text in answer["obstacles"]),
        Line("", f"{given}; the pool stays frozen until `ipamctl pool thaw`"),
    ]


_FROZEN = Shape(_frozen_blocks, lambda answer: ["frozen" if answer["frozen"] else "thawed"])
_DRAINED = Shape(_drain_blocks, lambda answer: [*answer["addresses"], *answer["enis"]])
