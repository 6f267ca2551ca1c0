"""ip-masq-agent's configuration, kept in step with the Pods that have an EIP."""

from dataclasses import dataclass

from ipamd.controller.claims.build import Claims
from ipamd.controller.events import ClaimEvents
from ipamd.controller.fence import Fence
from ipamd.controller.masquerade.sync import MasqueradeConfig
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.eip.masquerade import MasqueradeMode
from ipamd.kube.client import KubeClient
from ipamd.runtime.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Masquerade:
    """What every replica does, and what only the leader does."""

    watch: Service
    while_leading: Service


def build(
    upkeep: MasqueradeMode,
    claims: Claims,
    *,
    client: KubeClient,
    fence: Fence,
    teller: ClaimEvents,
    tempo: ReplicaPace,
) -> Masquerade:
    """Return the watch of the configuration and what writes it."""
    config = MasqueradeConfig(
        client, upkeep, claims=claims.cluster.claims, fence=fence, teller=teller, pace=tempo.pace
    )
    claims.on_change(config.trigger)
    return Masquerade(
        watch=Service(name="watch of ip-masq-agent's configuration", start=config.start_watching),
        while_leading=Service(name="ip-masq-agent's configuration", start=config.start, stop=config.stop),
    )
