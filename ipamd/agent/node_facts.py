"""Who this node is in the cloud: asked at start-up, and remembered for a start while the cloud is away.

The metadata service knows instance and region, the API the rest. Only what cannot change under a running
instance is remembered: type, limits, place, ranges of the VPC.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import RoleCredentials, from_environment
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.backoff import Backoff
from ipamd.core.deadline import Deadline
from ipamd.core.errors import CloudError
from ipamd.store.database import Database

log = logging.getLogger(__name__)

FACT = "node"
"""Where the store keeps them."""
_ASK_SECONDS = 30.0
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
class Asking:
    """Where and how long to ask."""

    metadata: Metadata
    cloud_of: Callable[[str], TencentCloud]
    """Makes the API client of a region."""
    monotonic: Callable[[], float]
    stopping: threading.Event


def gather(asking: Asking, database: Database) -> tuple[NodeFacts, TencentCloud] | None:
    """Ask until there is an answer, or use what was remembered; None when stopped meanwhile.

    The instance is asked for at each start: a disk that was moved to another CVM must not bring its memory
    along. Only when nobody answers is the memory believed.
    """
    attempt = 0
    while not asking.stopping.is_set():
        attempt += 1
        try:
            return _asked(asking, database)
        except CloudError as e:
            remembered = database.fact(FACT)
            if remembered and attempt >= _PATIENCE:
                log.error("the cloud does not answer (%s); starting with what was known before", e)  # noqa: TRY400 - the message says it
                facts = _decode(remembered)
                return facts, asking.cloud_of(facts.region)
            pause = _BACKOFF.delay(attempt, random.random)
            log.warning("who this node is could not be asked, again in %.1f s: %s", pause, e)
            asking.stopping.wait(pause)
    return None


def cloud_client(
    endpoint: str, metadata: Metadata, environment: Mapping[str, str], clock: Callable[[], float]
) -> Callable[[str], TencentCloud]:
    """Return what makes the API client of a region, with the environment's credential or the CVM's role."""
    where = endpoints.parse(endpoint)
    credentials = from_environment(environment) or RoleCredentials(metadata.credential, clock=clock)
    return lambda region: TencentCloud(region=region, credentials=credentials, endpoints=where)


def _asked(asking: Asking, database: Database) -> tuple[NodeFacts, TencentCloud]:
    deadline = Deadline.after(_ASK_SECONDS, asking.monotonic)
    instance_id, region = asking.metadata.instance_id(), asking.metadata.region()
    primary_mac = asking.metadata.mac()
    cloud = asking.cloud_of(region)
    try:
        instance = cloud.describe_instance(instance_id, deadline)
        enis = cloud.describe_enis(instance_id, deadline)
        facts = NodeFacts(
            region=region,
            instance=instance,
            limits=cloud.describe_eni_limits(instance_id, deadline),
            vpc_cidrs=cloud.describe_vpc_cidrs(instance.vpc_id, deadline),
            primary_mac=primary_mac,
            security_groups=next((eni.security_groups for eni in enis if eni.primary), ()),
        )
    except CloudError:
        cloud.close()
        raise
    database.put_fact(FACT, asdict(facts))
    return facts, cloud


def _decode(remembered: dict[str, Any]) -> NodeFacts:
    return NodeFacts(
        region=remembered["region"],
        instance=model.Instance(**remembered["instance"]),
        limits=model.EniLimits(**remembered["limits"]),
        vpc_cidrs=tuple(remembered["vpc_cidrs"]),
        primary_mac=remembered["primary_mac"],
        security_groups=tuple(remembered["security_groups"]),
    )
