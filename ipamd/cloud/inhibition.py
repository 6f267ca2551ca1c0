"""Calls that need not be made: after a refusal that only time or a person can lift, ask again only later.

A full subnet, a used-up quota, an empty account or a missing permission does not change from one second to
the next, while a Pod that cannot start is retried for ever. So the refusal is kept for a while and given
again without a call. A success of the action, or of the one that frees what it lacks, ends the wait at once.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind

log = logging.getLogger(__name__)

_OPERATION = re.compile(r"perform operation \([a-z]+:([A-Za-z*]+)\)")
_RESOURCE = re.compile(r"resource \((?:\S*:)?(?:([^/:\s)]*)/)?([^/:\s)]+)\) has no permission")
"""How CAM names what it denies the action on, as `qcs::cvm:ap-guangzhou:uin/1:eip/*`: kind and id."""
_BY_CAM = (
    "AuthFailure.UnauthorizedOperation",
    "IpInBlacklist",
    "IpNotInWhitelist",
    "UnauthorizedOperation",
)
"""Codes that deny the action; others of their family are about what the call asks for."""

_NEEDS_ADDRESSES = (
    "AssignPrivateIpAddresses",
    "CreateAndAttachNetworkInterface",
    "CreateNetworkInterface",
    "CreateReserveIpAddresses",
)
_RELIEVES: Mapping[str, tuple[str, ...]] = {
    "DeleteNetworkInterface": _NEEDS_ADDRESSES,
    "DeleteReserveIpAddresses": _NEEDS_ADDRESSES,
    "DetachNetworkInterface": ("AttachNetworkInterface", "CreateAndAttachNetworkInterface"),
    "DisassociateAddress": ("AssociateAddress", "AttachNetworkInterface"),
    "UnassignPrivateIpAddresses": _NEEDS_ADDRESSES,
}
"""Which actions get back what a success of the left one frees."""
_RELIEVES_AT_THE_END: Mapping[str, tuple[str, ...]] = {
    "DetachNetworkInterface": ("AssociateAddress", "AttachNetworkInterface"),
    "ReleaseAddresses": ("AllocateAddresses",),
}
"""The same, but only once what was accepted has come about: an EIP counts until it is gone from the account,
or with its ENI from the CVM."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What refusals of a call can be about. One call's refusal must not hold for what it did not name."""

    whole: str = ""
    """All that the call names, as words: for example a subnet, or an EIP and an ENI."""
    by_code: Mapping[str, str] = field(default_factory=dict)
    """The part of it that a code, or a family of codes, is about."""
    by_kind: Mapping[str, str] = field(default_factory=dict)
    """The part of it that is of a kind of CAM's resources, in small letters: other calls may not need it."""

    def about(self, error: CloudError) -> str:
        """Return what this refusal is about; empty when it is about the action as such."""
        if error.kind is CloudErrorKind.PERMISSION and error.code in _BY_CAM:
            return self._denied(error)
        family = error.code
        while family and family not in self.by_code:
            family = family.rpartition(".")[0]
        return self.by_code.get(family, self.whole)

    def _denied(self, error: CloudError) -> str:
        """Return what CAM denies: the resource that it names, a right that such calls need, or the action.

        The right may be another action's: an order into a bandwidth package needs that to add to packages.
        """
        operation, resource = _OPERATION.search(error.detail), _RESOURCE.search(error.detail)
        kind, named = (resource.group(1) or "", resource.group(2)) if resource else ("", "*")
        if named != "*":
            return named if named in self.all else self.whole
        if kind.lower() in self.by_kind:
            return self.by_kind[kind.lower()]
        if operation is not None and operation.group(1) not in (error.action, "*"):
            return self.whole
        return ""

    @property
    def all(self) -> tuple[str, ...]:
        """Everything that a refusal which stops this call may have been about."""
        return tuple(dict.fromkeys(("", self.whole, *self.whole.split(), *self.by_code.values())))


class Inhibitor:
    """The refusals that still hold, by action and what they are about.

    Thread safety: every method may be called from any thread; none of them waits.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """Take a monotonic clock."""
        self._clock = clock
        self._lock = threading.Lock()
        self._refusals: dict[tuple[str, str], tuple[float, CloudError]] = {}

    def check(self, action: str, scope: Scope) -> None:
        """Raise the refusal that still holds for this call, if there is one."""
        with self._lock:
            now = self._clock()
            for key in ((action, part) for part in scope.all):
                until, error = self._refusals.get(key, (now, None))
                if error is not None and until > now:
                    log.debug("%s is not asked for %.0f s: it was refused", action, until - now)
                    # The same words as before: a message that changes would be a new Event each time.
                    raise error.restated(error.detail)
                self._refusals.pop(key, None)

    def refused(self, action: str, scope: Scope, error: CloudError) -> None:
        """Remember that the cloud refused the call, if its kind of refusal holds for a while."""
        window = error.kind.policy.retry_after
        if window <= 0:
            return
        key = (action, scope.about(error))
        with self._lock:
            now = self._clock()
            self._refusals = {k: v for k, v in self._refusals.items() if v[0] > now}
            self._refusals[key] = (now + window, error)

    def succeeded(self, action: str, scope: Scope) -> None:
        """Forget what this success contradicts: refusals of this call, and of the action that it relieves."""
        self._forget(_RELIEVES.get(action, ()), frozenset((action, part) for part in scope.all))

    def completed(self, action: str) -> None:
        """Forget what is void now that the effect of an accepted `action` has come about."""
        self._forget(_RELIEVES_AT_THE_END.get(action, ()), frozenset())

    def _forget(self, relieved: tuple[str, ...], allowed: frozenset[tuple[str, str]]) -> None:
        with self._lock:
            self._refusals = {
                key: (until, error)
                for key, (until, error) in self._refusals.items()
                if key not in allowed and not (key[0] in relieved and error.kind.policy.is_shortage)
            }
