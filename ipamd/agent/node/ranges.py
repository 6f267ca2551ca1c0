"""What Pods reach with their own address: the ranges of the VPC, of Services, and what nobody masquerades.

    --direct-cidrs, --service-cidrs      flags
    the VPC's CIDRs                      asked again now and then (live_facts.py)
    ServiceCIDRs                         watched, where the API server has them (Kubernetes 1.33)
    ip-masq-agent's configuration        watched: what it leaves alone would leave by the primary ENI with the
                                         Pod's address, and the VPC would drop it

What was last known is kept in the store: while the API server is away after a restart, running Pods keep
their ways. Thread safety: any thread may read; `look` is for one thread.
"""

import ipaddress
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ipamd.core.eip import masquerade
from ipamd.core.eip.unmasqueraded import unmasqueraded
from ipamd.core.errors import InvalidInputError
from ipamd.kube.calls import JsonObject
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.optional_watch import OptionalWatch
from ipamd.kube.resources import CONFIGMAPS, SERVICE_CIDRS
from ipamd.net.model import Ranges
from ipamd.store.database import Database, StoreError

log = logging.getLogger(__name__)

_SERVICES, _UNMASQUERADED = "services", "unmasqueraded"
FACT = "ranges"
"""Where the store keeps what was last known."""

Cidrs = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRanges:
    """What is known at the start."""

    direct: Cidrs
    """By flag."""
    services: Cidrs
    """By flag."""
    matter: bool
    """Whether they decide by which way a Pod's packet leaves: --pod-egress=node, or --direct-eni."""


class NodeRanges:
    """Invariant: `_known` has what was read last, now or before a restart; `_kept` is what the store has."""

    def __init__(
        self,
        given: GivenRanges,
        *,
        vpc: Callable[[], Cidrs],
        client: KubeClient,
        database: Database,
    ) -> None:
        """Take where to ask."""
        self._given = given
        self._vpc = vpc
        self._database = database
        self._listeners: list[Callable[[], None]] = []
        self._kept: dict[str, list[str]] = database.fact(FACT) or {}
        self._known = {name: tuple(cidrs) for name, cidrs in self._kept.items()}
        self._learning = threading.Lock()
        self._told: list[str] = []
        self._services = OptionalWatch(client, SERVICE_CIDRS, on_change=self._read_services)
        self._masquerade = OptionalWatch(
            client,
            CONFIGMAPS,
            selection=Selection(
                namespace=masquerade.NAMESPACE, field_selector=f"metadata.name={masquerade.NAME}"
            ),
            on_change=self._read_masquerade,
        )

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when `current` may answer something else; to be used before `start`."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to watch, if it matters."""
        if self._given.matter:
            self._services.start()
            self._masquerade.start()

    def stop(self) -> None:
        """End the watches."""
        self._services.stop()
        self._masquerade.stop()

    def current(self) -> Ranges:
        """Return what is known now, or was known before."""
        given, known = self._given, self._known
        return Ranges(
            (*self._vpc(), *given.direct, *given.services, *known.get(_SERVICES, ())),
            known.get(_UNMASQUERADED, ()),
        )

    def services(self) -> Cidrs:
        """Return the ranges of Services, as far as they are known."""
        return (*self._given.services, *self._known.get(_SERVICES, ()))

    def notices(self) -> list[str]:
        """Return one sentence for each kind of ranges that cannot be asked for, with the flag that helps."""
        services, masquerading = self._services_problem(), self._masquerade_problem()
        found = []
        if services and not self._given.services:
            found.append(
                f"the Service CIDR is not known ({services}): with kube-proxy in IPVS mode Pods do not reach "
                "Services with backends elsewhere; name it in --service-cidrs"
            )
        if masquerading:
            found.append(
                f"what ip-masq-agent leaves alone is not known ({masquerading}): what Pods send to private "
                "ranges outside the VPC (CCN, peering, IDC) may be lost; name those in --direct-cidrs"
            )
        return found

    def look(self) -> None:
        """Keep what is known, tell of what is not, once."""
        self._remember()
        notices = self.notices()
        for notice in notices:
            if notice not in self._told:
                log.warning("%s", notice)
        self._told = notices

    def _remember(self) -> None:
        known = {name: list(cidrs) for name, cidrs in self._known.items()}
        if known == self._kept:
            return
        try:
            self._database.put_fact(FACT, known)
            self._kept = known
        except StoreError as e:
            log.warning("what Pods reach with their own address cannot be remembered: %s", e)

    def _learn(self, name: str, cidrs: Cidrs) -> None:
        with self._learning:
            self._known = {**self._known, name: cidrs}
        for listener in self._listeners:
            listener()

    def _read_services(self) -> None:
        self._learn(_SERVICES, tuple(_ipv4(_service_cidrs(self._services.items() or []))))

    def _services_problem(self) -> str:
        none_named = self._services.items() is not None and not self._known.get(_SERVICES)
        return self._services.problem or ("the API server names none" if none_named else "")

    def _read_masquerade(self) -> None:
        try:
            self._learn(_UNMASQUERADED, _read(self._masquerade.items() or []))
        except InvalidInputError as e:
            log.warning("what ip-masq-agent leaves alone stays as it was known: %s", e)

    def _masquerade_problem(self) -> str:
        try:
            _read(self._masquerade.items() or [])
        except InvalidInputError as e:
            return str(e)
        return self._masquerade.problem


def _service_cidrs(items: Iterable[JsonObject]) -> Iterator[str]:
    for item in items:
        yield from (item.get("spec") or {}).get("cidrs") or ()


def _ipv4(cidrs: Iterable[str]) -> Iterator[str]:
    for cidr in cidrs:
        try:
            yield str(ipaddress.IPv4Network(cidr))
        except ValueError:
            log.debug("the Service CIDR %s is none of IPv4", cidr)


def _read(config_maps: Sequence[JsonObject]) -> Cidrs:
    """Return what ip-masq-agent leaves alone; without its ConfigMap it goes by its defaults."""
    return unmasqueraded(_fields(config_maps[0]) if config_maps else {})


def _fields(config_map: JsonObject) -> dict[str, Any]:
    """Read ip-masq-agent's configuration. InvalidInputError when it is neither JSON nor YAML of fields."""
    text = (config_map.get("data") or {}).get(masquerade.KEY) or "{}"
    try:
        fields = json.loads(text)
    except ValueError:
        fields = _yaml(text)
    if not isinstance(fields, dict):
        raise _unreadable(f"it is a {type(fields).__name__}, not an object of fields")
    return fields


def _yaml(text: str) -> Any:
    try:
        return yaml.safe_load(text) or {}
    except (yaml.YAMLError, RecursionError) as e:
        raise _unreadable(" ".join(str(e).split())[:200]) from e


def _unreadable(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{masquerade.TITLE}: {masquerade.KEY} cannot be read: {why}", advice="correct it: JSON or YAML"
    )
