"""The flags of `ipamd controller`, in TKE's manner, and the checked settings that they make.

Everything is checked before anything is started: a wrong flag ends the process with a sentence that names the
flag, its value and what is allowed. Reads the environment only for POD_NAME and POD_NAMESPACE (downward API),
and without the latter the file beside the service account's token.
"""

import argparse
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ipamd.core.annotations.eip import LEAST_EXPIRY, MOST_EXPIRY
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.eip.masquerade import MasqueradeMode
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.kubernetes import cluster_settings
from ipamd.core.kubernetes.node_taint import TaintMode
from ipamd.flags import checks, declaration, kinds
from ipamd.flags.declaration import composed, flag, part
from ipamd.flags.shared import CLUSTER, SharedSettings
from ipamd.kube import config
from ipamd.kube.leases import LeaseTiming

CLAIMS = "rules for all claims"
RELEASES = "what is released"
ELECTION = "leader election"
OPERATION = "operation"

_NETWORK = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ID_LIST_RULE: Final[kinds.Kind[bool]] = kinds.Kind(
    read=lambda _flag, text: text == "tagged",
    show=lambda tagged_only: "tagged" if tagged_only else "any",
    choices=("any", "tagged"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings(SharedSettings):
    """What the controller was told; times in seconds."""

    region: str = flag(
        CLUSTER,
        "--region",
        kinds.Kind(read=lambda _flag, text: checks.region(text)),
        "for example ap-guangzhou",
        default="",
        unset="that of the CVM: until its metadata service answers the controller waits, alive and not ready",
    )
    namespace: str = cluster_settings.NAMESPACE
    """Of the controller itself, and so of the ConfigMap of its settings."""
    rules: ClusterRules = composed(
        ClusterRules,
        expire_after=part(
            CLAIMS,
            "--claim-expired-duration",
            kinds.optional_duration(least=LEAST_EXPIRY, most=MOST_EXPIRY),
            "delete a retained claim, and release its EIP, when its Pod has been gone for so long; Pods say "
            "otherwise by their annotation claim-expired-duration",
            unset="retained for ever",
        ),
        least_absence=part(
            CLAIMS,
            "--claim-absence",
            kinds.duration(least=1),
            "for how long the leader itself must have missed a Pod before its retained claim expires, "
            "whatever the dates in it say",
        ),
        cascade=part(
            CLAIMS,
            "--enable-ownerref",
            kinds.SWITCH,
            "delete retained claims with the workload of their Pods",
            see="eipclaim.md#how-a-kept-claim-ends",
        ),
        early_orders=part(
            CLAIMS,
            "--early-orders",
            kinds.SWITCH,
            "also order for Pods that have no Node yet; without it, only once the Pod is on a Node that an "
            "agent serves",
            see="eipclaim.md#for-which-pods-an-eip-is-ordered",
        ),
        default_network=part(
            CLAIMS,
            "--default-network",
            kinds.matching(_NETWORK, "the name of a network, as tke-bridge"),
            "network of Pods whose annotation names none: if it is another than tke-route-eni, only Pods "
            "that name that one get EIPs",
        ),
        tagged_only=part(
            CLAIMS,
            "--eip-id-list-rule",
            _ID_LIST_RULE,
            "which EIPs an eip-id-list may name: 'any', or 'tagged': those whose tag tke-eip-namespaces "
            "lists the Pod's namespace or *",
            see="controller.md#whose-eips-an-eip-id-list-may-name",
        ),
    )
    stop_releases: bool = flag(
        RELEASES,
        "--stop-releases",
        kinds.SWITCH,
        "release no EIP; to stop without a restart: key RELEASES of the ConfigMap tke-eni-settings",
        default=False,
        see="controller.md#the-switch-that-stops-all-releases",
    )
    sweep: SweepTerms = composed(
        SweepTerms,
        mode=part(
            RELEASES,
            "--orphan-sweep",
            kinds.one_of(SweepMode),
            "what to do about EIPs with the cluster's tags and no EIPClaim",
            see="controller.md#orphans-eips-without-claim-claims-without-eip",
        ),
        age=part(
            RELEASES,
            "--orphan-age",
            kinds.duration(least=600, most=30 * 86400),
            "for how long an EIP must be without EIPClaim before that",
        ),
        interval=part(
            RELEASES,
            "--sweep-interval",
            kinds.duration(least=10),
            "between two comparisons of all EIPs with all EIPClaims",
        ),
    )
    lease_namespace: str = flag(
        ELECTION,
        "--lease-namespace",
        kinds.matching(_NAMESPACE, "the name of a namespace"),
        "of the Lease; another one needs rights of its own (the Role of deploy/rbac.yaml)",
        unset="that of the Pod, else kube-system",
    )
    lease_name: str = flag(
        ELECTION, "--lease-name", kinds.TEXT, "of the Lease that replicas stand for", default="tke-eni-ipamd"
    )
    identity: str = flag(
        ELECTION,
        "--identity",
        kinds.TEXT,
        "of this replica; no two may share one",
        unset="$POD_NAME, else the host, and the process id",
    )
    lease_timing: LeaseTiming = composed(
        LeaseTiming,
        advice="give --leader-elect-lease-duration > --leader-elect-renew-deadline > "
        "--leader-elect-retry-period > 0",
        duration=part(
            ELECTION,
            "--leader-elect-lease-duration",
            kinds.duration(least=1),
            "how long other replicas respect a Lease that is not renewed",
        ),
        renew_within=part(
            ELECTION,
            "--leader-elect-renew-deadline",
            kinds.duration(),
            "how long a leader works without a renewal",
        ),
        retry=part(
            ELECTION,
            "--leader-elect-retry-period",
            kinds.duration(),
            "between two attempts to take or renew the Lease",
        ),
    )
    workers: int = flag(
        OPERATION,
        "--workers",
        kinds.whole(least=1, most=64),
        "claims worked on at once, each with connections of its own; those that wait for an EIP of their "
        "eip-id-list have a quarter of them at most",
        default=16,
    )
    resync: float = flag(
        OPERATION,
        "--resync",
        kinds.duration(least=10),
        "how often every claim is looked at without a cause",
        default=300.0,
    )
    egress_check_interval: float = flag(
        OPERATION,
        "--egress-check-interval",
        kinds.duration(least=10),
        "how often the route tables of the Pods' subnets are read for NAT gateways in front of EIPs",
        default=300.0,
        see="nat-gateway-and-masquerade.md",
    )
    ip_masq_agent_config: MasqueradeMode = flag(
        OPERATION,
        "--ip-masq-agent-config",
        kinds.one_of(MasqueradeMode),
        "keep: NonMasqueradeSrcCIDRs of ConfigMap kube-system/ip-masq-agent-config names the Pods with EIP; "
        "clear: those entries are taken out again",
        default=MasqueradeMode.OFF,
        see="nat-gateway-and-masquerade.md#masquerading-by-the-node",
    )
    node_taint: TaintMode = flag(
        OPERATION,
        "--node-taint",
        kinds.one_of(TaintMode),
        "what is done about the taint tke.cloud.tencent.com/eni-ip-unavailable: remove: taken from Nodes "
        "that the agent serves; keep: also put on Nodes that wait for their first agent; off: left alone, "
        "with an Event on Nodes that are served",
        default=TaintMode.REMOVE,
        see="controller.md#the-taint-of-nodes-without-addresses",
    )
    kube_qps: float = flag(
        OPERATION, "--kube-client-qps", kinds.RATE, "requests to the API server in a second", default=50.0
    )
    kube_burst: int = flag(
        OPERATION,
        "--kube-client-burst",
        kinds.whole(least=1),
        "requests to the API server at once",
        default=100,
    )
    admission_webhook: tuple[str, int] | None = flag(
        OPERATION,
        "--admission-webhook",
        kinds.ADDRESS,
        "serve the webhook of deploy/components/admission there, which adds forgotten resources",
        default=None,
        unset="not served",
        see="admission.md",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the controller's flags to a parser; `settings` reads what it parsed."""
    declaration.add_arguments(parser, ControllerSettings)


def settings(arguments: argparse.Namespace, environment: Mapping[str, str]) -> ControllerSettings:
    """Return the settings that the parsed flags make.

    Raises:
        InvalidInputError: names the flag that is wrong.
    """
    host = environment.get("POD_NAME") or socket.gethostname()
    namespace = config.own_namespace(arguments.kubeconfig, environment) or cluster_settings.NAMESPACE
    # The process id tells two processes of one host apart; no two may share an identity.
    fallbacks = {"--lease-namespace": namespace, "--identity": f"{host}_{os.getpid()}"}
    return declaration.read(ControllerSettings, arguments, fallbacks=fallbacks, namespace=namespace)
