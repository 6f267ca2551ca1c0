"""The EIPs of the node: claims from a watch, what is told of them, and who binds, unbinds and waits."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipamd.agent.eips.associate import Association
from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.eips.confirm import EipConfirmation
from ipamd.agent.eips.disassociate import Disassociation
from ipamd.agent.eips.executor import BindingExecutor
from ipamd.agent.eips.ownership import EipOwnership
from ipamd.agent.eips.plan import BindingPlan
from ipamd.agent.eips.pod_annotations import PodAnnotations
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.eips.reconciler import EipReconciler
from ipamd.agent.eips.record import EipRecord
from ipamd.agent.eips.wait import EipWait
from ipamd.agent.eips.withdraw import Withdrawal
from ipamd.agent.enis import NodeEnis
from ipamd.agent.options import AgentSettings
from ipamd.agent.pods.build import NodePods
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.polling import EipWatch
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.kubernetes import capacity
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventRecorder
from ipamd.net.dataplane import DataPlane
from ipamd.runtime.service import Service, ended

_GRACE: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEips:
    """What others ask."""

    claims: ClaimSource
    publisher: ClaimPublisher
    reconciler: EipReconciler
    association: Association
    wait: EipWait
    troubles: Callable[[], list[str]]
    """One sentence for each claim whose EIP could not be bound or unbound."""
    watch: Service
    bind: tuple[Service, ...]
    """What compares and acts, once the node's addresses are known."""


def build(
    settings: AgentSettings,
    *,
    client: KubeClient,
    cloud: TencentCloud,
    events: EventRecorder,
    shared_ledger: SharedLedger,
    dataplane: DataPlane,
    pods: NodePods,
    enis: NodeEnis,
) -> NodeEips:
    """Return the EIPs of the node, which are compared whenever ledger, claims or Pods have changed."""
    node, monotonic = settings.node_name, time.monotonic
    claims = ClaimSource(client, node)
    publisher = ClaimPublisher(
        node,
        claims=claims,
        pods=pods.source,
        annotations=PodAnnotations(client, pods.source, external_dns=settings.external_dns),
        events=events,
        clock=time.time,  # what is written to the API server is for people and other machines
    )
    watch = EipWatch(cloud)
    confirmation, record = (
        EipConfirmation(cloud, watch),
        EipRecord(shared_ledger, dataplane, pods.locks, cooldown=settings.ip_cooldown),
    )
    association = Association(
        node,
        cloud=cloud,
        confirmation=confirmation,
        record=record,
        announcer=publisher,
        monotonic=monotonic,
    )
    plan = BindingPlan(node, shared_ledger=shared_ledger, claims=claims, pods=pods.source, enis=enis)
    executor = BindingExecutor(
        shared_ledger,
        association=association,
        disassociation=Disassociation(
            cloud=cloud,
            confirmation=confirmation,
            ownership=EipOwnership(
                node,
                settings.cluster_id,
                claims=claims,
                cloud=cloud,
                asks_for_none=plan.asks_for_none,
            ),
            record=record,
            monotonic=monotonic,
        ),
        withdrawal=Withdrawal(
            cloud=cloud, enis=enis, shared_ledger=shared_ledger, announcer=publisher, monotonic=monotonic
        ),
    )
    reconciler = EipReconciler(plan, executor, shared_ledger=shared_ledger, announcer=publisher)
    _listen(reconciler, shared_ledger, claims, pods)
    return NodeEips(
        claims=claims,
        publisher=publisher,
        reconciler=reconciler,
        association=association,
        wait=EipWait(
            node=node,
            shared_ledger=shared_ledger,
            claims=claims,
            eip_reconciler=reconciler,
            wanted=settings.eip_wait,
        ),
        troubles=lambda: [f"{claim}: {why}" for claim, why in reconciler.told().items()],
        watch=Service(name="watch of EIPClaims", start=claims.start, stop=ended(claims.stop)),
        bind=(
            Service(name="EIPs told", metrics=publisher.metrics),
            Service(
                name="EIPs",
                start=reconciler.start,
                stop=reconciler.stop,
                grace=_GRACE,
                metrics=reconciler.metrics,
            ),
            Service(name="watch of EIPs", stop=ended(watch.close)),
        ),
    )


def figures(shared_ledger: SharedLedger, enis: NodeEnis, vcpus: int) -> str:
    """Return how many EIPs the CVM has of those that it may have, in a few words."""
    used = sum(
        address.eip is not None and bool(address.eip.claim)
        for address in shared_ledger.current.addresses.values()
    )
    return f"{used} of {capacity.pod_eips(vcpus, enis.other_public_ips)} in use"


def _listen(
    reconciler: EipReconciler, shared_ledger: SharedLedger, claims: ClaimSource, pods: NodePods
) -> None:
    shared_ledger.on_change(reconciler.trigger)
    claims.on_change(lambda _kind, _claim: shared_ledger.wake())  # for the ADDs that wait for their EIP
    claims.on_change(lambda _kind, _claim: reconciler.hurry())
    pods.source.on_change(lambda _kind, _pod: reconciler.trigger())
