"""The credential that signs API calls: from the environment, or of the CVM's CAM role.

Temporary credentials are renewed while the old one is still good, by whichever thread asks first, and never
used after they expire: the cloud would refuse them anyhow, less clearly. Secrets appear in no message, log or
`repr`.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ipamd import boot
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import InvalidInputError

log = logging.getLogger(__name__)

RENEW_AHEAD = 600.0
"""Seconds before expiry from which a new credential is asked for."""
UNUSABLE_AHEAD = 15.0
"""Seconds before expiry from which a credential is not used: a call takes its time."""
RETRY_AFTER = 10.0
"""Seconds between attempts to renew a credential that is still good."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credential:
    """A key pair, with a token if it is temporary."""

    secret_id: str
    secret_key: str
    token: str = ""
    lifetime: float = float("inf")
    """Seconds for which it is good, from the moment in which it was asked for."""

    def __repr__(self) -> str:
        return f"Credential(secret_id={self.secret_id[:8]}..., lifetime={self.lifetime:.0f})"


class Credentials(Protocol):
    """Where the SDK's client gets the credential for each request. Thread safety: share it freely."""

    def get_credential_info(self) -> tuple[str, str, str]:
        """Return SecretId, SecretKey and token (empty if there is none); the name is the SDK's.

        Raises CloudError of kind CREDENTIALS when there is no usable one.
        """

    def reject(self) -> bool:
        """Hear that the cloud refused the credential; return whether the next call may have another."""


class StaticCredentials:
    """A permanent key pair. Thread safety: immutable."""

    def __init__(self, credential: Credential) -> None:
        """Take the credential as it is."""
        self._credential = credential

    def get_credential_info(self) -> tuple[str, str, str]:
        """Return the key pair."""
        return self._credential.secret_id, self._credential.secret_key, self._credential.token

    def reject(self) -> bool:
        """Return False: there is no other."""
        return False


class RoleCredentials:
    """The temporary credential of the CVM's CAM role.

    Invariant: `get_credential_info` returns only what is good for another UNUSABLE_AHEAD seconds. Thread
    safety: share it freely; one thread renews, the others go on with the old credential while it lasts.
    """

    def __init__(self, fetch: Callable[[], Credential], *, clock: Callable[[], float] = boot.clock) -> None:
        """Take what asks the metadata service (`Metadata.credential`), and a clock that nobody sets.

        That clock should go on while the machine is suspended: credentials expire meanwhile.
        """
        self._fetch = fetch
        self._clock = clock
        self._renewing = threading.Lock()
        self._current: _Received | None = None
        self._renewed_at = float("-inf")
        self._next_attempt = float("-inf")

    def get_credential_info(self) -> tuple[str, str, str]:
        """Return a usable key pair and token, asking for new ones when it is time."""
        credential = self._usable().credential
        return credential.secret_id, credential.secret_key, credential.token

    def reject(self) -> bool:
        """Drop the credential, unless it has just been renewed: then the refusal was of the one before."""
        if self._clock() - self._renewed_at > RETRY_AFTER:
            self._current = None
        return True

    def _usable(self) -> "_Received":
        current = self._current
        if current is None or self._left(current) <= UNUSABLE_AHEAD:
            with self._renewing:
                if self._current is None or self._left(self._current) <= UNUSABLE_AHEAD:
                    self._current = self._renewed()
                return self._current
        if self._left(current) <= RENEW_AHEAD and self._renewing.acquire(blocking=False):
            try:
                self._renew_ahead()
            finally:
                self._renewing.release()
        return self._current or current

    def _renew_ahead(self) -> None:
        """Replace a credential that is still good; failure leaves it in place."""
        if self._clock() < self._next_attempt:
            return
        self._next_attempt = self._clock() + RETRY_AFTER
        try:
            self._current = self._renewed()
        except CloudError as e:
            log.warning("the CAM role's credential could not be renewed ahead of time: %s", e)

    def _renewed(self) -> "_Received":
        asked_at = self._clock()
        try:
            fresh = self._fetch()
        except CloudError as e:
            raise cloud_error(
                "GetCredential", "ClientNoCredential", f"no credential of a CAM role: {e.detail}"
            ) from e
        received = _Received(fresh, asked_at + fresh.lifetime)
        left = self._left(received)
        if left <= UNUSABLE_AHEAD:
            state = f"expired {-left:.0f} s ago" if left < 0 else f"is good for {left:.0f} s only"
            raise cloud_error(
                "GetCredential", "ClientNoCredential", f"the metadata service gave a credential that {state}"
            )
        self._renewed_at = self._clock()
        log.info("the CAM role's credential %s... is good for %.0f s", fresh.secret_id[:8], left)
        return received

    def _left(self, received: "_Received") -> float:
        return received.good_until - self._clock()


@dataclass(frozen=True, slots=True)
class _Received:
    """A credential, and until when it is good by the clock of its receiver."""

    credential: Credential
    good_until: float


def from_environment(environment: Mapping[str, str]) -> StaticCredentials | None:
    """Return the credential of TENCENTCLOUD_SECRET_ID, _SECRET_KEY and _TOKEN; None if they are not set.

    Raises InvalidInputError if only one half of the pair is set.
    """
    secret_id = environment.get("TENCENTCLOUD_SECRET_ID", "").strip()
    secret_key = environment.get("TENCENTCLOUD_SECRET_KEY", "").strip()
    if not secret_id and not secret_key:
        return None
    if not secret_id or not secret_key:
        missing = "TENCENTCLOUD_SECRET_KEY" if secret_id else "TENCENTCLOUD_SECRET_ID"
        raise InvalidInputError(
            f"{missing} is not set, but its other half is",
            advice="set both, or neither to use the CAM role of the CVM",
        )
    token = environment.get("TENCENTCLOUD_TOKEN", "").strip()
    return StaticCredentials(Credential(secret_id=secret_id, secret_key=secret_key, token=token))
