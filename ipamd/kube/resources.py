"""Which kinds of objects we speak of with the Kubernetes API, and where each lives.

Only data: a `Resource` names the collection in the URL and the `apiVersion` and `kind` of a body. See
"API concepts" of the Kubernetes documentation for the paths.
"""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind of object; `group` is empty for the core API."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` field of a body."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of the collection, or of one object when `name` is given.

        No namespace means all namespaces, which only a list or watch may ask for.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(quote(part, safe="") for part in parts)

    def title(self, namespace: str = "", name: str = "") -> str:
        """Return how a person names the object: `Pod default/web-0`, `Node 10.0.1.4`, `Pods`."""
        if not name:
            return self.plural
        return f"{self.kind} {namespace}/{name}" if namespace else f"{self.kind} {name}"


PODS = Resource(group="", version="v1", plural="pods", kind="Pod")
NODES = Resource(group="", version="v1", plural="nodes", kind="Node", namespaced=False)
EVENTS = Resource(group="", version="v1", plural="events", kind="Event")
CONFIGMAPS = Resource(group="", version="v1", plural="configmaps", kind="ConfigMap")
NAMESPACES = Resource(group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False)
SERVICES = Resource(group="", version="v1", plural="services", kind="Service")
SECRETS = Resource(group="", version="v1", plural="secrets", kind="Secret")
SERVICE_CIDRS = Resource(
    group="networking.k8s.io", version="v1", plural="servicecidrs", kind="ServiceCIDR", namespaced=False
)
MUTATING_WEBHOOKS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    plural="mutatingwebhookconfigurations",
    kind="MutatingWebhookConfiguration",
    namespaced=False,
)
LEASES = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")
STATEFULSETS = Resource(group="apps", version="v1", plural="statefulsets", kind="StatefulSet")
DEPLOYMENTS = Resource(group="apps", version="v1", plural="deployments", kind="Deployment")
REPLICASETS = Resource(group="apps", version="v1", plural="replicasets", kind="ReplicaSet")
DAEMONSETS = Resource(group="apps", version="v1", plural="daemonsets", kind="DaemonSet")
JOBS = Resource(group="batch", version="v1", plural="jobs", kind="Job")
NODE_ENI_CONFIGS = Resource(
    group="networking.tke.cloud.tencent.com",
    version="v1",
    plural="nodeeniconfigs",
    kind="NodeENIConfig",
    namespaced=False,
)
EIPCLAIMS = Resource(
    group="networking.tke.cloud.tencent.com", version="v1", plural="eipclaims", kind="EIPClaim"
)
EIPPOOLS = Resource(
    group="networking.tke.cloud.tencent.com",
    version="v1",
    plural="eippools",
    kind="EIPPool",
    namespaced=False,
)
VPCIPCLAIMS = Resource(
    group="networking.tke.cloud.tencent.com", version="v1", plural="vpcipclaims", kind="VpcIPClaim"
)
VPCIPS = Resource(
    group="networking.tke.cloud.tencent.com", version="v1", plural="vpcips", kind="VpcIP", namespaced=False
)
