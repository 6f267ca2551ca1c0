"""The flags of `ipamd agent`, in TKE's manner, and the checked settings that they make.

Everything is checked here, before anything is started: a wrong flag ends the process with a sentence that
names the flag, its value and what is allowed. Reads the environment only for NODE_NAME, which the DaemonSet
sets by the downward API.
"""

import argparse
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ipamd import flags, logs, monitoring
from ipamd.core.cni import conflist
from ipamd.core.errors import InvalidInputError
from ipamd.core.ledger.holds import HoldTimes
from ipamd.core.ledger.restart import Spans
from ipamd.core.pool import Targets
from ipamd.net.sysctls import PROC_SYS

DEFAULT_SOCKET = "/run/tke-eni/ipamd.sock"
DEFAULT_STATE_DIR = "/var/lib/tke-eni"
DEFAULT_PENDING_DELETES = "/var/lib/tke-eni/pending-deletes"
DEFAULT_CNI_BIN_DIR = "/opt/cni/bin"
DEFAULT_METADATA_URL = "http://metadata.tencentyun.com"
EGRESSES = ("node", "eni")

_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_SECURITY_GROUP = re.compile(r"sg-[0-9a-z]{1,32}")
_SUBNET = re.compile(r"subnet-[0-9a-z]{1,32}")
_LONGEST_SOCKET_PATH = 107
"""sun_path of unix(7), without its NUL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the agent was told; times in seconds."""

    node_name: str
    cluster_id: str
    socket: Path
    state_dir: Path
    pending_deletes: Path
    kubeconfig: str
    master: str
    """URL of the API server, if not the one of kubeconfig or service account."""
    metadata_url: str
    cloud_endpoint: str
    security_groups: tuple[str, ...]
    """Empty: those of the primary ENI."""
    pod_subnets: tuple[str, ...]
    """Empty: the subnet of the primary ENI."""
    targets: Targets
    eip_wait: bool
    add_timeout: float
    ip_cooldown: float
    holds: HoldTimes
    pod_egress: str
    eip_source_nat_exemption: bool
    pod_metadata_access: bool
    """Whether Pods reach the metadata service, and so the keys of the CVM's role."""
    direct_cidrs: tuple[str, ...]
    """Reached with the Pod's own address, besides the ranges of the VPC."""
    service_cidrs: tuple[str, ...]
    """The cluster's Service CIDRs, besides those that the API server names."""
    repair_interval: float
    status_patience: float
    cloud_check_interval: float
    sysctl_root: Path
    cni_conf: Path | None
    """Where to write the runtime's network configuration; None leaves that to others."""
    cni_bin_dir: Path
    chained_plugins: tuple[str, ...]
    """Types of conflist.SHIPPED that the network configuration has behind our plugin."""
    health_address: tuple[str, int] | None
    metrics_address: tuple[str, int] | None
    log_level: str
    log_format: str

    @property
    def spans(self) -> Spans:
        """For how long an address may be kept from new Pods, whatever the store says."""
        return Spans(hold=max(self.holds.pod, self.holds.retained), cooldown=self.ip_cooldown)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the agent's flags to a parser; `settings` reads what it parsed."""
    _add_identity(parser)
    _add_pool(parser)
    pods = parser.add_argument_group("Pods")
    pods.add_argument(
        "--eip-wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="a Pod with EIP starts only when its EIP is bound (no: it starts first, as with TKE)",
    )
    pods.add_argument(
        "--add-timeout",
        default="50s",
        metavar="DURATION",
        help="longest CNI ADD; keep it below the shim's and the runtime's (default %(default)s)",
    )
    pods.add_argument(
        "--ip-hold",
        default="2m",
        metavar="DURATION",
        help="keep IP and EIP for the next sandbox of a Pod that still exists (default %(default)s)",
    )
    pods.add_argument(
        "--retained-ip-hold",
        default="5m",
        metavar="DURATION",
        help="keep IP and EIP for the next Pod of the name if its EIPClaim is retained (default %(default)s)",
    )
    pods.add_argument(
        "--pod-egress",
        choices=EGRESSES,
        default="node",
        help="how Pods without EIP leave the VPC: by the node's primary interface, or by their own ENI",
    )
    pods.add_argument(
        "--eip-source-nat-exemption",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="Pods with EIP escape the masquerading of the node (no: the controller keeps them in the "
        "configuration of ip-masq-agent, with --ip-masq-agent-config=keep)",
    )
    pods.add_argument(
        "--pod-metadata-access",
        action="store_true",
        help="let Pods ask the metadata service, which gives them the keys of the CVM's role",
    )
    pods.add_argument(
        "--direct-cidrs",
        default="",
        metavar="CIDR,...",
        help="ranges that Pods reach by their own ENI with their own address, besides those of the VPC and "
        "those that ip-masq-agent leaves alone: CCN, peering, IDC",
    )
    pods.add_argument(
        "--service-cidrs",
        default="",
        metavar="CIDR,...",
        help="the cluster's Service CIDRs, where the API server does not name them (before Kubernetes 1.33)",
    )
    operation = parser.add_argument_group("operation")
    operation.add_argument(
        "--repair-interval",
        default="30s",
        metavar="DURATION",
        help="how often kernel, store and cloud are compared and mended (default %(default)s)",
    )
    operation.add_argument(
        "--status-patience",
        default="3m",
        metavar="DURATION",
        help="how long the node's own network may be broken, or an empty node be without any address, until "
        "STATUS says so and the Node is unready (default %(default)s)",
    )
    operation.add_argument(
        "--cloud-check-interval",
        default="30s",
        metavar="DURATION",
        help="how often the cloud is asked for the node's ENIs, at most (default %(default)s)",
    )
    operation.add_argument(
        "--sysctl-root",
        default=str(PROC_SYS),
        metavar="PATH",
        help="where the directory net of kernel settings is writable (default %(default)s)",
    )
    operation.add_argument(
        "--cni-conf",
        default="",
        metavar="PATH",
        help="keep the runtime's network configuration there, from when the plugin is served "
        "(for example /etc/cni/net.d/10-tke-eni.conflist)",
    )
    _add_chained_plugins(operation)
    monitoring.add_arguments(operation)
    operation.add_argument("--log-level", choices=logs.LEVELS, default="info")
    operation.add_argument("--log-format", choices=logs.FORMATS, default="text")


def settings(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """Return the settings that the parsed flags make; InvalidInputError names the flag that is wrong."""
    node_name = arguments.node_name or environment.get("NODE_NAME", "")
    return Settings(
        node_name=flags.matching("--node-name", node_name, _NODE_NAME, "the name of this Node object"),
        cluster_id=flags.cluster_id(arguments.cluster_id),
        socket=_socket(arguments.socket),
        state_dir=_absolute("--state-dir", arguments.state_dir),
        pending_deletes=_absolute("--pending-deletes", arguments.pending_deletes),
        kubeconfig=arguments.kubeconfig,
        master=arguments.master,
        metadata_url=arguments.metadata_url,
        cloud_endpoint=arguments.cloud_endpoint,
        security_groups=_list("--security-groups", arguments.security_groups, _SECURITY_GROUP, "sg-..."),
        pod_subnets=_list("--pod-subnets", arguments.pod_subnets, _SUBNET, "subnet-..."),
        targets=Targets(
            min_warm=arguments.ip_min_warm_target,
            max_warm=arguments.ip_max_warm_target,
            release_interval=flags.duration("--ip-release-interval", arguments.ip_release_interval, least=1),
            quick_release=arguments.enable_quick_release,
        ),
        eip_wait=arguments.eip_wait,
        add_timeout=flags.duration("--add-timeout", arguments.add_timeout, least=1, most=600),
        ip_cooldown=flags.duration("--ip-cooldown", arguments.ip_cooldown),
        holds=HoldTimes(
            pod=flags.duration("--ip-hold", arguments.ip_hold),
            retained=flags.duration("--retained-ip-hold", arguments.retained_ip_hold),
        ),
        pod_egress=arguments.pod_egress,
        eip_source_nat_exemption=_exemption(arguments),
        pod_metadata_access=arguments.pod_metadata_access,
        direct_cidrs=_cidrs("--direct-cidrs", arguments.direct_cidrs),
        service_cidrs=_cidrs("--service-cidrs", arguments.service_cidrs),
        repair_interval=flags.duration("--repair-interval", arguments.repair_interval, least=1),
        status_patience=flags.duration("--status-patience", arguments.status_patience),
        cloud_check_interval=flags.duration(
            "--cloud-check-interval", arguments.cloud_check_interval, least=1
        ),
        sysctl_root=_absolute("--sysctl-root", arguments.sysctl_root),
        cni_conf=_absolute("--cni-conf", arguments.cni_conf) if arguments.cni_conf else None,
        cni_bin_dir=_absolute("--cni-bin-dir", arguments.cni_bin_dir),
        chained_plugins=_chained_plugins(arguments),
        health_address=monitoring.health_address(arguments),
        metrics_address=monitoring.metrics_address(arguments),
        log_level=arguments.log_level,
        log_format=arguments.log_format,
    )


def _add_identity(parser: argparse.ArgumentParser) -> None:
    identity = parser.add_argument_group("node and cluster")
    identity.add_argument("--node-name", default="", help="name of this Node object (default: $NODE_NAME)")
    identity.add_argument("--cluster-id", default="", help="id of the cluster, for tags (cls-...); required")
    identity.add_argument("--kubeconfig", default="", help="kubeconfig (default: the Pod's service account)")
    identity.add_argument(
        "--master", default="", metavar="URL", help="API server, if not that of the kubeconfig or the Pod"
    )
    identity.add_argument("--metadata-url", default=DEFAULT_METADATA_URL, help="default %(default)s")
    identity.add_argument(
        "--cloud-endpoint",
        default="",
        help="'internal', a root domain, or http(s)://host:port (default: tencentcloudapi.com)",
    )
    identity.add_argument("--socket", default=DEFAULT_SOCKET, help="where the CNI plugin asks (%(default)s)")
    identity.add_argument("--state-dir", default=DEFAULT_STATE_DIR, help="default %(default)s")
    identity.add_argument(
        "--pending-deletes",
        default=DEFAULT_PENDING_DELETES,
        help="where the CNI plugin queues DELs while the agent is down (default %(default)s)",
    )


def _add_chained_plugins(operation: "argparse._ArgumentGroup") -> None:
    operation.add_argument(
        "--cni-bin-dir",
        default=DEFAULT_CNI_BIN_DIR,
        metavar="PATH",
        help="the node's CNI plugins, to see what the network configuration may name (default %(default)s)",
    )
    operation.add_argument(
        "--port-mapping",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="hostPort of Pods: the plugin portmap in the network configuration",
    )
    operation.add_argument(
        "--bandwidth",
        action="store_true",
        help="kubernetes.io/ingress-bandwidth and egress-bandwidth of Pods: the plugin bandwidth there",
    )


def _chained_plugins(arguments: argparse.Namespace) -> tuple[str, ...]:
    wanted = {
        conflist.PORT_MAPPING: arguments.port_mapping,
        conflist.BANDWIDTH: arguments.bandwidth,
    }
    return tuple(kind for kind, is_wanted in wanted.items() if is_wanted)


def _add_pool(parser: argparse.ArgumentParser) -> None:
    pool = parser.add_argument_group("IP pool")
    pool.add_argument("--ip-min-warm-target", type=int, default=5, metavar="N", help="default %(default)s")
    pool.add_argument("--ip-max-warm-target", type=int, default=5, metavar="N", help="default %(default)s")
    pool.add_argument(
        "--ip-release-interval",
        default="2m",
        metavar="DURATION",
        help="between two surplus addresses given back (default %(default)s)",
    )
    pool.add_argument(
        "--enable-quick-release", action="store_true", help="give all surplus addresses back at once"
    )
    pool.add_argument(
        "--ip-cooldown",
        default="30s",
        metavar="DURATION",
        help="before a freed address is given to another Pod (default %(default)s)",
    )
    pool.add_argument(
        "--security-groups",
        default="",
        metavar="SG,...",
        help="of the ENIs for Pods (default: those of the primary ENI)",
    )
    pool.add_argument(
        "--pod-subnets",
        default="",
        metavar="SUBNET,...",
        help="of the ENIs for Pods, in the zone of the CVM (default: that of the primary ENI)",
    )


def _exemption(arguments: argparse.Namespace) -> bool:
    wanted: bool = arguments.eip_source_nat_exemption
    if not wanted and arguments.pod_egress == "eni":
        raise InvalidInputError(
            "--no-eip-source-nat-exemption does not go with --pod-egress=eni, where no Pod is masqueraded",
            advice="leave one of the two out",
        )
    return wanted


def _absolute(flag: str, value: str) -> Path:
    if not value.startswith("/"):
        raise InvalidInputError(f"{flag} is {value[:80]!r}", advice="give an absolute path")
    return Path(value)


def _socket(value: str) -> Path:
    path = _absolute("--socket", value)
    if len(value.encode()) > _LONGEST_SOCKET_PATH:
        raise InvalidInputError(
            f"--socket has {len(value.encode())} bytes", advice=f"at most {_LONGEST_SOCKET_PATH} are allowed"
        )
    return path


def _cidrs(flag: str, value: str) -> tuple[str, ...]:
    parts = tuple(filter(None, (part.strip() for part in value.split(","))))
    for part in parts:
        try:
            ipaddress.IPv4Network(part)
        except ValueError as e:
            raise InvalidInputError(
                f"{flag} contains {part[:80]!r}: {e}",
                advice="give IPv4 CIDRs like 10.8.0.0/16, separated by commas",
            ) from e
    return parts


def _list(flag: str, value: str, pattern: re.Pattern[str], form: str) -> tuple[str, ...]:
    parts = tuple(filter(None, (part.strip() for part in value.split(","))))
    for part in parts:
        if not pattern.fullmatch(part):
            raise InvalidInputError(
                f"{flag} contains {part[:80]!r}", advice=f"give ids like {form}, separated by commas"
            )
    return parts
