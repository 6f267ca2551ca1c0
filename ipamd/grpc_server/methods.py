"""The methods of services: what a path names, and how a request of it is served.

Everything is told by the descriptors of the contract (proto/), so there is no generated code for the server.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import DecodeError, Message

from ipamd.grpc_server.call import Call
from ipamd.grpc_server.status import RpcAbortError, StatusCode
from ipamd.runtime.request_threads import RequestThreads


@dataclass(frozen=True, slots=True)
class RpcService:
    """A service of the contract, who implements it, and which threads serve it."""

    descriptor: ServiceDescriptor
    implementation: object
    """Has a method `Name(request, call)` for each method of the service."""
    threads: RequestThreads


@dataclass(frozen=True, slots=True)
class ServedMethod:
    """One method of a service."""

    path: str
    threads: RequestThreads
    parse: Callable[[bytes], Message]
    serve: Callable[[Any, Call], Any]
    is_stream: bool
    """Whether the answer is any number of messages."""

    def request(self, data: bytes) -> Message:
        """Return the request. Raises: RpcAbortError when it is none."""
        try:
            return self.parse(data)
        except DecodeError:
            raise RpcAbortError(
                StatusCode.INTERNAL, "the message is not the request of this method"
            ) from None


def served(services: list[RpcService]) -> Mapping[str, ServedMethod]:
    """Return the methods of services by path. Raises: AttributeError when one is not implemented."""
    return {method.path: method for service in services for method in _methods(service)}


def _methods(service: RpcService) -> Iterator[ServedMethod]:
    for method in service.descriptor.methods:
        if method.client_streaming:
            msg = f"{method.full_name} takes a stream of requests, which is not served here"
            raise NotImplementedError(msg)
        yield ServedMethod(
            path=f"/{service.descriptor.full_name}/{method.name}",
            threads=service.threads,
            parse=message_factory.GetMessageClass(method.input_type).FromString,
            serve=getattr(service.implementation, method.name),
            is_stream=method.server_streaming,
        )
