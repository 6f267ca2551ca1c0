"""A host of the internet that tells each client the address it came from, as "what is my IP" sites do.

Any path of a GET is answered with the address and a line feed. Stateless.
"""

import socket
from collections.abc import Sequence

from simulator.http_server import HttpReply, HttpRequest, HttpServer


class SourceEchoServer(HttpServer):
    """Answers on listening sockets, which it owns from then on."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        """Start to serve."""
        super().__init__(sockets, _answer)


def _answer(request: HttpRequest) -> HttpReply:
    return HttpReply(body=f"{request.peer}\n".encode())
