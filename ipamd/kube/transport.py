"""HTTP to one API server: bytes out, bytes in; urllib3 is known here and in `kept_connections` only.

Every call has an end: a request is bounded in time as a whole (not only for each read), an answer in size,
and a stream in its silence. Redirects are not followed and nothing is repeated here, except that a GET whose
kept-alive connection turned out to be closed by the server is sent once more.
Thread safety: any thread may call `Transport`; a `Stream` is read by one thread and closed by any.
"""

import contextlib
import email.utils
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import urllib3

from ipamd.core.text import no_answer
from ipamd.kube import tls_files
from ipamd.kube.connection import Connection
from ipamd.kube.errors import BODY_LIMIT, ForbiddenError, UnreachableError
from ipamd.kube.kept_connections import POOLS, StaleConnectionError
from ipamd.runtime import failpoints

_CONNECT_TIMEOUT = 5.0
_ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes; an object is at most 1.5 MiB, and lists are streamed (`list_stream`)."""
_LINE_LIMIT = 8 * 1024 * 1024
"""Bytes of one watch event; an object in etcd is at most 1.5 MiB."""
_CHUNK = 64 * 1024
_ADVICE = "check that the API server is up and that this node reaches it"

# A dead peer that sends no reset is noticed within half a minute even on an idle watch.
_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request; `title` is how errors and logs call it, for example `get Pod default/a`."""

    title: str
    step: str
    """How it is announced (`ipamd.runtime.failpoints`), for example `kube.get.pods`."""
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """What came back."""

    status: int
    body: bytes
    retry_after: str
    """The header, empty without one."""


class Transport:
    """Connections to one API server, kept alive and shared by all threads."""

    def __init__(self, connection: Connection, *, user_agent: str, connections: int) -> None:
        self._connection = connection
        self._server = connection.server
        self._user_agent = user_agent
        self._date: tuple[float, float] | None = None
        options: dict[str, Any] = {
            "num_pools": 2,
            "maxsize": connections,
            "cert_reqs": "CERT_REQUIRED" if connection.verify else "CERT_NONE",
            "ca_certs": connection.ca_file or None,
            "cert_file": connection.cert_file or None,
            "key_file": connection.key_file or None,
            "socket_options": [*urllib3.connection.HTTPConnection.default_socket_options, *_KEEPALIVE],
        }
        if connection.tls_server_name:
            options["server_hostname"] = connection.tls_server_name
            options["assert_hostname"] = connection.tls_server_name
        proxy_headers = (
            {"Proxy-Authorization": connection.proxy_authorization}
            if connection.proxy_authorization
            else None
        )
        self._pool: urllib3.PoolManager = (
            urllib3.ProxyManager(connection.proxy, proxy_headers=proxy_headers, **options)
            if connection.proxy
            else urllib3.PoolManager(**options)
        )
        self._pool.pool_classes_by_scheme = POOLS

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.clear()

    def time(self) -> float | None:
        """Return the server's time now, in seconds since the epoch, by the Date of its last answer.

        None when no answer has had one.
        """
        date = self._date
        return date[0] + time.monotonic() - date[1] if date else None

    def send(self, request: HttpRequest, *, timeout: float) -> HttpAnswer:
        """Send the request and return its answer, whatever its status, within `timeout` seconds.

        Raises: UnreachableError when no whole answer came; the request may have been carried out.
        ForbiddenError when there is no credential to send it with.
        """
        end = time.monotonic() + timeout
        try:
            with failpoints.failpoint(request.step):
                response = self._open_again_if_stale(request, timeout)
                try:
                    body = _read(request, response, end)
                except BaseException:
                    response.close()
                    raise
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as e:
            raise self._unreachable(request, e) from e
        return HttpAnswer(
            status=response.status, body=body, retry_after=response.headers.get("Retry-After", "")
        )

    def stream(self, request: HttpRequest, *, silence: float) -> "Stream":
        """Open a stream that ends with an error after `silence` seconds without a byte.

        Raises: UnreachableError when no answer came; ForbiddenError as `send`.
        """
        try:
            with failpoints.failpoint(request.step):
                response = self._open_again_if_stale(request, silence)
        except (urllib3.exceptions.HTTPError, OSError) as e:
            raise self._unreachable(request, e) from e
        return Stream(request, response)

    def _open_again_if_stale(self, request: HttpRequest, timeout: float) -> urllib3.BaseHTTPResponse:
        try:
            return self._open(request, connect=min(_CONNECT_TIMEOUT, timeout), read=timeout)
        except StaleConnectionError:
            if request.method != "GET":
                raise
            return self._open(request, connect=min(_CONNECT_TIMEOUT, timeout), read=timeout)

    def _open(self, request: HttpRequest, *, connect: float, read: float) -> urllib3.BaseHTTPResponse:
        query = f"?{urlencode(request.query)}" if request.query else ""
        response = self._pool.request(
            request.method,
            self._server + request.path + query,
            body=request.body,
            headers=self._headers(request),
            timeout=urllib3.Timeout(connect=connect, read=read),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        self._date = _date(response.headers.get("Date")) or self._date
        if response.status == 401:
            self._connection.refused()
        return response

    def _headers(self, request: HttpRequest) -> urllib3.HTTPHeaderDict:
        headers = urllib3.HTTPHeaderDict({"User-Agent": self._user_agent, "Accept": "application/json"})
        who = [("Authorization", self._connection.authorization()), *self._connection.impersonation]
        for name, value in who:
            if not (value.isascii() and value.isprintable()):  # http.client's error would show it
                raise ForbiddenError(
                    f"{request.title}: not sent, because {name} would have a character that no header takes",
                    advice="check the credential of the kubeconfig or service account",
                )
            if value:
                headers.add(name, value)
        if request.content_type:
            headers["Content-Type"] = request.content_type
        return headers

    def _unreachable(self, request: HttpRequest, error: Exception) -> UnreachableError:
        """Return the error for a request without an answer: a file that became unusable is named."""
        if isinstance(error, urllib3.exceptions.SSLError | OSError) and (
            fault := tls_files.fault_of(self._connection)
        ):
            return UnreachableError(f"{request.title}: {fault}", advice="it is read again with each attempt")
        return UnreachableError(f"{request.title}: {_cause(error)} ({self._server})", advice=_ADVICE)


class Stream:
    """The answer to a watch or list, as it comes."""

    def __init__(self, request: HttpRequest, response: urllib3.BaseHTTPResponse) -> None:
        self._request = request
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status; other than 200 the body is an error's, see `read_error`."""
        return self._response.status

    @property
    def retry_after(self) -> str:
        """The Retry-After header, empty without one."""
        return self._response.headers.get("Retry-After", "")

    def read_error(self, limit: int) -> bytes:
        """Return the first part of the body of a refused stream."""
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            return self._response.read1(limit)
        return b""

    def lines(self) -> Iterator[bytes]:
        """Yield whole lines until the server ends the stream.

        Raises: SilenceError after the agreed silence, UnreachableError when the stream breaks.
        """
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > _LINE_LIMIT:
                raise UnreachableError(f"{self._request.title}: an event is longer than {_LINE_LIMIT} bytes")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives, until the server ends it; errors as `lines`."""
        try:
            while chunk := self._response.read1(_CHUNK):
                yield chunk
        except urllib3.exceptions.ReadTimeoutError as e:
            raise SilenceError(f"{self._request.title}: nothing came for too long", advice=_ADVICE) from e
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as e:
            # ValueError: read of a response that `close` closed at the same moment
            raise UnreachableError(f"{self._request.title}: {_cause(e)}", advice=_ADVICE) from e

    def shut_down(self) -> None:
        """Wake the reader, whose `lines` then end or raise UnreachableError; from any thread."""
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
            self._response.shutdown()

    def close(self) -> None:
        """Give the connection up, unless the answer was read to its end; by the reader."""
        self._response.close()


class SilenceError(UnreachableError):
    """A stream on which nothing came: the connection is frozen, or there was nothing to say."""


def _read(request: HttpRequest, response: urllib3.BaseHTTPResponse, end: float) -> bytes:
    """Return the whole body, or the first part of an error's."""
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if response.status >= 300 and size >= BODY_LIMIT:
            response.close()  # what follows is not worth reading for the sake of the connection
            break
        if size > _ANSWER_LIMIT:
            raise UnreachableError(f"{request.title}: the answer is longer than {_ANSWER_LIMIT} bytes")
        if time.monotonic() > end:
            raise UnreachableError(f"{request.title}: the answer did not end in time", advice=_ADVICE)
    return b"".join(parts)


def _date(text: str | None) -> tuple[float, float] | None:
    """Return the date of an HTTP header, in seconds since the epoch, and the monotonic time now."""
    try:
        return email.utils.parsedate_to_datetime(text or "").timestamp(), time.monotonic()
    except ValueError:
        return None


def _cause(error: Exception) -> str:
    """Return what went wrong in a few words, without urllib3's object addresses."""
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return "no connection in time"
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return "no answer in time"
    return no_answer.cause(error)
