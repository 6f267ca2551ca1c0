"""The EIPPool object: what stands in it, checked as a server without CEL would let it pass.

An EIPPool (networking.tke.cloud.tencent.com/v1, of the cluster) is the user's EIPs, by id or selector, or so
many EIPs that the controller creates. Its spec has one writer, a person; its status the controller. Pure;
objects are dicts of JSON.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ipamd.core import model, tags
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.claim import spec as claim_spec
from ipamd.core.claim.eipclaim import GROUP, condition
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import fields
from ipamd.core.text.quoting import shown
from ipamd.core.timing import durations, timestamps

KIND = "EIPPool"
FINALIZER = f"{GROUP}/eippool"
"""Holds a deleted pool until all EIPs that were created for it are released."""
READY = "Ready"
"""Condition: Pods can have what the pool has."""
MOST = 100
"""EIPs of one pool: as many as one look asks for by id."""
RELEASE_AFTER = 600.0
"""Seconds for which an EIP above `min` must be free before it is released, if the pool does not say."""
_LEAST_RELEASE_AFTER = 60.0
_SOURCES = ("addressIDs", "selector", "attributes")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """What the pool is to be. Invariant: it has one of address ids, selector and order."""

    address_ids: tuple[str, ...] = ()
    selector: EipSelector | None = None
    order: model.EipOrder | None = None
    """How EIPs are created."""
    least: int = 0
    """EIPs that there are even if no Pod wants one."""
    most: int = MOST
    """EIPs beyond which none is ordered."""
    release_after: float = RELEASE_AFTER
    namespaces: tuple[str, ...] = ()
    """Whose Pods may have one; empty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAllocation:
    """`status.allocation`: which order is or was under way; written before the cloud is asked."""

    attempt: int
    """Counts from 1; each has a ClientToken of its own."""
    started: float | None = None
    """When it was first given; None when nothing of it is to come any more."""
    eip_id: str = ""
    """What the cloud has promised."""
    task_id: str = ""
    """By which the cloud tells what became of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EipPool:
    """One EIPPool as read from the API."""

    name: str
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    held: bool
    """Whether our finalizer is on it."""
    spec: PoolSpec | None = None
    """None when it cannot be used; `problem` says why."""
    problem: str = ""
    allocation: PoolAllocation = PoolAllocation(attempt=0)
    created: tuple[str, ...] = ()
    """EIPs that the cloud has promised or shown for the pool, and that are not known to be gone."""
    releasing: tuple[str, ...] = ()
    """EIPs that were about to be released: no claim gets one of them."""
    status: Mapping[str, Any]
    """As it is stored."""

    @property
    def trouble(self) -> str:
        """The reason why the pool was found not to be ready; empty when it is, or is being deleted."""
        ready = condition(tuple(self.status.get("conditions") or ()), READY)
        return "" if self.deleting or ready.get("status") != "False" else ready.get("reason", "")

    def has(self, eip: model.Eip) -> bool:
        """Whether the EIP is the pool's: by its list, by its selector, or created for it."""
        if eip.eip_id in self.created:
            return True
        if self.spec is None:
            return False
        selected = self.spec.selector is not None and self.spec.selector.matches(eip)
        return selected or eip.eip_id in self.spec.address_ids

    def __str__(self) -> str:
        return self.name


def read(obj: Mapping[str, Any]) -> EipPool:
    """Return the pool that an object from the API describes.

    Never fails for what a person may have written.
    """
    metadata, status = obj["metadata"], fields.mapping(obj.get("status"))
    spec, problem = None, ""
    held = FINALIZER in (metadata.get("finalizers") or ())
    try:
        spec = _spec(fields.mapping(obj.get("spec")), created=held)
    except InvalidInputError as e:
        problem = f"EIPPool {metadata['name']}: {e.message}"
    return EipPool(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        generation=metadata.get("generation") or 0,
        deleting=bool(metadata.get("deletionTimestamp")),
        held=held,
        spec=spec,
        problem=problem,
        allocation=_allocation(fields.mapping(status.get("allocation"))),
        created=_ids(status.get("created")),
        releasing=_ids(status.get("releasing")),
        status=status,
    )


def outside(pools: Collection[EipPool], eips: Iterable[model.Eip]) -> tuple[model.Eip, ...]:
    """Return the EIPs that no pool has, and all that were created for a claim, which answers for them."""
    return tuple(
        eip for eip in eips if tags.claim_of(eip.tags, eip.name) or not any(pool.has(eip) for pool in pools)
    )


def _spec(spec: Mapping[str, Any], *, created: bool) -> PoolSpec:
    """Read the spec of a pool for which EIPs were `created`, or not."""
    named = [field for field in _SOURCES if field in spec]
    if len(named) != 1:
        raise InvalidInputError(
            f"spec has {' and '.join(named) or 'no EIPs'}; allowed is one of {', '.join(_SOURCES)}"
        )
    [source] = named
    if created and source != "attributes":
        raise InvalidInputError(
            f"spec.{source} is new, and EIPs were created by spec.attributes; allowed is to change its "
            "values only: write attributes again, or make another pool"
        )
    namespaces = _namespaces(spec.get("namespaces", []))
    if source != "attributes":
        stray = next((field for field in ("min", "max", "releaseAfter") if field in spec), None)
        if stray:
            raise InvalidInputError(
                f"spec.{stray} is {shown(spec[stray])}; allowed is none beside spec.{source}, as the "
                "controller neither orders nor releases EIPs of yours"
            )
    if source == "addressIDs":
        return PoolSpec(address_ids=claim_spec.read_address_ids(spec["addressIDs"]), namespaces=namespaces)
    if source == "selector":
        return PoolSpec(selector=claim_spec.read_selector(spec["selector"]), namespaces=namespaces)
    least = _number(spec, "min", least=0, otherwise=0)
    return PoolSpec(
        order=claim_spec.read_order(spec["attributes"]),
        least=least,
        most=_number(spec, "max", least=max(1, least), otherwise=None),
        release_after=_release_after(spec.get("releaseAfter")),
        namespaces=namespaces,
    )


def _number(spec: Mapping[str, Any], field: str, *, least: int, otherwise: int | None) -> int:
    value = spec.get(field, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MOST:
        raise InvalidInputError(
            f"spec.{field} is {shown(value)}; allowed is a whole number from {least} to {MOST}"
            + ("" if field == "min" else ", not below spec.min")
        )
    return value


def _release_after(text: object) -> float:
    if text is None:
        return RELEASE_AFTER
    try:
        seconds = durations.parse(text if isinstance(text, str) else "")
    except InvalidInputError:
        seconds = 0.0
    if seconds < _LEAST_RELEASE_AFTER:
        raise InvalidInputError(
            f"spec.releaseAfter is {shown(text)}; allowed is a duration from "
            f"{durations.text_of(_LEAST_RELEASE_AFTER)}, such as 10m or 24h"
        )
    return seconds


def _namespaces(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise InvalidInputError(
            f"spec.namespaces is {shown(value)}; allowed is a list of names of namespaces, or none for all"
        )
    return tuple(value)


def _allocation(allocation: Mapping[str, Any]) -> PoolAllocation:
    attempt = allocation.get("attempt")
    if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
        return PoolAllocation(attempt=0)
    return PoolAllocation(
        attempt=attempt,
        started=timestamps.from_text(fields.text(allocation.get("startedAt"))),
        eip_id=fields.text(allocation.get("id")),
        task_id=fields.text(allocation.get("taskID")),
    )


def _ids(value: object) -> tuple[str, ...]:
    return tuple(i for i in fields.items(value) if isinstance(i, str))
