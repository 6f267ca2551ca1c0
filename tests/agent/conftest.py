"""A node with a real agent process in a simulated region, and the tests in the place of the controller.

There is no controller, so that a test decides when a claim exists, has its EIP, moves or goes away. Times are
short: addresses cool 1 s and are held 5 s, repair and look at the cloud run every second.
"""

import contextlib
import json
import subprocess
import time
from pathlib import Path

import grpc
import pytest

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, StaticCredentials
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model, tags
from ipamd.core.claim import eipclaim as eipclaims
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.timing.deadline import Deadline
from ipamd.rpc import cni_pb2, cni_pb2_grpc
from testbed.bed import LAUNCHER, NETWORK, Bed
from testbed.http_json import HttpError, JsonEndpoint

OPTIONS = [
    "--ip-cooldown=1s",
    "--ip-hold=5s",
    "--retained-ip-hold=5s",
    "--repair-interval=1s",
    "--cloud-check-interval=1s",
    "--status-patience=2s",
    "--add-timeout=6s",
    "--log-level=debug",
]
REGION = {
    # 64 vCPUs: room for nine Pods with EIP.
    "instances": [{"instance_type": "S5.16XLARGE256", "public_ip": True}],
    "quotas": {"total_eips": 100, "daily_eip_applications": 200},
}
CLAIMS = "/apis/networking.tke.cloud.tencent.com/v1/namespaces/default/eipclaims"


class AgentBed(Bed):
    """A bed whose agent can be asked by gRPC and whose claims are made by hand."""

    kube = None
    cloud = None
    forks = True
    launcher: tuple[str, ...] = LAUNCHER

    def begin(self, *options, region=None, warm=3):
        self.options = [*OPTIONS, *options]
        self.begin_region(region)
        self.start_again(warm=warm)
        return self

    def begin_region(self, region=None):
        """Start all but the agent."""
        self.start_region({**REGION, **(region or {})})
        self.kube = JsonEndpoint(self.endpoints.kube)
        self.cloud = TencentCloud(
            region=self.region["region"],
            credentials=StaticCredentials(
                Credential(secret_id=self.endpoints.secret_id, secret_key=self.endpoints.secret_key)
            ),
            endpoints=endpoints.parse(self.endpoints.cloud),
        )

    def start_again(self, *, warm=3):
        self.start_agent(options=self.options, launcher=self.launcher)
        self.wait_until_ready(warm=warm)

    def close(self):
        for client in (self.kube, self.cloud):
            if client is not None:
                client.close()
        super().close()

    def call(self, verb, sandbox=None, *, timeout=15.0, conf=None, **environment):
        """Ask the agent as the plugin does; return exit code and decoded answer."""
        variables = self.runtime._cni_environment(verb.upper(), sandbox) if sandbox else {}
        variables |= {"CNI_COMMAND": verb.upper(), **environment}
        request = cni_pb2.CniRequest(
            environment=[f"{name}={value}".encode() for name, value in variables.items()],
            stdin=json.dumps({**NETWORK, "cniVersion": "1.1.0", **(conf or {})}).encode(),
        )
        with grpc.insecure_channel(f"unix:{self.socket}") as channel:
            stub = cni_pb2_grpc.CniStub(channel)
            reply = getattr(stub, verb.capitalize())(request, timeout=timeout)
        return reply.exit_code, json.loads(reply.stdout) if reply.stdout else {}

    def pod_and_sandbox(self, name, **kwargs):
        pod = self.workloads.create_pod(name, node=self.node.name, **kwargs)
        return pod, self.runtime.new_sandbox(pod=pod)

    @property
    def store(self):
        return self._run_directory / "state" / "ipamd.db"

    def pods(self):
        return {entry["name"]: entry for entry in self.ctl("pods")["pods"]}

    def pool(self):
        return self.status()["pool"]

    def on_node(self, *command):
        argv = ["ip", "netns", "exec", self.node.netns, *command]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

    def traces(self, ip):
        """Everything of an address that the node's kernel has."""
        lines = [
            *self.on_node("ip", "route").splitlines(),
            *self.on_node("nft", "list", "table", "ip", "tke_eni").splitlines(),
        ]
        return [line for line in lines if f"{ip} " in line + " " or f"{ip}," in line]

    def cloud_calls(self):
        """Calls that change something or wait for a change, by action: what ADD must not need."""
        calls = self.admin.get("/audit")["calls"]
        return {action: count for action, count in calls.items() if not action.startswith("DescribeSubnets")}

    def eip(self, eip_id):
        return self.cloud.describe_eip(eip_id)

    @contextlib.contextmanager
    def without_cloud(self):
        """Let every call of the cloud fail."""
        self.admin.post("/faults", {"add": [{"kind": "http_500", "action": "*", "count": None}]})
        try:
            yield
        finally:
            self.admin.post("/faults", {"clear": True})

    def log(self):
        return self.agent.log.read_text()

    def eventually(self, what, done, seconds=15.0):
        self.wait_until(what, done, seconds=seconds)

    def pool_at_rest(self):
        """Wait until the pool has what it wants, and no ENI for a single Pod is being created.

        An ENI has addresses for Pods before the cloud says that its creation is over; whoever detaches it
        between the two lets the agent wait for the end of that.
        """

        def is_at_rest():
            status = self.status()
            return not status["pool"]["activity"] and "created" not in status["exclusiveEnis"]["activity"]

        self.eventually("the pools are at rest", is_at_rest, seconds=40)

    def detach_eni(self, eni_id):
        """Detach it as somebody at the console does, who repeats it while the cloud is at work on the ENI."""
        deadline = Deadline.after(20.0, time.monotonic)

        def is_accepted():
            try:
                self.cloud.detach_eni(eni_id, self.node.instance_id, deadline)
            except CloudError as e:
                if not e.code.startswith("UnsupportedOperation"):
                    raise
                return False
            return True

        self.eventually("the detach is accepted", is_accepted)

    # ---- in the place of the controller

    def allocate(self, uid="claim-uid", cluster="cls-demo"):
        order = model.EipOrder()
        eip_id = self.cloud.allocate_eip(order, tags.of_claim(cluster, uid), f"{uid}-{time.time_ns()}").eip_id
        self.eventually(
            f"{eip_id} is there",
            lambda: (eip := self.eip(eip_id)) is not None and eip.status is model.EipStatus.UNBIND,
        )
        return self.eip(eip_id)

    def claim(self, pod, *, retained=False, eip=None):
        """Create the claim of a Pod; with an EIP it is provisioned and serves this Pod."""
        metadata = pod["metadata"]
        self.kube.post(
            CLAIMS,
            {
                "apiVersion": eipclaims.API_VERSION,
                "kind": eipclaims.KIND,
                "metadata": {
                    "name": metadata["name"],
                    "namespace": "default",
                    "labels": {eipclaims.NODE_LABEL: self.node.name},
                    "finalizers": [eipclaims.FINALIZER],
                },
                "spec": {
                    "attributes": {
                        "bandwidthMbps": 100,
                        "isp": "BGP",
                        "chargeType": "TRAFFIC_POSTPAID_BY_HOUR",
                    },
                    "deletePolicy": "Never" if retained else "Delete",
                },
            },
        )
        self.serve(pod, eip)

    def serve(self, pod, eip=None):
        """Let the claim serve this Pod, and have this EIP if one is given."""
        status = {"pod": {"uid": pod["metadata"]["uid"], "node": self.node.name}}
        if eip is not None:
            status["address"] = {"id": eip.eip_id, "ip": eip.public_ip, "owned": True}
        self.status_of(pod, status)

    def status_of(self, pod, status):
        self.kube.merge_patch(f"{CLAIMS}/{pod['metadata']['name']}/status", {"status": status})

    def read_claim(self, name):
        try:
            return eipclaims.read(self.kube.get(f"{CLAIMS}/{name}"))
        except HttpError as e:
            if e.status == 404:
                return None
            raise

    def label(self, name, node):
        self.kube.merge_patch(f"{CLAIMS}/{name}", {"metadata": {"labels": {eipclaims.NODE_LABEL: node}}})

    def delete_claim(self, name):
        self.kube.delete(f"{CLAIMS}/{name}")

    def let_claim_go(self, name):
        self.kube.merge_patch(f"{CLAIMS}/{name}", {"metadata": {"finalizers": None}})

    def pod_with_eip(self, name, *, retained=False):
        """A Pod whose claim has an EIP: everything that ADD needs is there."""
        pod, sandbox = self.pod_and_sandbox(name, annotations=eip_annotations(retained), eip=True)
        eip = self.allocate(name)
        self.claim(pod, retained=retained, eip=eip)
        return pod, sandbox, eip


def eip_annotations(retained=False):
    policy = {"eip-claim-delete-policy": "Never"} if retained else {}
    return {"eip-attributes": "", **policy}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with AgentBed(tmp_path_factory.mktemp("agent")) as bed:
        yield bed.begin()


@pytest.fixture
def own_node(tmp_path: Path, request):
    """A node that one test may do anything to; to be begun by the test."""
    with AgentBed(tmp_path) as bed:
        bed.forks = request.node.get_closest_marker("executed") is None
        yield bed
