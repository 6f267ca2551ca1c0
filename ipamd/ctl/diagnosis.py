"""`ipamctl trace`: what the agent finds out about one Pod when it is asked."""

import argparse
from collections.abc import Sequence
from typing import Final

import grpc

from ipamd.core.errors import InvalidInputError
from ipamd.ctl import agent_calls, command_line, completion, node, output, plain
from ipamd.ctl.exit_codes import ExitCode
from ipamd.ctl.shape import Block, Column, Facts, Line, Plain, Shape, Table
from ipamd.rpc import diagnosis_pb2 as messages
from ipamd.rpc.diagnosis_pb2_grpc import DiagnosisStub

_TRACE_HELP: Final = "ask the kernel which way a packet of a Pod goes, and say which address the outside sees"
_SECONDS: Final = 15.0
"""A listing of nftables with tens of thousands of rules takes a while."""
_DEFAULT_NAMESPACE: Final = "default"


def add_commands(commands: "command_line.Subparsers") -> None:
    """Add the command."""
    trace = command_line.add(commands, "trace", _TRACE_HELP, _trace, repeats=True)
    add_pod(trace)
    trace.add_argument(
        "--to", default="", metavar="IP", help="where the packet goes to (default: somewhere in the internet)"
    )


def add_pod(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a Pod."""
    pod = parser.add_argument(
        "pod", metavar="POD", help="NAMESPACE/NAME, or NAME of the namespace of -n or default"
    )
    completion.complete(pod, node.pods_known)


def pod_of(options: argparse.Namespace) -> tuple[str, str]:
    """Return namespace and name of the Pod that the command line names. Raises: InvalidInputError."""
    namespace, _, name = options.pod.rpartition("/")
    if not name or "/" in namespace or (namespace and options.namespace not in ("", namespace)):
        raise InvalidInputError(
            f"the Pod is {options.pod!r}" + (f" and -n is {options.namespace}" if options.namespace else ""),
            advice="give NAMESPACE/NAME, or NAME with -n NAMESPACE",
        )
    return namespace or options.namespace or _DEFAULT_NAMESPACE, name


def _trace(options: argparse.Namespace) -> int:
    namespace, name = pod_of(options)
    request = messages.TraceRequest(namespace=namespace, name=name, destination=options.to)
    seconds = max(options.timeout, _SECONDS)

    def call(channel: grpc.Channel) -> messages.TraceReply:
        return DiagnosisStub(channel).Trace(request, timeout=seconds)

    try:
        reply = agent_calls.ask(options.socket, call)
    except grpc.RpcError as error:
        return agent_calls.tell(options.socket, error)
    output.show(options, plain.from_message(reply), _TRACE)
    return ExitCode.PROBLEM if reply.seen_as == "nobody" else ExitCode.OK


def _trace_blocks(answer: Plain, _: float) -> Sequence[Block]:
    columns = (Column("WHERE", lambda step: step["where"]), Column("WHAT", lambda step: step["what"]))
    leaves = f"by {answer['link']} as {answer['source']}" if answer["link"] else ""
    pod = f"{answer['namespace']}/{answer['name']}, {answer['privateIp']}"
    return [
        Facts(
            [
                ("Pod", f"{pod}, EIP {answer['publicIp']}" if answer["publicIp"] else pod),
                ("To", answer["destination"]),
                *([("Leaves", leaves)] if leaves else []),
            ]
        ),
        Line("PROBLEM" if answer["seenAs"] == "nobody" else "SEEN", answer["verdict"]),
        Line("", ""),
        Table(columns, answer["steps"], empty="nothing is done to it on the way"),
        *(Line("UNREAD", f"{text}; it counts as not met") for text in answer["unread"]),
    ]


_TRACE = Shape(_trace_blocks, lambda answer: [answer["seenAddress"] or answer["seenAs"]])
