"""The inspection of the node: which part of the agent tells what is wrong with what."""

import time
from collections.abc import Callable

from ipamd.agent.cni.build import Sandboxes
from ipamd.agent.eips.build import NodeEips
from ipamd.agent.enis import NodeEnis
from ipamd.agent.findings.bindings import BindingFindings
from ipamd.agent.findings.cloud import CloudFindings
from ipamd.agent.findings.inspection import Inspection, of_sentences
from ipamd.agent.findings.kernel import KernelFindings
from ipamd.agent.findings.outsides import ASK_SECONDS, Outside, OutsideFindings
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.network_conf.build import NetworkConf
from ipamd.agent.node.build import NodeRepair
from ipamd.agent.node.ranges import NodeRanges
from ipamd.agent.node.recovery import Recovery
from ipamd.agent.node.repair_log import RepairLog
from ipamd.agent.options import AgentSettings
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.findings.codes import FindingCode
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import NODES
from ipamd.net.dataplane import DataPlane


def build(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    shared_ledger: SharedLedger,
    dataplane: DataPlane,
    enis: NodeEnis,
    pool: Pool,
    eips: NodeEips,
    sandboxes: Sandboxes,
    repair: NodeRepair,
    repair_log: RepairLog,
    recovery: Recovery,
    ranges: NodeRanges,
    conf: NetworkConf,
    cloud: TencentCloud,
    client: KubeClient,
    metadata: Metadata | None,
    behind: Callable[[], list[str]],
) -> Inspection:
    """Return what looks at all of it; `behind` tells of watches that have not caught up."""
    kernel = KernelFindings(
        shared_ledger=shared_ledger,
        enis=enis,
        dataplane=dataplane,
        repair=repair.pods,
        intrusions=repair.intrusions,
        pending=sandboxes.pending_adds,
        is_settled=lambda: recovery.is_settled,
    )
    known = CloudFindings(
        shared_ledger=shared_ledger,
        enis=enis,
        pool=pool,
        claims=eips.claims,
        eip_reconciler=eips.reconciler,
        loose_eips=repair.loose_eips,
    )
    bindings = BindingFindings(shared_ledger=shared_ledger, cloud=cloud, deadline=_ask_deadline)
    outsides = OutsideFindings(
        _outsides(settings, facts, cloud=cloud, client=client, metadata=metadata),
        wall=time.time,
        clocks={"the cloud": cloud.time, "the API server": client.time},
    )
    return Inspection(
        {
            "kernel": kernel.look,
            "cloud": known.look,
            "bindings": bindings.look,
            "outsides": outsides.look,
            "repairs": repair_log.fights,
            "rounds": of_sentences(FindingCode.REPAIR_FAILED, "node/repair", repair.rounds.drift),
            "store": of_sentences(FindingCode.STORE_UNWRITABLE, "node/store", shared_ledger.unwritten),
            "watches": of_sentences(FindingCode.NOT_SYNCED, "node/watches", behind),
            "ranges": of_sentences(FindingCode.RANGES_UNKNOWN, "node/ranges", ranges.notices),
            "network configuration": of_sentences(
                FindingCode.CNI_CONFIGURATION, "node/network-configuration", conf.problems
            ),
            "plugins": of_sentences(FindingCode.PLUGIN_MISSING, "node/plugins", conf.lacking),
        }
    )


def _ask_deadline() -> Deadline:
    return Deadline.after(ASK_SECONDS, time.monotonic)


def _outsides(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    cloud: TencentCloud,
    client: KubeClient,
    metadata: Metadata | None,
) -> tuple[Outside, ...]:
    asked = [
        Outside(
            reachability=cloud.reachability,
            code=FindingCode.CLOUD_AWAY,
            ask=lambda: cloud.describe_enis(facts.current.instance.instance_id, _ask_deadline()),
        ),
        Outside(
            reachability=client.reachability,
            code=FindingCode.API_SERVER_AWAY,
            ask=lambda: client.get(NODES, settings.node_name, timeout=ASK_SECONDS),
        ),
    ]
    if metadata is not None:
        asked.append(
            Outside(
                reachability=metadata.reachability,
                code=FindingCode.METADATA_AWAY,
                ask=metadata.instance_id,
            )
        )
    return tuple(asked)
