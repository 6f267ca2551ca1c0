"""Who this node is in the cloud: asked at start-up, and remembered for a start while the cloud is away.

The metadata service knows instance and region, the API the rest. What is remembered of this very boot is
believed at once, so that an agent that restarts serves before anybody outside has answered; what may have
changed meanwhile (limits, ranges of the VPC) is asked again behind it (`ipamd.agent.live_facts`).
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ipamd.cloud import endpoints, throttling
from ipamd.cloud.credentials import RoleCredentials, from_environment
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.session import Observer, SessionPolicy
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime import chance
from ipamd.store.database import Database, StoreError

log = logging.getLogger(__name__)

FACT = "node"
"""Where the store keeps them."""
INSTANCE = "instance"
"""Where the store keeps the id of the CVM that it belongs to."""
ASK_SECONDS = 30.0
_BACKOFF = Backoff(first=0.5, longest=15.0)
_PATIENCE = 3
"""Failed attempts after which a node that was known before starts with what it remembers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """The node as the cloud sees it."""

    region: str
    instance: model.Instance
    limits: model.EniLimits
    vpc_cidrs: tuple[str, ...]
    primary_mac: str
    security_groups: tuple[str, ...]
    """Of the primary ENI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataRetry:
    """Where and how long to ask."""

    metadata: Metadata
    cloud_of: Callable[[str], TencentCloud]
    """Makes the API client of a region."""
    monotonic: Callable[[], float]
    stopping: threading.Event
    same_boot: bool
    """Whether the store was written since this machine was booted."""
    waits_for: Callable[[str], None] = lambda _: None
    """Is told what is in the way, after each attempt in vain."""


def gather(asking: MetadataRetry, database: Database) -> tuple[NodeFacts, TencentCloud] | None:
    """Return the facts and the API's client: what is remembered of this boot, else ask until it is told.

    What is remembered of an earlier boot is believed when the cloud does not answer for a while, and only if
    the metadata service says that this is the instance it is of: a disk or an image may have come from
    another CVM. None when stopped meanwhile.
    """
    remembered = _memory(database) if asking.same_boot else None
    if remembered is not None:
        return remembered, asking.cloud_of(remembered.region)
    attempt = 0
    while not asking.stopping.is_set():
        attempt += 1
        try:
            return _first_asked(asking)
        except CloudError as e:
            facts = _remembered(asking, database) if attempt >= _PATIENCE else None
            if facts is not None:
                log.warning("the cloud does not answer (%s); starting with what was known before", e)
                return facts, asking.cloud_of(facts.region)
            pause = _BACKOFF.delay(attempt, chance.fraction)
            log.warning("who this node is could not be asked, again in %.1f s: %s", pause, e)
            asking.waits_for(f"{e}; again in {pause:.0f} s")
            asking.stopping.wait(pause)
    return None


def is_of_another(database: Database, instance_id: str) -> bool:
    """Whether the store was written on another CVM: it came with its disk or in an image."""
    known = database.fact(INSTANCE)
    return known is not None and known != instance_id


def cloud_client(
    endpoint: str,
    metadata: Metadata,
    environment: Mapping[str, str],
    observe: Observer | None = None,
) -> Callable[[str], TencentCloud]:
    """Return what makes the API client of a region, with the environment's credential or the CVM's role."""
    where = endpoints.parse(endpoint)
    credentials = from_environment(environment) or RoleCredentials(metadata.credential)
    conduct = SessionPolicy(observe=observe)
    return lambda region: TencentCloud(
        region=region,
        credentials=credentials,
        endpoints=where,
        limiter=throttling.node_limiter(conduct.clock),
        conduct=conduct,
    )


def ask(metadata: Metadata, cloud: TencentCloud, deadline: Deadline) -> NodeFacts:
    """Ask metadata service and API once. Raises: CloudError."""
    instance_id, region = metadata.instance_id(), metadata.region()
    primary_mac = metadata.mac()
    instance = cloud.describe_instance(instance_id, deadline)
    enis = cloud.describe_enis(instance_id, deadline)
    return NodeFacts(
        region=region,
        instance=instance,
        limits=cloud.describe_eni_limits(instance_id, deadline),
        vpc_cidrs=cloud.describe_vpc_cidrs(instance.vpc_id, deadline),
        primary_mac=primary_mac,
        security_groups=next((eni.security_groups for eni in enis if eni.primary), ()),
    )


def _first_asked(asking: MetadataRetry) -> tuple[NodeFacts, TencentCloud]:
    cloud = asking.cloud_of(asking.metadata.region())
    try:
        return ask(asking.metadata, cloud, Deadline.after(ASK_SECONDS, asking.monotonic)), cloud
    except CloudError:
        cloud.close()
        raise


def remember(facts: NodeFacts, database: Database) -> None:
    """Keep the facts for a start without the cloud; writes nothing that is there."""
    try:
        if _memory(database) != facts:
            database.put_fact(FACT, asdict(facts))
        if database.fact(INSTANCE) != facts.instance.instance_id:
            database.put_fact(INSTANCE, facts.instance.instance_id)
    except StoreError as e:
        log.warning("a start without the cloud will not know which instance this is: %s", e)


def _remembered(asking: MetadataRetry, database: Database) -> NodeFacts | None:
    """Return what is known from before, if the metadata service says that it is of this very instance."""
    facts = _memory(database)
    try:
        return facts if facts and asking.metadata.instance_id() == facts.instance.instance_id else None
    except CloudError as e:
        log.debug("the metadata service does not say which instance this is: %s", e)
        return None


def _memory(database: Database) -> NodeFacts | None:
    memory = database.fact(FACT)
    try:
        return _decode(memory) if memory else None
    except (KeyError, TypeError) as e:
        log.warning("what another release remembered of this node is not used: %r", e)
        return None


def _decode(remembered: dict[str, Any]) -> NodeFacts:
    return NodeFacts(
        region=remembered["region"],
        instance=model.Instance(**remembered["instance"]),
        limits=model.EniLimits(**remembered["limits"]),
        vpc_cidrs=tuple(remembered["vpc_cidrs"]),
        primary_mac=remembered["primary_mac"],
        security_groups=tuple(remembered["security_groups"]),
    )
