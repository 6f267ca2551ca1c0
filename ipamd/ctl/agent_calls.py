"""Calls of the agent of this node, over its unix socket, and what to say when it does not answer."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import grpc

from ipamd import boot, start_file
from ipamd.ctl import output
from ipamd.ctl.exit_codes import ExitCode

_Answer = TypeVar("_Answer")
_IN_FULL = (
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
)
"""Statuses whose text says all that there is to say."""
_NOT_THERE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def ask(socket: str, call: Callable[[grpc.Channel], _Answer]) -> _Answer:
    """Have `call` made on a channel to the agent. Raises: grpc.RpcError."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        return call(channel)


def tell(socket: str, error: grpc.RpcError) -> int:
    """Say why there is no answer; return the exit code."""
    output.say(explanation(socket, error))
    if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
        return ExitCode.USAGE
    return ExitCode.NO_AGENT if error.code() in _NOT_THERE else ExitCode.FAILED


def nobody(socket: str, reason: str) -> str:
    """Say that there is no agent, what to do, and how far one is that starts."""
    started = start_file.read(Path(socket))
    if started is not None:
        progress, lives = started
        told = progress.sentence(boot.clock())
        if lives:
            return f"the agent at {socket} does not serve yet: {told}"
        reason = f"{reason}; the last agent has ended while {told}; its log says why"
    return (
        f"no agent answers at {socket}: {reason}; is the tke-eni-agent Pod of this node running (kubectl "
        "-n kube-system get pods -l app.kubernetes.io/name=tke-eni-agent -o wide)? --socket names another"
    )


def explanation(socket: str, error: grpc.RpcError) -> str:
    """Return a sentence for people, on one line."""
    code, details = error.code(), " ".join((error.details() or "").split())
    if code is grpc.StatusCode.UNAVAILABLE:
        # gRPC puts how it tried in front of why it failed.
        return nobody(socket, details.rpartition(": ")[2])
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return (
            f"the agent at {socket} gave no answer in time ({details}): it may hang; give it longer with "
            "--timeout SECONDS, else look at its log and its liveness probe"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return (
            f"the agent at {socket} does not know this command: its release is another than this ipamctl's; "
            "use the ipamctl in the agent's own container"
        )
    if code in _IN_FULL:
        return details
    return f"the agent at {socket} could not do it ({code.name}): {details}; its log says more"
