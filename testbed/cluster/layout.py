"""Addresses, names and times that the parts of the cluster share. Pure constants and values."""

from collections.abc import Sequence
from dataclasses import dataclass

from testbed.cluster.parts import Parts

API_PORT = 6443
REGISTRY_PORT = 5000
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
"""The first address of the service range is the Service `kubernetes`."""
CLUSTER_DNS = "10.96.0.10"
"""Nobody answers there unless the cluster has CoreDNS (`Parts.dns`)."""

CONFIGURATION = "/etc/kubernetes"
"""Folder on each machine."""

NODE_MONITOR_GRACE = "12s"
"""After this without a word of its kubelet a Node is not ready; Kubernetes' own default is 50 s."""
NODE_LEASE_SECONDS = 8
NOT_READY_TOLERATION_SECONDS = 5
"""After this on a Node that is not ready a Pod is evicted; Kubernetes' own default is 300 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cvm:
    """A CVM of the region, as the ready file of the simulator has it."""

    name: str
    instance_id: str
    instance_type: str
    zone: str
    private_ip: str
    public_ip: str
    netns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a worker has to know of its surroundings."""

    server: str
    """URL of the API server in the VPC."""
    registry: str
    """HOST:PORT that every image comes from."""
    vpc_cidrs: Sequence[str]
    parts: Parts
