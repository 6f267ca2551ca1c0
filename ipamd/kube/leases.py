"""Leader election over a Lease (coordination.k8s.io/v1), with the rules of client-go's leaderelection.

A candidate takes the Lease when nobody holds it, or when its record has not changed for the lease's duration
*by the candidate's own clock*: the times inside the record are other machines' and are for people only. A
leader that cannot renew stops calling itself leader before any other may take over: `renew_within` <
`duration`. `check` is meant to stand before every write to the cloud. It compares two numbers, so it cannot
hang or lag.
Thread safety: any thread may call any method; the callbacks run on the election's thread.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ipamd.core.errors import TryAgainError
from ipamd.core.timing import timestamps
from ipamd.core.timing.deadline import Deadline
from ipamd.kube import errors
from ipamd.kube.calls import JsonObject
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import LEASES
from ipamd.runtime.defects import EndProcess
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTiming:
    """In seconds; the defaults are those of kube-controller-manager."""

    duration: float = 15.0
    """How long others respect a record that does not change."""
    renew_within: float = 10.0
    """How long a leader believes in its last renewal."""
    retry: float = 2.0
    """Between two attempts."""

    def __post_init__(self) -> None:
        """Refuse times under which two could lead at once."""
        if not 0 < self.retry < self.renew_within < self.duration:
            msg = f"a lease needs 0 < retry < renew_within < duration, not {self}"
            raise ValueError(msg)


class NotLeaderError(TryAgainError):
    """This process does not lead (any more), so it must not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """What a candidate knows of the Lease: its holder, and since when (own clock) it has not changed."""

    holder: str
    version: str
    duration: float
    since: float

    def free_for(self, identity: str, now: float) -> bool:
        """Whether `identity` may write itself into the Lease."""
        return self.holder in ("", identity) or now - self.since > self.duration


def observe(previous: LeaseRecord | None, lease: JsonObject, now: float) -> LeaseRecord:
    """Return the record of a Lease that was read at `now`; unchanged since earlier when its version is."""
    spec = lease.get("spec") or {}
    version = str(lease["metadata"].get("resourceVersion") or "")
    unchanged = previous is not None and previous.version == version
    return LeaseRecord(
        holder=str(spec.get("holderIdentity") or ""),
        version=version,
        duration=float(spec.get("leaseDurationSeconds") or 0),
        since=previous.since if previous and unchanged else now,
    )


class Election:
    """One candidate.

    Invariant: `leading` is true only within `renew_within` of the start of a successful renewal.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        namespace: str,
        name: str,
        identity: str,
        timing: LeaseTiming | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where the Lease is, and the name of this candidate, which no other may have."""
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._timing = timing or LeaseTiming()
        self._monotonic = monotonic
        self._record: LeaseRecord | None = None
        self._valid_until = float("-inf")
        self._announced = False
        self._on_started = self._on_lost = _nobody_hears
        # Who cannot renew must not be taken for a leader, nor for a candidate who only waits.
        self._task = Task("election", self._work, policy=EndProcess(tell=self._fail))

    @property
    def leading(self) -> bool:
        """Whether this candidate leads now."""
        return self._monotonic() < self._valid_until

    def check(self) -> None:
        """Raise NotLeaderError unless this candidate leads now."""
        if not self.leading:
            raise NotLeaderError(
                f"{self._identity} does not hold the Lease {self._namespace}/{self._name}",
                advice="the replica that holds it does the work",
            )

    def deadline(self) -> Deadline:
        """Return until when a write that begins now may last: no longer than the Lease is believed in.

        Raises: NotLeaderError.
        """
        self.check()
        return Deadline(self._valid_until, self._monotonic)

    def start(self, *, on_started: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Begin to stand for election.

        `on_started` is called when the Lease is won, `on_lost` at once when it can be trusted no longer;
        both must return soon, because the next renewal waits for them. `on_lost` is called also when the
        election itself fails by a defect, whether the Lease was held or not.
        """
        self._on_started, self._on_lost = on_started, on_lost
        self._task.start()

    def stop(self, *, give_back: bool = True, timeout: float = 5.0) -> None:
        """Stop standing; `give_back` a held Lease, so that the next leader need not wait until it expires.

        Give it back only when all work that needs it has ended. No callback follows.
        """
        self._task.stop(timeout)
        held, self._valid_until = self.leading, float("-inf")
        if held and give_back:
            try:
                self._release()
            except errors.KubeError as e:
                log.info("the Lease is not given back and will expire: %s", e)

    def _work(self) -> bool:
        """Stand for election once, and wait until the next time."""
        began = self._monotonic()
        try:
            held = self._take_or_renew(began)
        except errors.KubeError as e:
            log.warning("the Lease %s/%s: %s", self._namespace, self._name, e)
        else:
            if held is not None:
                self._valid_until = began + self._timing.renew_within if held else float("-inf")
        stopping = self._task.stopping
        if stopping.is_set():
            return False
        self._announce()
        wait = self._timing.retry
        if self.leading:
            wait = min(wait, self._valid_until - self._monotonic())
        if not stopping.wait(max(0.0, wait)):
            self._announce()
        return True

    def _fail(self) -> None:
        self._valid_until = float("-inf")
        self._announced = False
        self._on_lost()

    def _announce(self) -> None:
        leading = self.leading
        if leading and not self._announced:
            self._announced = True
            log.info("%s leads", self._identity)
            self._on_started()
        elif not leading and self._announced:
            self._announced = False
            log.warning("%s has lost the Lease %s/%s", self._identity, self._namespace, self._name)
            self._on_lost()

    def _take_or_renew(self, now: float) -> bool | None:
        """Return whether the Lease is ours, or None when somebody wrote it at the same moment."""
        # One deadline for both requests: a renewal must not end after the time the last one is good for.
        until = self._valid_until if self.leading else now + self._timing.renew_within
        try:
            lease = self._client.get(LEASES, self._name, self._namespace, timeout=self._patience(until))
        except errors.NotFoundError:
            return self._create(self._patience(until))
        self._record = observe(self._record, lease, now)
        if not self._record.free_for(self._identity, now):
            return False
        spec = dict(lease.get("spec") or {})
        if spec.get("holderIdentity") != self._identity:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = _micro_now()
        return self._replace(lease, {**spec, **self._claim()}, self._patience(until))

    def _patience(self, until: float) -> float:
        """Return half of the seconds that are left, because connecting and reading each may take it."""
        return max(0.1, (until - self._monotonic()) / 2)

    def _create(self, patience: float) -> bool | None:
        lease = {
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {**self._claim(), "acquireTime": _micro_now(), "leaseTransitions": 0},
        }
        try:
            self._client.create(LEASES, lease, timeout=patience)
        except errors.AlreadyExistsError:
            return None
        return True

    def _replace(self, lease: JsonObject, spec: dict[str, Any], patience: float) -> bool | None:
        try:
            self._client.replace(LEASES, {**lease, "spec": spec}, timeout=patience)
        except errors.ConflictError:
            return None
        return True

    def _release(self) -> None:
        lease = self._client.get(LEASES, self._name, self._namespace, timeout=2.0)
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") == self._identity:
            self._replace(lease, {**spec, **self._claim(), "holderIdentity": ""}, 2.0)

    def _claim(self) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._timing.duration),
            "renewTime": _micro_now(),
        }


def _micro_now() -> str:
    return timestamps.to_micro_text(time.time())


def _nobody_hears() -> None:
    pass
