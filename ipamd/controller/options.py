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
from dataclasses import dataclass, field

from ipamd import flags, logs, monitoring
from ipamd.core.annotations.eip import LEAST_EXPIRY, MOST_EXPIRY
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.eip.masquerade import Upkeep
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import cluster_settings
from ipamd.kube import config
from ipamd.kube.leases import LeaseTiming

DEFAULT_METADATA_URL = "http://metadata.tencentyun.com"
ID_LIST_RULES = ("any", "tagged")

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the controller was told; times in seconds."""

    cluster_id: str
    region: str
    """Empty: that of the CVM it runs on."""
    kubeconfig: str
    master: str
    metadata_url: str
    cloud_endpoint: str
    namespace: str
    """Of the controller itself, and so of the ConfigMap of its settings."""
    lease_namespace: str
    lease_name: str
    identity: str
    lease_timing: LeaseTiming
    rules: ClusterRules
    workers: int
    resync: float
    egress_check_interval: float
    ip_masq_agent_config: Upkeep
    kube_qps: float
    kube_burst: int
    health_address: tuple[str, int] | None
    metrics_address: tuple[str, int] | None
    admission_webhook: tuple[str, int] | None = None
    """Where to listen for the API server's reviews of new Pods; None: nowhere."""
    log_level: str
    log_format: str
    stop_releases: bool = False
    sweep: SweepTerms = field(default_factory=SweepTerms)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the controller's flags to a parser; `settings` reads what it parsed."""
    cluster = parser.add_argument_group("cluster and cloud")
    cluster.add_argument("--cluster-id", default="", help="id of the cluster, for tags (cls-...); required")
    cluster.add_argument("--region", default="", help="for example ap-guangzhou (default: asked of the CVM)")
    cluster.add_argument("--kubeconfig", default="", help="kubeconfig (default: the Pod's service account)")
    cluster.add_argument(
        "--master", default="", metavar="URL", help="API server, if not that of the kubeconfig or the Pod"
    )
    cluster.add_argument("--metadata-url", default=DEFAULT_METADATA_URL, help="default %(default)s")
    cluster.add_argument(
        "--cloud-endpoint",
        default="",
        help="'internal', a root domain, or http(s)://host:port (default: tencentcloudapi.com)",
    )
    rules = parser.add_argument_group("rules for all claims")
    rules.add_argument(
        "--claim-expired-duration",
        default="",
        metavar="DURATION",
        help="delete a retained claim, and release its EIP, when its Pod has been gone for so long; at least "
        "5m (default: retained for ever)",
    )
    rules.add_argument(
        "--claim-absence",
        default="5m",
        metavar="DURATION",
        help="for how long the leader must have missed a Pod before its kept claim expires (%(default)s)",
    )
    rules.add_argument(
        "--enable-ownerref",
        action="store_true",
        help="delete retained claims with the workload of their Pods (default: they stay)",
    )
    rules.add_argument(
        "--eip-id-list-rule",
        choices=ID_LIST_RULES,
        default="any",
        help="which EIPs an eip-id-list may name: 'any', or 'tagged': those whose tag tke-eip-namespaces "
        "lists the Pod's namespace or * (default %(default)s)",
    )
    leader = parser.add_argument_group("leader election")
    leader.add_argument(
        "--lease-namespace", default="", help="of the Lease (default: that of the Pod, else kube-system)"
    )
    leader.add_argument("--lease-name", default="tke-eni-ipamd", help="default %(default)s")
    leader.add_argument(
        "--identity",
        default="",
        help="of this replica (default: $POD_NAME, else the host, and its process id)",
    )
    for flag, default, meaning in (
        (
            "--leader-elect-lease-duration",
            "15s",
            "how long other replicas respect a Lease that is not renewed",
        ),
        ("--leader-elect-renew-deadline", "10s", "how long a leader works without a renewal"),
        ("--leader-elect-retry-period", "2s", "between two attempts to take or renew the Lease"),
    ):
        leader.add_argument(flag, default=default, metavar="DURATION", help=f"{meaning} (default {default})")
    operation = parser.add_argument_group("operation")
    operation.add_argument(
        "--workers", type=int, default=16, metavar="N", help="claims worked on at once (default %(default)s)"
    )
    operation.add_argument(
        "--resync",
        default="5m",
        metavar="DURATION",
        help="how often every claim is looked at without a cause (default %(default)s)",
    )
    operation.add_argument(
        "--egress-check-interval",
        default="5m",
        metavar="DURATION",
        help="how often the route tables of the Pods' subnets are read for NAT gateways in front of EIPs "
        "(default %(default)s)",
    )
    operation.add_argument(
        "--ip-masq-agent-config",
        choices=[upkeep.value for upkeep in Upkeep],
        default=Upkeep.OFF.value,
        help="keep: NonMasqueradeSrcCIDRs of ConfigMap kube-system/ip-masq-agent-config names the Pods with "
        "EIP; clear: those entries are taken out again (default %(default)s)",
    )
    operation.add_argument(
        "--kube-client-qps", type=float, default=50.0, metavar="N", help="requests/s (default %(default)s)"
    )
    operation.add_argument(
        "--kube-client-burst", type=int, default=100, metavar="N", help="at once (default %(default)s)"
    )
    monitoring.add_arguments(operation)
    operation.add_argument(
        "--admission-webhook",
        default="",
        metavar="ADDRESS:PORT",
        help="serve the webhook of deploy/components/admission there (default: off)",
    )
    operation.add_argument("--log-level", choices=logs.LEVELS, default="info")
    operation.add_argument("--log-format", choices=logs.FORMATS, default="text")
    _add_releases(parser)


def settings(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """Return the settings that the parsed flags make; InvalidInputError names the flag that is wrong."""
    host = environment.get("POD_NAME") or socket.gethostname()
    if not 1 <= arguments.workers <= 64:
        raise InvalidInputError(f"--workers is {arguments.workers}", advice="allowed are 1 to 64")
    if not arguments.kube_client_qps > 0 or arguments.kube_client_burst < 1:
        raise InvalidInputError(
            f"--kube-client-qps is {arguments.kube_client_qps} and --kube-client-burst "
            f"{arguments.kube_client_burst}",
            advice="the first must be above 0, the second at least 1",
        )
    namespace = config.own_namespace(arguments.kubeconfig, environment) or cluster_settings.NAMESPACE
    return Settings(
        cluster_id=flags.cluster_id(arguments.cluster_id),
        region=flags.region(arguments.region),
        kubeconfig=arguments.kubeconfig,
        master=arguments.master,
        metadata_url=arguments.metadata_url,
        cloud_endpoint=arguments.cloud_endpoint,
        namespace=namespace,
        lease_namespace=flags.matching(
            "--lease-namespace",
            arguments.lease_namespace or namespace,
            _NAMESPACE,
            "the name of a namespace",
        ),
        lease_name=arguments.lease_name,
        # The process id tells two processes of one host apart; no two may share an identity.
        identity=arguments.identity or f"{host}_{os.getpid()}",
        lease_timing=_lease_timing(arguments),
        rules=_rules(arguments),
        workers=arguments.workers,
        resync=flags.duration("--resync", arguments.resync, least=10),
        egress_check_interval=flags.duration(
            "--egress-check-interval", arguments.egress_check_interval, least=10
        ),
        ip_masq_agent_config=Upkeep(arguments.ip_masq_agent_config),
        kube_qps=arguments.kube_client_qps,
        kube_burst=arguments.kube_client_burst,
        health_address=monitoring.health_address(arguments),
        metrics_address=monitoring.metrics_address(arguments),
        admission_webhook=flags.address("--admission-webhook", arguments.admission_webhook),
        log_level=arguments.log_level,
        log_format=arguments.log_format,
        stop_releases=arguments.stop_releases,
        sweep=SweepTerms(
            mode=SweepMode(arguments.orphan_sweep),
            interval=flags.duration("--sweep-interval", arguments.sweep_interval, least=10),
            age=flags.duration("--orphan-age", arguments.orphan_age, least=600, most=30 * 86400),
        ),
    )


def _rules(arguments: argparse.Namespace) -> ClusterRules:
    expiry = arguments.claim_expired_duration
    return ClusterRules(
        expire_after=flags.duration("--claim-expired-duration", expiry, least=LEAST_EXPIRY, most=MOST_EXPIRY)
        if expiry
        else None,
        least_absence=flags.duration("--claim-absence", arguments.claim_absence, least=1),
        cascade=arguments.enable_ownerref,
        tagged_only=arguments.eip_id_list_rule == "tagged",
    )


def _lease_timing(arguments: argparse.Namespace) -> LeaseTiming:
    try:
        return LeaseTiming(
            duration=flags.duration(
                "--leader-elect-lease-duration", arguments.leader_elect_lease_duration, least=1
            ),
            renew_within=flags.duration(
                "--leader-elect-renew-deadline", arguments.leader_elect_renew_deadline
            ),
            retry=flags.duration("--leader-elect-retry-period", arguments.leader_elect_retry_period),
        )
    except ValueError as e:
        raise InvalidInputError(
            "the times of the leader election do not fit together",
            advice="give --leader-elect-lease-duration > --leader-elect-renew-deadline > "
            "--leader-elect-retry-period > 0",
        ) from e


def _add_releases(parser: argparse.ArgumentParser) -> None:
    safety = parser.add_argument_group("what is released")
    safety.add_argument(
        "--stop-releases",
        action="store_true",
        help="release no EIP; to stop without a restart: key RELEASES of the ConfigMap tke-eni-settings",
    )
    safety.add_argument(
        "--orphan-sweep",
        choices=[mode.value for mode in SweepMode],
        default=SweepMode.REPORT.value,
        help="what to do about EIPs with the cluster's tags and no EIPClaim (default %(default)s)",
    )
    safety.add_argument(
        "--orphan-age",
        default="1h",
        metavar="DURATION",
        help="for how long an EIP must be without EIPClaim before that (default %(default)s, at least 10m)",
    )
    safety.add_argument(
        "--sweep-interval",
        default="1m",
        metavar="DURATION",
        help="between two comparisons of all EIPs with all EIPClaims (default %(default)s)",
    )
