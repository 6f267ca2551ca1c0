"""Connections that are kept alive, and tell whether it is their age that a request failed for.

A server closes an idle connection when it likes, also while the next request is on its way. Such a request
has most likely not been read, and its connection has answered others before. A server that ends a fresh
connection without an answer fails: asking it again at once would double what it has to bear.
Nothing here is shared between threads but what urllib3 shares.
"""

import http.client

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection


class StaleConnectionError(urllib3.exceptions.ProtocolError):
    """The server ended a connection that had answered before, and gave no answer on it."""


class _KeptHttp(HTTPConnection):
    """Invariant: `_has_answered` speaks of the socket that is open."""

    _has_answered = False

    def connect(self) -> None:
        """Open a socket, on which nothing has been answered."""
        self._has_answered = False
        super().connect()

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        """Return the answer. Raises: StaleConnectionError besides what urllib3 raises."""
        try:
            response = super().getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError) as e:
            if self._has_answered:
                raise StaleConnectionError("Connection aborted.", e) from e
            raise
        self._has_answered = True
        return response


class _KeptHttps(_KeptHttp, HTTPSConnection):
    pass


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _KeptHttp


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _KeptHttps


POOLS = {"http": _HttpPool, "https": _HttpsPool}
"""What a PoolManager makes its pools of."""
