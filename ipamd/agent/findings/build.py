"""The inspection of the node: which part of the agent tells what is wrong with what."""

import time

from ipamd.agent.findings.bindings import BindingFindings
from ipamd.agent.findings.cloud import CloudFindings
from ipamd.agent.findings.inspection import Inspection, of_sentences
from ipamd.agent.findings.kernel import KernelFindings
from ipamd.agent.findings.outsides import ASK_SECONDS, Outside, OutsideFindings
from ipamd.agent.findings.ways import WayFindings
from ipamd.agent.parts import NodeParts
from ipamd.core.failure_meanings.fixed_findings import of_fixed
from ipamd.core.failure_meanings.refusal_findings import of_refusal
from ipamd.core.findings.codes import FindingCode
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.resources import NODES
from ipamd.net.model import PodEgress


def build(parts: NodeParts) -> Inspection:
    """Return what looks at all of it."""
    kernel = KernelFindings(
        shared_ledger=parts.shared_ledger,
        enis=parts.enis,
        dataplane=parts.dataplane,
        repair=parts.repair.pods,
        exclusive=parts.repair.exclusive,
        intrusions=parts.repair.intrusions,
        pending=parts.sandboxes.pending_adds,
        is_settled=lambda: parts.recovery.is_settled,
        is_over=lambda pod: parts.pods.source.has_synced and parts.pods.source.is_over(pod),
    )
    known = CloudFindings(
        shared_ledger=parts.shared_ledger,
        enis=parts.enis,
        pool=parts.pool.pool,
        claims=parts.eips.claims,
        eip_reconciler=parts.eips.reconciler,
        loose_eips=parts.repair.loose_eips,
    )
    bindings = BindingFindings(shared_ledger=parts.shared_ledger, cloud=parts.cloud, deadline=_ask_deadline)
    outsides = OutsideFindings(
        _outsides(parts),
        wall=time.time,
        clocks={"the cloud": parts.cloud.time, "the API server": parts.client.time},
    )
    ways = WayFindings(
        shared_ledger=parts.shared_ledger,
        egress=PodEgress(parts.settings.pod_egress),
        exempts=parts.settings.eip_source_nat_exemption,
        primary_link=lambda: next((eni.name for eni in parts.dataplane.enis), ""),
    )
    return Inspection(
        {
            "kernel": kernel.look,
            "cloud": known.look,
            "fixed addresses": lambda: list(
                of_fixed(parts.fixed.claims.all(), parts.fixed.reconciler.errors())
            ),
            "ways out": ways.look,
            "repairs": parts.repair_log.fights,
            "rounds": of_sentences(FindingCode.REPAIR_FAILED, "node/repair", parts.repair.rounds.drift),
            "store": of_sentences(FindingCode.STORE_UNWRITABLE, "node/store", parts.shared_ledger.unwritten),
            "watches": of_sentences(FindingCode.NOT_SYNCED, "node/watches", parts.behind),
            "ranges": of_sentences(FindingCode.RANGES_UNKNOWN, "node/ranges", parts.ranges.notices),
            "network configuration": of_sentences(
                FindingCode.CNI_CONFIGURATION, "node/network-configuration", parts.conf.problems
            ),
            "configuration": of_sentences(
                FindingCode.CONFIG_REFUSED, "node/configuration", parts.pool.config.refused
            ),
            "subnets": of_sentences(
                FindingCode.SUBNET_LOW,
                "node/subnets",
                lambda: parts.pool.levels.low(parts.pool.pool.refusals()),
            ),
            "security groups": lambda: [
                of_refusal(error, "node/security-groups") for error in parts.pool.security_groups.refusals()
            ],
            "plugins": of_sentences(FindingCode.PLUGIN_MISSING, "node/plugins", parts.conf.lacking),
        },
        asking={"bindings": bindings.look, "outsides": outsides.look},
    )


def _ask_deadline() -> Deadline:
    return Deadline.after(ASK_SECONDS, time.monotonic)


def _outsides(parts: NodeParts) -> tuple[Outside, ...]:
    cloud, client, metadata = parts.cloud, parts.client, parts.metadata

    asked = [
        Outside(
            reachability=cloud.reachability,
            code=FindingCode.CLOUD_AWAY,
            ask=lambda: cloud.describe_enis(parts.facts.current.instance.instance_id, _ask_deadline()),
        ),
        Outside(
            reachability=client.reachability,
            code=FindingCode.API_SERVER_AWAY,
            ask=lambda: client.get(NODES, parts.settings.node_name, timeout=ASK_SECONDS),
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
