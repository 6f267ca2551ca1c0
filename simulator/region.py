"""A whole region on this machine, put together: data plane, cloud API, metadata service, Kubernetes API.

Each server listens twice: on loopback of this process's own namespace for clients outside, and at a
link-local address of the VPC router for CVMs. Without a fabric there is loopback only, and the metadata
service takes every client for the first instance. The parts do not know each other; they meet here. `close`
ends everything in reverse order.
"""

import contextlib
import os
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from simulator import source_echo
from simulator.cloud import CloudRegion, CloudServer, InstanceOrder, RegionConfig, loopback_socket
from simulator.cloud.state.resources import CvmInstance
from simulator.cloud.state.world import World
from simulator.fabric.api import Fabric, NullFabric
from simulator.fabric.vpc import VpcFabric
from simulator.kube import KubeServer, Store
from simulator.kube.resources import NODES
from simulator.metadata import MetadataServer

METADATA = ("169.254.0.23", 80)
CLOUD = ("169.254.0.95", 80)
KUBE = ("169.254.128.1", 6443)
SOURCE_ECHO_PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Loopback ports; 0 is any free one."""

    cloud: int = 0
    kube: int = 0


class SimulatedRegion:
    """Everything that `python -m simulator` runs but the admin API; methods may be called from any thread.

    Invariant: whatever was started is on the exit stack, so that a failing start leaves nothing behind.
    """

    def __init__(
        self, config: RegionConfig, *, packets: bool = True, ports: Ports | None = None, seed: int = 0
    ) -> None:
        """Start the region; `packets` makes the fabric, which needs root. `seed` is for injected faults."""
        self.config = config
        ports = ports or Ports()
        with contextlib.ExitStack() as stack:
            self.vpc = self._enter_fabric(stack) if packets else None
            self.fabric: Fabric = self.vpc or NullFabric()
            self.cloud = stack.enter_context(CloudRegion(config, self.fabric, fault_seed=seed))
            self.kube = stack.enter_context(KubeServer(Store(), self._sockets(ports.kube, KUBE)))
            self.cloud_server = stack.enter_context(
                CloudServer(self.cloud, self._sockets(ports.cloud, CLOUD))
            )
            self.metadata = stack.enter_context(self._metadata_server())
            for description in self.cloud.read(self._instances):
                self._register_node(description)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End everything; safe to repeat."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def create_instance(self, order: InstanceOrder) -> dict[str, Any]:
        """Boot a CVM and register its Node, named by its private address as in TKE; give its description."""
        instance = self.cloud.create_instance(order)
        description = self.cloud.read(lambda world: self._instance(world, instance))
        self._register_node(description)
        return description

    def describe(self) -> dict[str, Any]:
        """Say where everything is; the document of the ready file (see simulator/README.md)."""
        user = self.config.account.users[0]
        return {
            "pid": os.getpid(),
            "region": self.config.region,
            "vpc_id": self.config.vpc.vpc_id,
            "vpc_cidrs": [self.config.vpc.cidr, *self.config.vpc.assistant_cidrs],
            "cloud": f"http://{self.cloud_server.endpoint}",
            "kube": self.kube.url,
            "metadata": "" if self.vpc else f"http://{self.metadata.endpoint}",
            "fabric": self._describe_fabric(),
            "internet": self._describe_internet(),
            "credentials": {"secret_id": user.secret_id, "secret_key": user.secret_key},
            "instances": self.cloud.read(self._instances),
            "initial_eips": self.cloud.read(lambda world: list(world.addresses)),
        }

    def _register_node(self, instance: dict[str, Any]) -> None:
        self.kube.registry.create(NODES, "", _node(instance))

    def _instances(self, world: World) -> list[dict[str, Any]]:
        return [self._instance(world, instance) for instance in world.instances.values()]

    def _instance(self, world: World, instance: CvmInstance) -> dict[str, Any]:
        primary = next(eni for eni in world.enis_of(instance.instance_id) if eni.primary)
        public = world.address_of(primary.eni_id, primary.primary_ip)
        return {
            "instance_id": instance.instance_id,
            "instance_type": instance.instance_type,
            "cpu": world.types[instance.instance_type].cpu,
            "memory_gib": world.types[instance.instance_type].memory_gib,
            "zone": instance.zone,
            "node_name": primary.primary_ip,
            "private_ip": primary.primary_ip,
            "public_ip": public.ip if public else "",
            "netns": self.fabric.netns_of(instance.instance_id),
        }

    def _describe_fabric(self) -> dict[str, str] | None:
        if self.vpc is None:
            return None
        return {
            "cloud": _url(CLOUD),
            "kube": _url(KUBE),
            "metadata": _url(METADATA),
            "router_netns": self.vpc.router_netns,
        }

    def _describe_internet(self) -> dict[str, Any] | None:
        if self.vpc is None:
            return None
        hosts = list(self.vpc.internet_hosts)
        return {
            "netns": self.vpc.internet_netns,
            "hosts": hosts,
            "source_echo": [_url((host, SOURCE_ECHO_PORT)) for host in hosts],
        }

    def _enter_fabric(self, stack: contextlib.ExitStack) -> VpcFabric:
        vpc = VpcFabric(vpc_cidrs=[self.config.vpc.cidr, *self.config.vpc.assistant_cidrs])
        stack.enter_context(vpc)
        listener = vpc.internet_socket(SOURCE_ECHO_PORT)
        stack.enter_context(source_echo.SourceEchoServer([listener]))
        return vpc

    def _sockets(self, port: int, service: tuple[str, int]) -> list[socket.socket]:
        sockets = [loopback_socket(port)]
        if self.vpc is not None:
            sockets.append(self.vpc.service_socket(*service))
        return sockets

    def _metadata_server(self) -> MetadataServer:
        if self.vpc is not None:
            return MetadataServer(self.cloud, [self.vpc.service_socket(*METADATA)])
        first = next(iter(self.cloud.read(lambda world: list(world.instances))), "")
        return MetadataServer(self.cloud, [loopback_socket()], first)


def _url(address: tuple[str, int]) -> str:
    host, port = address
    return f"http://{host}" if port == 80 else f"http://{host}:{port}"


def _node(instance: dict[str, Any]) -> dict[str, Any]:
    """Give the Node object as its kubelet would have written it."""
    resources = {"cpu": str(instance["cpu"]), "memory": f"{instance['memory_gib']}Gi", "pods": "256"}
    return {
        "metadata": {
            "name": instance["node_name"],
            "labels": {
                "kubernetes.io/hostname": instance["node_name"],
                "node.kubernetes.io/instance-type": instance["instance_type"],
                "topology.kubernetes.io/zone": instance["zone"],
            },
        },
        "status": {
            "capacity": resources,
            "addresses": [{"type": "InternalIP", "address": instance["private_ip"]}],
        },
    }
