"""`ipamctl watch`: what happens to the Pods of this node, line by line, until Ctrl-C."""

import argparse
import json
from typing import Any, Final

import grpc

from ipamd.ctl import agent_calls, command_line, output, plain
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import Plain
from ipamd.rpc import diagnosis_pb2 as messages
from ipamd.rpc.diagnosis_pb2_grpc import DiagnosisStub

_HELP: Final = "tell what happens to the Pods of this node, as it happens, until Ctrl-C"


def add_command(commands: "command_line.Subparsers") -> None:
    """Add the command."""
    command_line.add(commands, "watch", _HELP, _run)


def _run(options: argparse.Namespace) -> int:
    request = messages.WatchRequest(namespace=options.namespace)

    def call(channel: grpc.Channel) -> None:
        grpc.channel_ready_future(channel).result(timeout=options.timeout)
        events = DiagnosisStub(channel).Watch(request)
        events.initial_metadata()
        output.say("watching; Ctrl-C ends it")
        for event in events:
            _show(options, plain.from_message(event))

    try:
        agent_calls.ask(options.socket, call)
    except grpc.FutureTimeoutError:
        output.say(agent_calls.nobody(options.socket, f"no answer within {options.timeout:g} s"))
        return ExitCode.NO_AGENT
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    return ExitCode.OK


def _show(options: argparse.Namespace, event: dict[str, Any]) -> None:
    """Print one event on one line, at once."""
    chosen = output.Format(options.output)
    if chosen is output.Format.JSON:
        print(json.dumps(event, ensure_ascii=False), flush=True)
    elif chosen is output.Format.YAML:
        print(output.yaml_of(event), end="", flush=True)
    elif chosen is output.Format.NAME:
        print(event["pod"], flush=True)
    else:
        print(_line(event), flush=True)


def _line(event: Plain) -> str:
    failed = "FAILED: " if event["failed"] else ""
    took = f" (took {event['tookMs']} ms)" if event["tookMs"] else ""
    return f"{event['at']}  {event['pod']}  {event['step']}  {failed}{event['text']}{took}"
