"""The Pods of the node: where they are read, what is locked for one, how its sandbox ends."""

from dataclasses import dataclass

from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.options import AgentSettings
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.release import SandboxRelease
from ipamd.agent.pods.source import PodSource
from ipamd.agent.pods.unknown_owners import UnknownOwners
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.kube.client import KubeClient
from ipamd.net.dataplane import DataPlane
from ipamd.runtime.service import Service, ended


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePods:
    """What others ask."""

    source: PodSource
    locks: PodLocks
    release: SandboxRelease
    unknown_owners: UnknownOwners
    watch: Service


def build(
    settings: AgentSettings,
    *,
    client: KubeClient,
    shared_ledger: SharedLedger,
    dataplane: DataPlane,
    exclusive: ExclusiveEnis,
) -> NodePods:
    """Return the Pods of the node that the settings name."""
    source, locks = PodSource(client, settings.node_name), PodLocks()
    release = SandboxRelease(
        shared_ledger=shared_ledger,
        dataplane=dataplane,
        pods=source,
        exclusive=exclusive,
        locks=locks,
        holds=settings.holds,
        cooldown=settings.ip_cooldown,
    )
    return NodePods(
        source=source,
        locks=locks,
        release=release,
        unknown_owners=UnknownOwners(shared_ledger=shared_ledger, dataplane=dataplane, pods=source),
        watch=Service(name="watch of Pods", start=source.start, stop=ended(source.stop)),
    )
