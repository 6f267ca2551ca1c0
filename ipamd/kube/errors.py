"""What the Kubernetes API answers when it does not do what was asked, by what the caller may do about it.

`from_answer` decodes a `Status` object (or whatever stands in its place); what the server sent is cut to a
length that fits a log line. An answer that says nothing certain about the request - none at all, 5xx, broken
JSON - is `UnreachableError`: a write may have been carried out, so its caller reads before it writes
again.
"""

import json
from typing import Any

from ipamd.core.errors import IpamError

BODY_LIMIT = 64 * 1024
"""Bytes of an error's body that are read at all."""
_MESSAGE_LIMIT = 512
"""Characters of the server's message that are shown."""
_LONGEST_PAUSE = 60.0
"""Seconds; a Retry-After beyond it is not believed."""


class KubeError(IpamError):
    """A request that the API server refused.

    `status` is the HTTP status (0 without one), `reason` its Status.reason.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "", advice: str = "") -> None:
        """Take the sentence, and the status and reason that programs compare."""
        super().__init__(message, advice=advice)
        self.status = status
        self.reason = reason


class NotFoundError(KubeError):
    """The object, its namespace or its kind does not exist (404)."""


class ConflictError(KubeError):
    """The object has changed since it was read, or a precondition does not hold (409): read again."""


class AlreadyExistsError(KubeError):
    """A create met an object of the same name (409 AlreadyExists)."""


class GoneError(KubeError):
    """The resourceVersion or continue token is too old (410): list again."""


class ForbiddenError(KubeError):
    """RBAC denies the request (403) or the credential is not valid (401)."""


class InvalidObjectError(KubeError):
    """The server's validation refuses the object or the request (400, 415, 422 and other 4xx)."""


class ThrottledError(KubeError):
    """The server asks for a pause (429): nothing was done; repeat after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float, reason: str = "TooManyRequests") -> None:
        """Take the pause in seconds."""
        super().__init__(message, status=429, reason=reason)
        self.retry_after = retry_after


class UnreachableError(KubeError):
    """No usable answer: the request may or may not have been carried out."""


def from_answer(request: str, *, status: int, body: bytes, retry_after: str = "") -> KubeError:
    """Return the error for an HTTP answer other than 2xx to `request` (for example `get Pod default/a`)."""
    document = _status_object(body)
    reason = str(document.get("reason") or "")
    said = str(document.get("message") or "") or body[:_MESSAGE_LIMIT].decode("utf-8", "replace")
    return _error(
        request, status=status, reason=reason, said=said, retry_after=_seconds(retry_after, document)
    )


def from_status(request: str, document: dict[str, Any]) -> KubeError:
    """Return the error for a `Status` object that came inside a watch."""
    code = document.get("code")
    return _error(
        request,
        status=code if isinstance(code, int) else 0,
        reason=str(document.get("reason") or ""),
        said=str(document.get("message") or ""),
        retry_after=_seconds("", document),
    )


def _error(request: str, *, status: int, reason: str, said: str, retry_after: float) -> KubeError:
    if len(said) > _MESSAGE_LIMIT:
        said = said[:_MESSAGE_LIMIT] + "..."
    message = f"{request}: the API server answered {status} {reason or 'without a reason'}: {said.strip()}"
    if status == 429:
        return ThrottledError(message, retry_after=retry_after, reason=reason or "TooManyRequests")
    kind: type[KubeError] = InvalidObjectError
    advice = ""
    if status == 404:
        kind = NotFoundError
    elif status == 409:
        kind = AlreadyExistsError if reason == "AlreadyExists" else ConflictError
    elif status == 410 or reason in ("Expired", "Gone"):
        kind = GoneError
    elif status == 401:
        kind, advice = ForbiddenError, "check the service account's token or the kubeconfig's user"
    elif status == 403:
        policy = "ValidatingAdmissionPolicy" in said
        kind = ForbiddenError
        advice = "see docs/rights.md" if policy else "grant it in the RBAC role of tke-eni"
    elif not 400 <= status < 500:
        kind = UnreachableError
    return kind(message, status=status, reason=reason, advice=advice)


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(header: str, document: dict[str, Any]) -> float:
    """Return the pause that is asked for: Retry-After in seconds, else details.retryAfterSeconds, else 1."""
    details = document.get("details")
    candidates = [header, details.get("retryAfterSeconds") if isinstance(details, dict) else None]
    for candidate in candidates:
        try:
            seconds = float(candidate)  # type: ignore[arg-type]  # None and nonsense are what is caught below
        except (TypeError, ValueError):
            continue
        if seconds >= 0:  # false for NaN too
            return min(seconds, _LONGEST_PAUSE)
    return 1.0
