"""Fixed addresses of the node: claims from a watch, who assigns, gives back, waits, and tells of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.enis import NodeEnis
from ipamd.agent.fixed.assign import FixedAssignment
from ipamd.agent.fixed.attach import OwnEniAttachment
from ipamd.agent.fixed.claims import VpcIpClaimSource
from ipamd.agent.fixed.detach import OwnEniDetachment
from ipamd.agent.fixed.executor import FixedExecutor
from ipamd.agent.fixed.give_back import FixedReturn
from ipamd.agent.fixed.places import EniPlaces
from ipamd.agent.fixed.plan import AttachPlan
from ipamd.agent.fixed.publish import VpcIpPublisher
from ipamd.agent.fixed.reconciler import FixedReconciler
from ipamd.agent.fixed.wait import FixedWait
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.options import AgentSettings
from ipamd.agent.pods.build import NodePods
from ipamd.agent.pool.build import NodePool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.kube.client import KubeClient
from ipamd.runtime.service import Service, ended

_GRACE: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFixed:
    """What others ask."""

    claims: VpcIpClaimSource
    reconciler: FixedReconciler
    wait: FixedWait
    troubles: Callable[[], list[str]]
    """One sentence for each claim whose address could not be assigned or given back."""
    watch: Service
    attach: Service
    """What compares and acts, once the node's addresses are known."""


def build(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    client: KubeClient,
    cloud: TencentCloud,
    shared_ledger: SharedLedger,
    pods: NodePods,
    enis: NodeEnis,
    pool: NodePool,
    places: EniPlaces,
    eip_claims: ClaimSource,
    told: ClaimPublisher,
) -> NodeFixed:
    """Return them; they are compared whenever ledger, claims, Pods or ENIs have changed."""
    node, monotonic = settings.node_name, time.monotonic
    claims = VpcIpClaimSource(client, node)
    # What is written to the API server is for people and other machines.
    announcer = VpcIpPublisher(node, claims=claims, pods=told, clock=time.time)

    def zone() -> str:
        return facts.current.instance.zone

    def instance_id() -> str:
        return facts.current.instance.instance_id

    def frozen() -> bool:
        return pool.freeze.since is not None

    plan = AttachPlan(
        node=node,
        zone=zone,
        shared_ledger=shared_ledger,
        claims=claims,
        pods=pods.source,
        enis=enis,
        pool=pool.pool,
        places=places,
        eip_claims=eip_claims,
    )
    executor = FixedExecutor(
        assignment=FixedAssignment(
            cloud=cloud,
            turns=pool.pool.writes,
            frozen=frozen,
            has_place=pool.pool.has_place,
            shared_ledger=shared_ledger,
            announcer=announcer,
            hold=settings.holds.of_fixed,
            monotonic=monotonic,
        ),
        attachment=OwnEniAttachment(
            instance_id=instance_id,
            cloud=cloud,
            enis=enis,
            turns=pool.pool.writes,
            frozen=frozen,
            security_groups=lambda: pool.plan().security_groups,
            shared_ledger=shared_ledger,
            announcer=announcer,
            hold=settings.holds.of_fixed,
            monotonic=monotonic,
        ),
        giving_back=FixedReturn(
            node=node,
            cloud=cloud,
            enis=enis,
            turns=pool.pool.writes,
            shared_ledger=shared_ledger,
            claims=claims,
            announcer=announcer,
            detachment=OwnEniDetachment(
                node=node,
                instance_id=instance_id,
                cloud=cloud,
                enis=enis,
                turns=pool.pool.writes,
                shared_ledger=shared_ledger,
                eip_claims=eip_claims,
                monotonic=monotonic,
            ),
            monotonic=monotonic,
        ),
        pool=pool.pool,
        places=places,
    )
    reconciler = FixedReconciler(plan, executor, shared_ledger=shared_ledger, announcer=announcer)
    _listen(reconciler, shared_ledger, claims, pods, pool)
    eip_claims.on_change(
        lambda _kind, _claim: reconciler.trigger()
    )  # the binding of a VpcIPClaim goes after that of an EIPClaim

    def troubles() -> list[str]:
        names = {claim.uid: str(claim) for claim in claims.all()}
        return [f"VpcIPClaim {names.get(uid, uid)}: {why}" for uid, why in reconciler.told().items()]

    return NodeFixed(
        claims=claims,
        reconciler=reconciler,
        wait=FixedWait(
            node=node,
            zone=zone,
            shared_ledger=shared_ledger,
            claims=claims,
            reconciler=reconciler,
        ),
        troubles=troubles,
        watch=Service(name="watch of VpcIPClaims", start=claims.start, stop=ended(claims.stop)),
        attach=Service(
            name="fixed addresses",
            start=reconciler.start,
            stop=reconciler.stop,
            grace=_GRACE,
            metrics=reconciler.metrics,
        ),
    )


def _listen(
    reconciler: FixedReconciler,
    shared_ledger: SharedLedger,
    claims: VpcIpClaimSource,
    pods: NodePods,
    pool: NodePool,
) -> None:
    shared_ledger.on_change(reconciler.trigger)
    claims.on_change(shared_ledger.wake)  # for the ADDs that wait for their address
    claims.on_change(reconciler.claims_changed)
    pods.source.on_change(lambda _kind, _pod: reconciler.trigger())
    pool.pool.writes.on_end(reconciler.trigger)  # an ENI that was busy, or was not there
