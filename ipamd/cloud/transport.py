"""One product's client of the cloud SDK, with the SDK's known defects fenced off.

The SDK serialises, signs (TC3-HMAC-SHA256), pools connections and sends. Around it, for its release 3.1.195:

- it waits 60 s for each read, whatever the caller promised: here every request gets the time that its thread
  says it has, connection and body included;
- it reads bodies of any size, and outside its own error handling: here they are bounded and read at once;
- it sees an error only under two exact Content-Types, and raises `json` errors for broken bodies: here errors
  are found by content (see `session`), whatever the type;
- it writes credentials to its debug log: here that log is shut.

Its retryer, region breaker and role credentials are not used (docs/adr/0002). Thread safety: a
`ProductClient` may be shared by threads.
"""

import contextlib
import email.utils
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests.adapters
import urllib3
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from ipamd.cloud.credentials import Credentials
from ipamd.cloud.endpoints import Endpoints
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.text import no_answer
from ipamd.runtime import failpoints

VERSIONS: Final[Mapping[str, str]] = {"cvm": "2017-03-12", "vpc": "2017-03-12"}
"""API version of each product in use."""
LONGEST_BODY = 4 << 20
"""Bytes; a page of 100 addresses is about 100 KiB."""
CONNECT_SECONDS = 3.0
_CHUNK = 64 << 10
_LONGEST_MESSAGE = 500

logging.getLogger("tencentcloud_sdk_common").addFilter(lambda _: False)


class CallTimeout(urllib3.Timeout):
    """A time-out that is what is left of the calling thread's time when a request starts.

    The SDK takes one time-out for the life of a client and passes it through requests to urllib3, which
    makes a copy of it for each request by `clone`.
    """

    def __init__(self) -> None:
        super().__init__(connect=CONNECT_SECONDS)
        self._allowed = threading.local()

    def allow(self, seconds: float) -> None:
        """Give this thread's next request `seconds` in all."""
        self._allowed.until = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that this thread has left; negative when its time is over."""
        until: float = self._allowed.until
        return until - time.monotonic()

    def clone(self) -> urllib3.Timeout:
        """Return the time-out of one request of this thread."""
        left = max(0.001, self.left())  # urllib3 refuses zero
        return urllib3.Timeout(connect=min(CONNECT_SECONDS, left), read=left, total=left)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudDate:
    """What the cloud's clock was when an answer came."""

    said: float
    """Seconds since the epoch."""
    at: float
    """When, by the monotonic clock."""

    def now(self) -> float:
        """Return what the cloud's clock is now."""
        return self.said + time.monotonic() - self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the SDK's `call_json` needs of a response: without a Content-Type it leaves errors to us."""

    status_code: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class _BoundedClient(CommonClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's client, reading each body at once, within size and time."""

    def __init__(self, product: str, region: str, credentials: Credentials, profile: ClientProfile) -> None:
        super().__init__(product, VERSIONS[product], credentials, region, profile)
        self._time: CallTimeout = profile.httpProfile.reqTimeout
        self.date: CloudDate | None = None

    def _call(
        self, action: str, params: Any, options: Any = None, headers: dict[str, str] | None = None
    ) -> _Answer:
        response = super()._call(action, params, options, headers)
        self.date = _date(response.headers.get("Date")) or self.date
        with contextlib.closing(response):
            return _Answer(status_code=response.status_code, content=self._body(action, response.raw))

    def _body(self, action: str, raw: urllib3.HTTPResponse) -> bytes:
        body = bytearray()
        try:
            while chunk := raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > LONGEST_BODY:
                    raise cloud_error(
                        action, "ClientBrokenAnswer", f"the answer is over {LONGEST_BODY} bytes"
                    )
                if self._time.left() <= 0:
                    raise cloud_error(
                        action, "ClientNetworkError", "the answer did not come to its end in time"
                    )
        except (urllib3.exceptions.HTTPError, OSError) as e:
            raise cloud_error(
                action, "ClientNetworkError", f"the answer was cut off: {no_answer.cause(e)}"
            ) from e
        return bytes(body)


class ProductClient:
    """Sends actions to one product of one region. Thread safety: share it freely."""

    def __init__(
        self, product: str, *, region: str, credentials: Credentials, endpoints: Endpoints, connections: int
    ) -> None:
        """Take the product (vpc, cvm) and how many connections are kept; opens none."""
        self._time = CallTimeout()
        self._asked = endpoints.place(product)
        http = HttpProfile(
            protocol=endpoints.scheme, endpoint=endpoints.host(product), reqTimeout=self._time, keepAlive=True
        )
        profile = ClientProfile(httpProfile=http, language="en-US", request_client="tke-eni")
        self._client = _BoundedClient(product, region, credentials, profile)
        # The SDK keeps ten, and makes a new one for each call beyond them.
        adapter = requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=connections)
        for scheme in ("http://", "https://"):
            self._client.request.conn._session.mount(scheme, adapter)  # noqa: SLF001

    def send(self, action: str, params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send one request and return the `Response` object, which may hold an `Error`.

        Nothing is repeated. Takes `seconds` at most. Raises CloudError: UNKNOWN_OUTCOME when no usable answer
        came, or what the credentials raise when there are none.
        """
        self._time.allow(seconds)
        try:
            with failpoints.failpoint(f"cloud.{action}"):
                answer = self._client.call_json(action, dict(params))
        except TencentCloudSDKException as e:
            message = self._no_answer(e) if e.code == "ClientNetworkError" else _text(e.message)
            raise cloud_error(action, e.code or "ClientError", message, e.requestId or "") from e
        except (ValueError, RecursionError) as e:
            raise cloud_error(action, "ClientBrokenAnswer", f"the answer is not JSON: {e}") from e
        response = answer.get("Response") if isinstance(answer, dict) else None
        if not isinstance(response, dict):
            raise cloud_error(action, "ClientBrokenAnswer", "the answer has no Response object")
        return response

    def _no_answer(self, error: TencentCloudSDKException) -> str:
        """Return who has not answered, and why: the SDK raises its error while it handles the library's."""
        return f"no answer from {self._asked}: {no_answer.cause(error)}"

    @property
    def date(self) -> CloudDate | None:
        """The Date of the last answer that had one."""
        return self._client.date

    def close(self) -> None:
        """Close the pooled connections; a later `send` opens new ones."""
        # The SDK has no method for it.
        self._client.request.conn._session.close()  # noqa: SLF001


def _date(text: str | None) -> CloudDate | None:
    """Return the date of an HTTP header that has just come."""
    try:
        said = email.utils.parsedate_to_datetime(text or "").timestamp()
        return CloudDate(said=said, at=time.monotonic())
    except ValueError:
        return None


def _text(message: object) -> str:
    """Return the SDK's message, which holds a gateway's raw body when the status was not 200."""
    text = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}..."
