"""The flags of `ipamd agent`, in TKE's manner, and the checked settings that they make.

Everything is checked here, before anything is started: a wrong flag ends the process with a sentence that
names the flag, its value and what is allowed. Reads the environment only for NODE_NAME, POD_NAMESPACE and
POD_NAME, which the DaemonSet sets by the downward API.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ipamd.core import places
from ipamd.core.cni import conflist
from ipamd.core.errors import InvalidInputError
from ipamd.core.exclusive_pool import EniTargets
from ipamd.core.kubernetes.external_dns import ExternalDns
from ipamd.core.ledger.holds import HoldTimes
from ipamd.core.ledger.restart import Spans
from ipamd.core.pool import Targets
from ipamd.flags import declaration, kinds
from ipamd.flags.declaration import composed, flag, part
from ipamd.flags.effective import EffectiveFlag, effective
from ipamd.flags.shared import CLUSTER, SharedSettings
from ipamd.net.sysctls import PROC_SYS

NODE = "node"
POOL = "IP pool"
PODS = "Pods"
NETWORK_CONFIGURATION = "network configuration"
UPKEEP = "upkeep"

EGRESSES = ("node", "eni")

_NO_POD = "no-pod"
_NODE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_SECURITY_GROUP = re.compile(r"sg-[0-9a-z]{1,32}")
_SUBNET = re.compile(r"subnet-[0-9a-z]{1,32}")


def _chained_plugins(*, port_mapping: bool = True, bandwidth: bool = False) -> tuple[str, ...]:
    wanted = {conflist.PORT_MAPPING: port_mapping, conflist.BANDWIDTH: bandwidth}
    return tuple(kind for kind, is_wanted in wanted.items() if is_wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings(SharedSettings):
    """What the agent was told; times in seconds."""

    node_name: str = flag(
        CLUSTER,
        "--node-name",
        kinds.matching(_NODE_NAME, "the name of this Node object"),
        "name of this Node object",
        unset="$NODE_NAME",
    )
    agent_pod: str = _NO_POD
    """The Pod in which we run, as namespace/name; a text without a slash when we run in none."""
    socket: Path = flag(
        NODE, "--socket", kinds.SOCKET, "where the CNI plugin asks", default=Path(places.SOCKET)
    )
    state_dir: Path = flag(
        NODE,
        "--state-dir",
        kinds.PATH,
        "of the store; must outlive the agent's container",
        default=Path(places.STATE_DIRECTORY),
    )
    pending_deletes: Path = flag(
        NODE,
        "--pending-deletes",
        kinds.PATH,
        "where the CNI plugin, as it was built, queues DELs while the agent is down",
        default=Path(places.PENDING_DELETES),
    )
    sysctl_root: Path = flag(
        NODE,
        "--sysctl-root",
        kinds.PATH,
        "where net/ can be written, for a container whose /proc/sys is read-only",
        default=PROC_SYS,
    )
    targets: Targets = composed(
        Targets,
        min_warm=part(
            POOL, "--ip-min-warm-target", kinds.whole(), "keep at least Pods + this many addresses"
        ),
        max_warm=part(POOL, "--ip-max-warm-target", kinds.whole(), "keep at most Pods + this many addresses"),
        release_interval=part(
            POOL, "--ip-release-interval", kinds.duration(least=1), "between two surplus addresses given back"
        ),
        quick_release=part(
            POOL, "--enable-quick-release", kinds.SWITCH, "give all surplus addresses back at once"
        ),
    )
    ip_cooldown: float = flag(
        POOL,
        "--ip-cooldown",
        kinds.duration(),
        "before a freed address is given to another Pod",
        default=30.0,
    )
    security_groups: tuple[str, ...] = flag(
        POOL,
        "--security-groups",
        kinds.listed(_SECURITY_GROUP, "sg-...", "SG"),
        "of the ENIs for Pods",
        default=(),
        unset="those of the primary ENI",
    )
    pod_subnets: tuple[str, ...] = flag(
        POOL,
        "--pod-subnets",
        kinds.listed(_SUBNET, "subnet-...", "SUBNET"),
        "of the ENIs for Pods, in the zone of the CVM",
        default=(),
        unset="that of the primary ENI",
    )
    sync_security_groups: bool = flag(
        POOL,
        "--sync-security-groups",
        kinds.TOGGLE,
        "keep the security groups of the node's own ENIs as they are configured, or as the primary ENI has "
        "them; --no-sync-security-groups: only new ENIs get them",
        default=True,
        see="nodes.md#security-groups",
    )
    subnet_free_warning: int = flag(
        POOL,
        "--subnet-free-warning",
        kinds.whole(),
        "warn when a subnet of the node's addresses has fewer free ones than this (and than a quarter of it)",
        default=32,
        see="nodes.md#subnets",
    )
    direct_eni: bool = flag(
        POOL,
        "--direct-eni",
        kinds.SWITCH,
        "Pods with networks: tke-direct-eni get an ENI of their own",
        default=False,
    )
    eni_targets: EniTargets = composed(
        EniTargets,
        min_warm=part(
            POOL, "--eni-min-warm-target", kinds.whole(), "keep at least this many ENIs for such Pods"
        ),
        max_warm=part(
            POOL, "--eni-max-warm-target", kinds.whole(), "keep at most this many ENIs for such Pods"
        ),
        release_interval=part(
            POOL, "--eni-release-interval", kinds.duration(least=1), "between two surplus ENIs given back"
        ),
    )
    direct_eni_node_cidrs: tuple[str, ...] = flag(
        PODS,
        "--direct-eni-node-cidrs",
        kinds.CIDRS,
        "what such Pods reach by the node, besides the node itself, Services and link-local addresses",
        default=(),
        unset="none",
    )
    eip_wait: bool = flag(
        PODS,
        "--eip-wait",
        kinds.TOGGLE,
        "a Pod with EIP starts only when its EIP is bound; --no-eip-wait: it starts first, as with TKE",
        default=True,
    )
    external_dns: ExternalDns = flag(
        PODS,
        "--external-dns",
        kinds.one_of(ExternalDns),
        "write the public IP of a Pod also as the annotation target of external-dns, under this prefix "
        "(external-dns.kubernetes.io from its v0.22 on)",
        default=ExternalDns.OFF,
        see="annotations.md#a-dns-name-for-each-pod",
    )
    add_timeout: float = flag(
        PODS,
        "--add-timeout",
        kinds.duration(least=1, most=600),
        "longest CNI ADD; keep it below the plugin's time-out and the runtime's",
        default=50.0,
        see="shim.md#settings",
    )
    holds: HoldTimes = composed(
        HoldTimes,
        pod=part(
            PODS,
            "--ip-hold",
            kinds.duration(),
            "keep IP and EIP for the next sandbox of a Pod that still exists",
        ),
        retained=part(
            PODS,
            "--retained-ip-hold",
            kinds.duration(),
            "keep IP and EIP for the next Pod of the name if its EIPClaim is retained",
        ),
    )
    pod_egress: str = flag(
        PODS,
        "--pod-egress",
        kinds.choice(*EGRESSES),
        "how Pods without EIP leave the VPC: by the node's primary interface, or by their own ENI",
        default="node",
    )
    eip_source_nat_exemption: bool = flag(
        PODS,
        "--eip-source-nat-exemption",
        kinds.TOGGLE,
        "Pods with EIP escape the masquerading of the node; --no-eip-source-nat-exemption: ip-masq-agent "
        "alone decides, and the controller tells it with --ip-masq-agent-config=keep",
        default=True,
        see="nat-gateway-and-masquerade.md#masquerading-by-the-node",
    )
    pod_metadata_access: bool = flag(
        PODS,
        "--pod-metadata-access",
        kinds.SWITCH,
        "let Pods ask the metadata service, which gives them the keys of the CVM's role: only where Pods "
        "work with that role",
        default=False,
        see="security.md#what-the-boundaries-are-made-of",
    )
    direct_cidrs: tuple[str, ...] = flag(
        PODS,
        "--direct-cidrs",
        kinds.CIDRS,
        "ranges that Pods reach by their own ENI with their own address, besides those of the VPC and those "
        "that ip-masq-agent leaves alone: CCN, peering, IDC",
        default=(),
        see="install.md#where-pods-go-with-their-own-address",
    )
    service_cidrs: tuple[str, ...] = flag(
        PODS,
        "--service-cidrs",
        kinds.CIDRS,
        "the cluster's Service CIDRs; needed before Kubernetes 1.33 with kube-proxy in IPVS mode",
        default=(),
        unset="those that the API server names",
    )
    repair_interval: float = flag(
        UPKEEP,
        "--repair-interval",
        kinds.duration(least=1),
        "how often kernel, store and cloud are compared and repaired; the kernel also when it changes",
        default=30.0,
    )
    cloud_check_interval: float = flag(
        UPKEEP,
        "--cloud-check-interval",
        kinds.duration(least=1),
        "how often, at most, the cloud is asked for the node's ENIs, addresses and EIPs",
        default=30.0,
        see="agent.md#how-soon-a-loss-in-the-cloud-is-noticed-and-what-it-costs",
    )
    status_patience: float = flag(
        UPKEEP,
        "--status-patience",
        kinds.duration(),
        "how long the node's own network may be broken, or an empty node be without any address, until "
        "STATUS says so and the Node is unready",
        default=180.0,
    )
    cni_conf: Path | None = flag(
        NETWORK_CONFIGURATION,
        "--cni-conf",
        kinds.OPTIONAL_PATH,
        "keep the runtime's network configuration there, from when the plugin is served (for example "
        "/etc/cni/net.d/10-tke-eni.conflist)",
        default=None,
        unset="nowhere",
        see="install.md#the-network-configuration",
    )
    cni_bin_dir: Path = flag(
        NETWORK_CONFIGURATION,
        "--cni-bin-dir",
        kinds.PATH,
        "the node's CNI plugins, to see which are there and what they speak",
        default=Path(places.CNI_BINARIES),
    )
    chained_plugins: tuple[str, ...] = composed(
        _chained_plugins,
        port_mapping=part(
            NETWORK_CONFIGURATION,
            "--port-mapping",
            kinds.TOGGLE,
            "hostPort of Pods: the plugin portmap in the network configuration",
        ),
        bandwidth=part(
            NETWORK_CONFIGURATION,
            "--bandwidth",
            kinds.SWITCH,
            "kubernetes.io/ingress-bandwidth and egress-bandwidth of Pods: the plugin bandwidth there",
        ),
    )
    """Types of conflist.SHIPPED that the network configuration has behind our plugin."""

    effective: tuple[EffectiveFlag, ...] = ()
    """Every flag with its value, for people."""

    @property
    def spans(self) -> Spans:
        """For how long an address may be kept from new Pods, whatever the store says."""
        return Spans(hold=max(self.holds.pod, self.holds.retained), cooldown=self.ip_cooldown)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the agent's flags to a parser; `settings` reads what it parsed."""
    declaration.add_arguments(parser, AgentSettings)


def settings(
    arguments: argparse.Namespace, environment: Mapping[str, str], words: Sequence[str] = ()
) -> AgentSettings:
    """Return the settings that the parsed flags make; `words` is the command line that they were parsed from.

    Raises:
        InvalidInputError: names the flag that is wrong.
    """
    pod = environment.get("POD_NAMESPACE", ""), environment.get("POD_NAME", "")
    fallbacks = {"--node-name": environment.get("NODE_NAME", "")}
    chosen = declaration.read(
        AgentSettings,
        arguments,
        fallbacks=fallbacks,
        effective=tuple(effective(AgentSettings, arguments, words, fallbacks)),
        agent_pod="/".join(pod) if all(pod) else _NO_POD,
    )
    if not chosen.eip_source_nat_exemption and chosen.pod_egress == "eni":
        raise InvalidInputError(
            "--no-eip-source-nat-exemption does not go with --pod-egress=eni, where no Pod is masqueraded",
            advice="leave one of the two out",
        )
    return chosen
