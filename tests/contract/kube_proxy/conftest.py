"""The real kube-proxy on the node of tests/net, fed by the simulated API server."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from ipamd.net.model import DataPlaneConfig
from simulator.kube import KubeServer, Store, listen
from testbed.http_json import JsonEndpoint
from testbed.kubernetes import programs
from tests.net.service_ways import BACKENDS, BALANCER_IP, CLUSTER_IP, PORTS, TARGET_PORT
from tests.net.world import NODE_IP, World
from tests.testkit.eventually import comes_about

NODE = "node-a"
NAMESPACE = "default"


@pytest.fixture
def config() -> DataPlaneConfig:
    return DataPlaneConfig(link_wait=2.0)


@pytest.fixture
def world(config: DataPlaneConfig) -> Iterator[World]:
    """A node with both ENIs ensured."""
    world = World(config)
    try:
        world.ensure()
        yield world
    finally:
        world.close()


@pytest.fixture
def start_kube_proxy(world: World, tmp_path) -> Iterator[Callable[..., None]]:
    """Returns what starts kube-proxy with these fields of its configuration, and waits for its rules."""
    with ExitStack() as stack:

        def start(**fields: Any) -> None:
            inside = world.node.do(listen)
            server = stack.enter_context(KubeServer(Store(), [listen(), inside]))
            with closing(JsonEndpoint(server.url)) as api:
                _publish(api)
            host, port = inside.getsockname()
            stack.enter_context(_running(world, tmp_path, f"http://{host}:{port}", fields))
            assert comes_about(lambda: _is_programmed(world), 30.0), (tmp_path / "log").read_text()

        yield start


@contextmanager
def _running(world: World, directory: Any, server: str, fields: dict[str, Any]) -> Iterator[None]:
    kubeconfig, configuration = directory / "kubeconfig", directory / "kube-proxy.yaml"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "here", "cluster": {"server": server}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "kube-proxy"}}],
                "users": [{"name": "kube-proxy", "user": {}}],
            }
        )
    )
    configuration.write_text(
        json.dumps(
            {
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                "kind": "KubeProxyConfiguration",
                # The simulated API server speaks JSON only.
                "clientConnection": {
                    "kubeconfig": str(kubeconfig),
                    "contentType": "application/json",
                    "acceptContentTypes": "application/json",
                },
                "hostnameOverride": NODE,
                "healthzBindAddress": "127.0.0.1:10256",
                # The table of connections is the whole host's: kube-proxy is not to resize it.
                "conntrack": {
                    "maxPerCore": 0,
                    "min": 0,
                    "tcpEstablishedTimeout": "0s",
                    "tcpCloseWaitTimeout": "0s",
                },
                **fields,
            }
        )
    )
    program = str(programs.locate("kube-proxy"))
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            ["ip", "netns", "exec", world.node.name, program, f"--config={configuration}"],
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(10)


def _publish(api: JsonEndpoint) -> None:
    """Create one Service of each way, with a port for each backend."""
    address = {"type": "InternalIP", "address": NODE_IP}
    api.post("/api/v1/nodes", {"metadata": {"name": NODE}, "status": {"addresses": [address]}})
    services = f"/api/v1/namespaces/{NAMESPACE}/services"
    ports = [
        {"name": _port_name(name), "port": port, "nodePort": port, "targetPort": TARGET_PORT}
        for name, port in PORTS.items()
    ]
    api.post(
        services,
        {
            "metadata": {"name": "web"},
            "spec": {
                "type": "LoadBalancer",
                "clusterIP": CLUSTER_IP,
                "clusterIPs": [CLUSTER_IP],
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "externalTrafficPolicy": "Cluster",
                "internalTrafficPolicy": "Cluster",
                "ports": ports,
            },
        },
    )
    ingress = [{"ip": BALANCER_IP, "ipMode": "VIP"}]
    api.merge_patch(f"{services}/web/status", {"status": {"loadBalancer": {"ingress": ingress}}})
    for name, ip in BACKENDS.items():
        api.post(
            f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices",
            {
                "metadata": {
                    "name": f"web-{_port_name(name)}",
                    "labels": {"kubernetes.io/service-name": "web"},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": [ip], "conditions": {"ready": True, "serving": True}}],
                "ports": [{"name": _port_name(name), "port": TARGET_PORT, "protocol": "TCP"}],
            },
        )


def _port_name(backend: str) -> str:
    return backend.lower().replace(" ", "-")


def _is_programmed(world: World) -> bool:
    """Whether all backends stand in what kube-proxy has written: it writes all of it at once."""
    written = world.node.attempt("nft", "list", "table", "ip", "kube-proxy").stdout
    written += world.node.attempt("iptables-save", "-t", "nat").stdout
    return all(f"{ip}:{TARGET_PORT}" in written for ip in BACKENDS.values())
