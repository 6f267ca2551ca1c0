"""The table of what this API serves: one entry per resource, with its names, verbs and rules.

A new kind is one more entry; nothing else in the package lists kinds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from simulator.kube.kinds import workloads
from simulator.kube.kinds.configmaps import ConfigMapStrategy
from simulator.kube.kinds.custom import CustomStrategy
from simulator.kube.kinds.events import EventStrategy
from simulator.kube.kinds.leases import LeaseStrategy
from simulator.kube.kinds.namespaces import NamespaceStrategy
from simulator.kube.kinds.nodes import NodeStrategy
from simulator.kube.kinds.pods import PodStrategy
from simulator.kube.kinds.secrets import SecretStrategy
from simulator.kube.kinds.services import ServiceStrategy
from simulator.kube.kinds.strategy import StatusStrategy, Strategy
from simulator.kube.kinds.webhooks import MutatingWebhookStrategy
from simulator.kube.kinds.workloads import DeploymentStrategy, JobStrategy, WorkloadStrategy
from simulator.kube.status import qualified

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
SUBRESOURCE_KINDS = {
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
}
"""Kinds of the subresources that are written with an object of another kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One served resource."""

    group: str
    version: str
    plural: str
    kind: str
    strategy: Strategy = field(default_factory=Strategy)
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def singular(self) -> str:
        """Name of one object in lower case, as kubectl takes it."""
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        """Group and version as objects carry it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def id(self) -> str:
        """Plural and group: the name in messages and in the store."""
        return qualified(self.group, self.plural)

    @property
    def verbs(self) -> tuple[str, ...]:
        """What may be done with the main resource."""
        return (
            tuple(verb for verb in VERBS if verb != "deletecollection")
            if self.plural == "namespaces"
            else VERBS
        )


PODS = Resource(
    group="",
    version="v1",
    plural="pods",
    kind="Pod",
    strategy=PodStrategy(),
    subresources=("status", "binding", "eviction"),
    short_names=("po",),
    categories=("all",),
)
NODES = Resource(
    group="",
    version="v1",
    plural="nodes",
    kind="Node",
    strategy=NodeStrategy(),
    namespaced=False,
    subresources=("status",),
    short_names=("no",),
)
NAMESPACES = Resource(
    group="",
    version="v1",
    plural="namespaces",
    kind="Namespace",
    strategy=NamespaceStrategy(),
    namespaced=False,
    subresources=("status",),
    short_names=("ns",),
)
EIP_CLAIMS = Resource(
    group="networking.tke.cloud.tencent.com",
    version="v1",
    plural="eipclaims",
    kind="EIPClaim",
    strategy=CustomStrategy(),
    subresources=("status",),
    short_names=("eipc",),
)
EIP_POOLS = Resource(
    group="networking.tke.cloud.tencent.com",
    version="v1",
    plural="eippools",
    kind="EIPPool",
    strategy=CustomStrategy(),
    namespaced=False,
    subresources=("status",),
    short_names=("eipp",),
)
VPC_IP_CLAIMS = Resource(
    group="networking.tke.cloud.tencent.com",
    version="v1",
    plural="vpcipclaims",
    kind="VpcIPClaim",
    strategy=CustomStrategy(),
    subresources=("status",),
    short_names=("vipc",),
)
VPC_IPS = Resource(
    group="networking.tke.cloud.tencent.com",
    version="v1",
    plural="vpcips",
    kind="VpcIP",
    strategy=CustomStrategy(),
    namespaced=False,
    subresources=("status",),
    short_names=("vip",),
)
NODE_ENI_CONFIGS = Resource(
    group="networking.tke.cloud.tencent.com",
    version="v1",
    plural="nodeeniconfigs",
    kind="NodeENIConfig",
    strategy=CustomStrategy(),
    namespaced=False,
    subresources=("status",),
    short_names=("nec",),
)
SERVICE_CIDRS = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="servicecidrs",
    kind="ServiceCIDR",
    strategy=StatusStrategy(),
    namespaced=False,
    subresources=("status",),
)


class _Returning(Strategy):
    """A kind without rules, whose DELETE answers with the object."""

    returns_deleted = True


def _apps(plural: str, kind: str, short_name: str, strategy: Strategy) -> Resource:
    return Resource(
        group="apps",
        version="v1",
        plural=plural,
        kind=kind,
        strategy=strategy,
        subresources=("status",),
        short_names=(short_name,),
        categories=("all",),
    )


_NO_DAEMONS = {
    "currentNumberScheduled": 0,
    "desiredNumberScheduled": 0,
    "numberMisscheduled": 0,
    "numberReady": 0,
}

BUILT_IN: tuple[Resource, ...] = (
    Resource(
        group="",
        version="v1",
        plural="configmaps",
        kind="ConfigMap",
        strategy=ConfigMapStrategy(),
        short_names=("cm",),
    ),
    Resource(
        group="", version="v1", plural="events", kind="Event", strategy=EventStrategy(), short_names=("ev",)
    ),
    NAMESPACES,
    NODES,
    PODS,
    Resource(group="", version="v1", plural="secrets", kind="Secret", strategy=SecretStrategy()),
    Resource(
        group="",
        version="v1",
        plural="serviceaccounts",
        kind="ServiceAccount",
        strategy=_Returning(),
        short_names=("sa",),
    ),
    Resource(
        group="",
        version="v1",
        plural="services",
        kind="Service",
        strategy=ServiceStrategy(),
        subresources=("status",),
        short_names=("svc",),
        categories=("all",),
    ),
    _apps("daemonsets", "DaemonSet", "ds", WorkloadStrategy(workloads.DAEMON_SET, _NO_DAEMONS)),
    _apps("deployments", "Deployment", "deploy", DeploymentStrategy(workloads.DEPLOYMENT, {})),
    _apps("replicasets", "ReplicaSet", "rs", WorkloadStrategy(workloads.REPLICA_SET, {"replicas": 0})),
    _apps(
        "statefulsets",
        "StatefulSet",
        "sts",
        WorkloadStrategy(workloads.STATEFUL_SET, {"replicas": 0, "availableReplicas": 0}),
    ),
    Resource(
        group="batch",
        version="v1",
        plural="jobs",
        kind="Job",
        strategy=JobStrategy(workloads.JOB, {}),
        subresources=("status",),
        categories=("all",),
    ),
    Resource(
        group="admissionregistration.k8s.io",
        version="v1",
        plural="mutatingwebhookconfigurations",
        kind="MutatingWebhookConfiguration",
        strategy=MutatingWebhookStrategy(),
        namespaced=False,
        categories=("api-extensions",),
    ),
    Resource(
        group="coordination.k8s.io", version="v1", plural="leases", kind="Lease", strategy=LeaseStrategy()
    ),
    Resource(
        group="discovery.k8s.io",
        version="v1",
        plural="endpointslices",
        kind="EndpointSlice",
        strategy=Strategy(),
    ),
    SERVICE_CIDRS,
    EIP_CLAIMS,
    EIP_POOLS,
    VPC_IP_CLAIMS,
    VPC_IPS,
    NODE_ENI_CONFIGS,
)


class ResourceTable:
    """Look-up in what is served. Immutable."""

    def __init__(self, resources: Iterable[Resource] = BUILT_IN) -> None:
        """Serve these resources."""
        self.all = tuple(resources)
        self._by_path = {(item.group, item.version, item.plural): item for item in self.all}
        self._by_kind = {(item.api_version, item.kind): item for item in self.all}

    def at(self, group: str, version: str, plural: str) -> Resource | None:
        """Find by what a path says."""
        return self._by_path.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """Find by what an object or an owner reference says."""
        return self._by_kind.get((api_version, kind))

    def groups(self) -> dict[str, list[str]]:
        """Return the versions of each group, in the order of the table."""
        found: dict[str, list[str]] = {}
        for item in self.all:
            versions = found.setdefault(item.group, [])
            if item.version not in versions:
                versions.append(item.version)
        return found
