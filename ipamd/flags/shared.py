"""The flags that both daemons have."""

from dataclasses import dataclass

from ipamd import logs
from ipamd.core import places
from ipamd.flags import checks, kinds
from ipamd.flags.declaration import flag

CLUSTER = "cluster and cloud"
WATCHING = "logs, probes, metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings:
    """What agent and controller are both told."""

    cluster_id: str = flag(
        CLUSTER,
        "--cluster-id",
        kinds.Kind(read=lambda _flag, text: checks.cluster_id(text), metavar="CLUSTER"),
        "id of the cluster (cls-...): goes into the tags of ENIs and EIPs; what has another id is left alone",
        unset="required",
    )
    kubeconfig: str = flag(
        CLUSTER,
        "--kubeconfig",
        kinds.Kind(read=kinds.TEXT.read, metavar="FILE"),
        "how to reach the API server",
        default="",
        unset="the Pod's service account",
        see="errors.md#kubeconfigs",
    )
    master: str = flag(
        CLUSTER,
        "--master",
        kinds.URL,
        "the API server",
        default="",
        unset="that of the kubeconfig or the service account",
    )
    metadata_url: str = flag(
        CLUSTER,
        "--metadata-url",
        kinds.URL,
        "metadata service of the CVM",
        default=places.METADATA_URL,
    )
    cloud_endpoint: str = flag(
        CLUSTER,
        "--cloud-endpoint",
        kinds.TEXT,
        "'internal' for CVMs without a way to the internet, a root domain, or http(s)://host:port",
        default="",
        unset="tencentcloudapi.com",
    )
    health_address: tuple[str, int] | None = flag(
        WATCHING,
        "--health-address",
        kinds.ADDRESS,
        "serve the probes /livez and /readyz there by HTTP",
        default=None,
        unset="not served",
    )
    metrics_address: tuple[str, int] | None = flag(
        WATCHING,
        "--metrics-address",
        kinds.ADDRESS,
        "serve /metrics there for Prometheus",
        default=None,
        unset="not served",
        see="metrics.md",
    )
    status_address: tuple[str, int] | None = flag(
        WATCHING,
        "--status-address",
        kinds.ADDRESS,
        "serve the status page there, for a browser behind kubectl port-forward",
        default=None,
        unset="not served",
        see="status-page.md",
    )
    log_level: str = flag(
        WATCHING, "--log-level", kinds.choice(*logs.LEVELS), "the least level that is logged", default="info"
    )
    log_format: str = flag(
        WATCHING,
        "--log-format",
        kinds.choice(*logs.FORMATS),
        "text for people, json for collectors: one object a line",
        default="text",
    )
