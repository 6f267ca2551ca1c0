"""A controller in this process, with connections of its own, as a process has them."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, Credentials, StaticCredentials
from ipamd.cloud.session import SessionPolicy
from ipamd.cloud.tencent import TencentCloud
from ipamd.cloud.throttling import Limiter
from ipamd.controller.leader import Leader
from ipamd.controller.options import ControllerSettings
from ipamd.controller.tempo import ReplicaPace
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.eip.masquerade import MasqueradeMode
from ipamd.core.kubernetes.node_taint import TaintMode
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.gate import RequestGate
from ipamd.kube.leases import Election, LeaseTiming
from ipamd.kube.watch import WatchPace

CLUSTER = "cls-test"
BRISK_LEASE = LeaseTiming(duration=3.0, renew_within=2.0, retry=0.1)
BRISK_WATCH = WatchPace(healthy=0.05, backoff=Backoff(first=0.05, longest=0.2))
KEYS = StaticCredentials(Credential(secret_id="AKIDdemo", secret_key="demo-secret-key"))


class HasUrl(Protocol):
    @property
    def url(self) -> str: ...


class Surroundings(Protocol):
    """Where a controller finds cluster and cloud."""

    @property
    def kube(self) -> HasUrl: ...

    @property
    def cloud_url(self) -> str: ...


class Replica:
    """One controller with connections of its own, as a process has them."""

    def __init__(
        self,
        world: Surroundings,
        name: str,
        *,
        cluster_id: str = CLUSTER,
        workers: int = 4,
        lease_namespace: str = "kube-system",
        rules: ClusterRules | None = None,
        egress_check_interval: float = 600.0,
        ip_masq_agent_config: MasqueradeMode = MasqueradeMode.OFF,
        node_taint: TaintMode = TaintMode.REMOVE,
        credentials: Credentials = KEYS,
        authorization: Callable[[], str] = str,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
        kube_rate: int = 1000,
        **settings_changes: Any,
    ):
        self.name = name
        connection = Connection(server=world.kube.url, authorization=authorization)
        self.clients = [
            KubeClient(
                connection,
                component=name,
                timeout=5.0,
                gate=RequestGate(rate=rate, burst=rate),
                connections=workers + 8,
            )
            for rate in (kube_rate, 1000)
        ]
        conduct = SessionPolicy(backoff=Backoff(first=0.02, longest=0.1), call_seconds=2.0)
        self.cloud = TencentCloud(
            region="ap-guangzhou",
            credentials=credentials,
            endpoints=endpoints.parse(world.cloud_url),
            conduct=conduct,
            limiter=Limiter(clock=conduct.clock, share=1.0),
        )
        settings = ControllerSettings(
            cluster_id=cluster_id,
            region="ap-guangzhou",
            kubeconfig="",
            master="",
            metadata_url="",
            cloud_endpoint="",
            namespace="kube-system",
            lease_namespace=lease_namespace,
            lease_name="tke-eni-ipamd",
            identity=name,
            lease_timing=BRISK_LEASE,
            rules=rules or ClusterRules(),
            workers=workers,
            resync=600.0,
            egress_check_interval=egress_check_interval,
            ip_masq_agent_config=ip_masq_agent_config,
            node_taint=node_taint,
            kube_qps=1000.0,
            kube_burst=1000,
            health_address=None,
            metrics_address=None,
            status_address=None,
            log_level="debug",
            log_format="text",
            **settings_changes,
        )
        self.election = Election(
            self.clients[1],
            namespace=lease_namespace,
            name="tke-eni-ipamd",
            identity=name,
            timing=BRISK_LEASE,
        )
        self.leader = Leader(
            settings,
            client=self.clients[0],
            cloud=self.cloud,
            election=self.election,
            tempo=ReplicaPace(
                pace=BRISK_WATCH, backoff=Backoff(first=0.1, longest=1.0), clock=clock, steady=steady
            ),
        )

    def start(self) -> None:
        self.leader.start_watching()
        assert self.leader.cluster.wait_synced(10)
        self.leader.stand_for_election()

    def stop(self) -> None:
        self.leader.stop()
        for client in self.clients:
            client.close()
        self.cloud.close()
