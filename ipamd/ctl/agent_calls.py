"""Calls of the agent of this node, over its unix socket, and what to say when it does not answer."""

import argparse
import sys
from collections.abc import Callable
from typing import TypeVar

import grpc

from ipamd.core import places

_Answer = TypeVar("_Answer")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where the agent is."""
    parser.add_argument("--socket", default=places.SOCKET, help="the agent's socket (default: %(default)s)")
    parser.add_argument(
        "--timeout",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="seconds to wait at most (default: %(default)s)",
    )


def ask(socket: str, call: Callable[[grpc.Channel], _Answer]) -> _Answer:
    """Have `call` made on a channel to the agent. Raises: grpc.RpcError."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        return call(channel)


def tell(socket: str, error: grpc.RpcError) -> int:
    """Say why there is no answer; return the exit code."""
    print(explanation(socket, error), file=sys.stderr)
    return 1


def explanation(socket: str, error: grpc.RpcError) -> str:
    """Return a sentence for people."""
    code, details = error.code(), error.details()
    if code is grpc.StatusCode.UNAVAILABLE:
        return (
            f"ipamctl: no agent answers at {socket}: {details}\n"
            "Is the tke-eni-agent Pod of this node running (kubectl -n kube-system get pods -o wide)? "
            "--socket names another socket."
        )
    return f"ipamctl: the agent at {socket} did not answer ({code.name}): {details}; its log says more"
