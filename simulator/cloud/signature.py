"""TC3-HMAC-SHA256, the signature method of API v3, from the server's side.

Follows the document "Signature v3" (213/30654): the canonical request is rebuilt from the headers that the
client says it signed, so clients that sign more than Content-Type and Host are verified too. Pure functions;
who owns a key and whether it is still good is `simulator.cloud.accounts`.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from simulator.cloud import situations

ALGORITHM = "TC3-HMAC-SHA256"
WINDOW_SECONDS = 300
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """The parts of an HTTP request that a signature covers; header names are lower case."""

    method: str
    path: str
    query: str
    """The raw query string, as it stood in the request line."""
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """The Authorization header, taken apart."""

    secret_id: str
    date: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(header: str) -> Authorization:
    """Take the header apart; raise ApiError (InvalidAuthorization) saying what is wrong with it."""
    algorithm, _space, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise situations.NO_AUTHORIZATION.error(reason=f"the algorithm must be {ALGORITHM}")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not fields.get(name):
            raise situations.NO_AUTHORIZATION.error(reason=f"{name} is missing")
    scope = fields["Credential"].split("/")
    if len(scope) != 4 or scope[3] != "tc3_request":
        raise situations.NO_AUTHORIZATION.error(reason="Credential must be SecretId/date/service/tc3_request")
    signed = tuple(fields["SignedHeaders"].split(";"))
    for name in ("content-type", "host"):
        if name not in signed:
            raise situations.NO_AUTHORIZATION.error(reason=f"SignedHeaders must name {name}")
    return Authorization(
        secret_id=scope[0],
        date=scope[1],
        service=scope[2],
        signed_headers=signed,
        signature=fields["Signature"],
    )


def check_time(authorization: Authorization, timestamp: str, now: float) -> None:
    """Raise ApiError unless X-TC-Timestamp is near `now` and the scope's date is its UTC day."""
    if not timestamp.isdecimal():
        raise situations.PARAMETER_MISSING.error(name="Timestamp")
    moment = int(timestamp)
    if abs(moment - now) > WINDOW_SECONDS:
        raise situations.SIGNATURE_EXPIRED.error(timestamp=moment, window=WINDOW_SECONDS, now=int(now))
    if datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d") != authorization.date:
        raise situations.SIGNATURE_WRONG.error()


def check_signature(message: SignedMessage, authorization: Authorization, secret_key: str) -> None:
    """Raise ApiError (SignatureFailure) unless `message` was signed with `secret_key`."""
    expected = sign(message, authorization, secret_key)
    if not hmac.compare_digest(expected.encode(), authorization.signature.encode()):
        raise situations.SIGNATURE_WRONG.error()


def sign(message: SignedMessage, authorization: Authorization, secret_key: str) -> str:
    """Compute the signature of `message` for the scope and the signed headers of `authorization`."""
    headers = "".join(
        f"{name}:{message.headers.get(name, '').strip().lower()}\n" for name in authorization.signed_headers
    )
    unsigned = message.headers.get("x-tc-content-sha256") == UNSIGNED_PAYLOAD
    payload = UNSIGNED_PAYLOAD.encode() if unsigned else message.body
    canonical = "\n".join(
        (
            message.method,
            message.path,
            message.query,
            headers,
            ";".join(authorization.signed_headers),
            hashlib.sha256(payload).hexdigest(),
        )
    )
    scope = f"{authorization.date}/{authorization.service}/tc3_request"
    text = "\n".join(
        (
            ALGORITHM,
            message.headers.get("x-tc-timestamp", ""),
            scope,
            hashlib.sha256(canonical.encode("latin-1")).hexdigest(),
        )
    )
    key = f"TC3{secret_key}".encode()
    for part in (authorization.date, authorization.service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode("latin-1"), "sha256").hex()
