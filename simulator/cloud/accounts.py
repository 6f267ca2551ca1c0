"""Who calls, and what CAM lets them do.

Holds the permanent keys of sub-accounts, the temporary keys of roles (issued by the metadata service, with an
expiry) and the allow and deny globs of both. Thread-safe behind its own lock. Invariant: a temporary key is
accepted until its expiry and only with its own token.
"""

import fnmatch
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from simulator.cloud import situations
from simulator.cloud.config import AccountConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A sub-account or an assumed role; rate limits count for each."""

    name: str
    allow: tuple[str, ...]
    deny: tuple[str, ...]

    def may(self, operation: str) -> bool:
        """Tell whether CAM lets it do `operation`, such as cvm:AllocateAddresses."""
        return not _matches(operation, self.deny) and _matches(operation, self.allow)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryKey:
    """What the metadata service hands out for a role."""

    secret_id: str
    secret_key: str
    token: str
    expires: float


@dataclass(frozen=True, slots=True)
class _Key:
    principal: str
    secret_key: str
    token: str = ""
    expires: float | None = None


class Accounts:
    """The keys and policies of the region's account."""

    def __init__(self, config: AccountConfig, wall: Callable[[], float]) -> None:
        """Take the account and the clock that keys expire by."""
        self._wall = wall
        self._lock = threading.Lock()
        self._roles = {role.name: role for role in config.roles}
        principals = [
            *(Principal(name=user.name, allow=user.allow, deny=user.deny) for user in config.users),
            *(Principal(name=role.name, allow=role.allow, deny=role.deny) for role in config.roles),
        ]
        self._principals = {principal.name: principal for principal in principals}
        self._sessions: dict[str, TemporaryKey] = {}
        self._keys = {user.secret_id: _Key(user.name, user.secret_key) for user in config.users}

    def set_policy(self, name: str, *, allow: tuple[str, ...] = ("*",), deny: tuple[str, ...] = ()) -> None:
        """Replace the policy of a user or role, as an administrator does in the console."""
        with self._lock:
            if name not in self._principals:
                raise KeyError(f"no user or role {name!r}; there are {', '.join(sorted(self._principals))}")
            self._principals[name] = Principal(name=name, allow=allow, deny=deny)

    def policies(self) -> dict[str, dict[str, list[str]]]:
        """Give the globs of every user and role by name."""
        with self._lock:
            return {
                name: {"allow": list(principal.allow), "deny": list(principal.deny)}
                for name, principal in self._principals.items()
            }

    def temporary_key(self, role: str) -> TemporaryKey:
        """Give the present temporary key of `role`, a new one in the last quarter of the old one's session.

        Raises KeyError when there is no such role.
        """
        with self._lock:
            now, session = self._wall(), self._roles[role].session_seconds
            present = self._sessions.get(role)
            if present is not None and present.expires - now >= session / 4:
                return present
            key = TemporaryKey(
                secret_id=f"AKID{secrets.token_hex(16)}",
                secret_key=secrets.token_hex(16),
                token=secrets.token_urlsafe(48),
                expires=now + session,
            )
            self._sessions[role] = key
            self._keys[key.secret_id] = _Key(role, key.secret_key, key.token, key.expires)
            return key

    def expire_keys(self, role: str) -> int:
        """End the temporary keys of `role` before their time, as a change of the role may; give how many.

        Raises KeyError when there is no such role.
        """
        with self._lock:
            now = self._wall()
            if role not in self._roles:
                raise KeyError(role)
            self._sessions.pop(role, None)
            live = {
                secret_id: key
                for secret_id, key in self._keys.items()
                if key.principal == role and key.expires is not None and key.expires > now
            }
            self._keys |= {secret_id: replace(key, expires=now) for secret_id, key in live.items()}
            return len(live)

    def secret_key(self, secret_id: str) -> str:
        """Give the key to verify a signature with; raise ApiError (SecretIdNotFound)."""
        with self._lock:
            key = self._keys.get(secret_id)
        if key is None:
            raise situations.SECRET_ID_UNKNOWN.error()
        return key.secret_key

    def principal(self, secret_id: str, token: str) -> Principal:
        """Give who owns a key whose signature is verified; raise ApiError (TokenFailure)."""
        with self._lock:
            key = self._keys[secret_id]
            if key.token and token != key.token:
                raise situations.TOKEN_WRONG.error(reason="it does not belong to the SecretId")
            if key.expires is not None and self._wall() >= key.expires:
                raise situations.TOKEN_WRONG.error(reason="it has expired")
            return self._principals[key.principal]


def _matches(operation: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(operation, glob) for glob in globs)
