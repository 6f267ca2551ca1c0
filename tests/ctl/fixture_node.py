"""A node of which everything is known: a real gRPC server with the agent's answers, for the real ipamctl."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path

import grpc

from ipamd.rpc import diagnosis_pb2 as found
from ipamd.rpc import diagnosis_pb2_grpc, introspection_pb2_grpc, maintenance_pb2_grpc
from ipamd.rpc import introspection_pb2 as shown
from ipamd.rpc import maintenance_pb2 as upkeep

NOW = int(time.time())
STARTED = NOW - 7 * 86400 - 1800
ERROR = (
    "UnauthorizedOperation.CamNoAuth: no permission for AssociateAddress (request 7f1c); attach the policy "
    "QcloudAccessForIPAMDRoleInQcloudAllocateEIP to the role of the node, "
    "https://cloud.tencent.com/document/product/457/64886; again in 40 s"
)


EVENTS = [
    found.PodEventEntry(
        pod="default/web-0", at_unix=NOW - 130, step="seen", text="scheduled to 10.0.1.2", count=1
    ),
    found.PodEventEntry(
        pod="default/web-0",
        at_unix=NOW - 128,
        step="address",
        text="gets 10.0.101.109",
        took_ms=2040,
        count=1,
    ),
    found.PodEventEntry(
        pod="default/web-0",
        at_unix=NOW - 40,
        step="bind",
        text="AssociateAddress was refused (RequestId 7f1c)",
        failed=True,
        request_id="7f1c",
        count=3,
    ),
]


class _Introspection(introspection_pb2_grpc.IntrospectionServicer):
    def GetStatus(self, request, context):  # noqa: N802 - the generated name
        return shown.NodeStatus(
            version="0.1.0",
            node="10.0.1.2",
            instance_id="ins-8x2kq1zp",
            region="ap-guangzhou",
            zone="ap-guangzhou-3",
            vpc_id="vpc-2k1xq7zn",
            subnet_id="subnet-9f3kq1ab",
            started_at_unix=STARTED,
            problems=["the subnet subnet-9f3kq1ab has no free address; add one to --pod-subnets"],
            notices=["the ranges of the cluster's Services are not known; give --service-cidrs"],
            pool=shown.Pool(min_warm=5, max_warm=5, total=8, in_use=3, warm=5, limit=27),
            capacity={"direct-eni": 19, "eip": 2, "eni-ip": 27},
            exclusive_enis=shown.Pool(min_warm=1, max_warm=1, total=2, in_use=1, warm=1, limit=19),
            components=[
                shown.ComponentStatus(name="api-server", state="ok", last_good_unix=NOW - 2),
                shown.ComponentStatus(
                    name="cloud",
                    state="trouble",
                    last_good_unix=NOW - 95,
                    troubles=["the look at the cloud failed: timed out; again in 40 s"],
                ),
                shown.ComponentStatus(name="metadata", state="waiting"),
                shown.ComponentStatus(
                    name="pool",
                    state="trouble",
                    detail="3 of 27 addresses in use, 5 free",
                    troubles=["the subnet subnet-9f3kq1ab has no free address; add one to --pod-subnets"],
                ),
                shown.ComponentStatus(name="eips", state="ok", detail="1 of 2 in use"),
            ],
            addresses=[
                shown.AddressEntry(ip="10.0.101.106", eni_id="eni-3f8kq2xz", use="free", since_unix=NOW - 60),
                shown.AddressEntry(
                    ip="10.0.101.109",
                    eni_id="eni-3f8kq2xz",
                    use="held",
                    pod="default/web-0",
                    until_unix=NOW + 3000,
                    why="kept for the next Pod of this name",
                ),
            ]
            if request.addresses
            else [],
        )

    def ListPods(self, request, context):  # noqa: N802 - the generated name
        return shown.ListPodsReply(
            pods=[
                shown.PodEntry(
                    namespace="default",
                    name="nginx-deployment-7fb96c846b-x7k2p",
                    private_ip="10.0.101.107",
                    eni_id="eni-3f8kq2xz",
                    host_interface="eni5c1f0a2b3d4",
                    added_at_unix=STARTED + 1800,
                ),
                shown.PodEntry(
                    namespace="kube-system",
                    name="web-1",
                    private_ip="10.0.101.108",
                    eni_id="eni-3f8kq2xz",
                    host_interface="eni0a1b2c3d4e5",
                    eip_id="eip-0wquaw2g",
                    public_ip="119.29.128.201",
                    eip_state="bound",
                    added_at_unix=NOW - 7200 - 330,
                ),
            ]
        )

    def ListEnis(self, request, context):  # noqa: N802 - the generated name
        return shown.ListEnisReply(
            enis=[
                shown.EniEntry(
                    eni_id="eni-3f8kq2xz",
                    interface="eth1",
                    mac="20:90:6f:1a:2b:3c",
                    subnet_id="subnet-9f3kq1ab",
                    state="AVAILABLE",
                    route_table=4003,
                    addresses=8,
                    in_use=3,
                    address_limit=9,
                ),
                shown.EniEntry(
                    eni_id="eni-7c1wd4pn",
                    mac="20:90:6f:4d:5e:6f",
                    subnet_id="subnet-9f3kq1ab",
                    state="AVAILABLE",
                    addresses=1,
                    in_use=1,
                    address_limit=1,
                    exclusive=True,
                    use="pod",
                    pod="default/game-0",
                ),
                shown.EniEntry(
                    eni_id="eni-9v5zt8ru",
                    interface="tke20906f7a8b9c",
                    mac="20:90:6f:7a:8b:9c",
                    subnet_id="subnet-9f3kq1ab",
                    state="AVAILABLE",
                    addresses=1,
                    address_limit=1,
                    exclusive=True,
                    use="free",
                ),
            ]
        )

    def ListEips(self, request, context):  # noqa: N802 - the generated name
        return shown.ListEipsReply(
            eips=[
                shown.EipEntry(namespace="default", name="web-0", state="unbound", last_error=ERROR),
                shown.EipEntry(
                    eip_id="eip-0wquaw2g",
                    public_ip="119.29.128.201",
                    private_ip="10.0.101.108",
                    namespace="kube-system",
                    name="web-1",
                    state="bound",
                ),
            ]
        )


class _Maintenance(maintenance_pb2_grpc.MaintenanceServicer):
    def Check(self, request, context):  # noqa: N802 - the generated name
        return upkeep.Findings(pods=2, problems=["Pod kube-system/web-1: its link eni0a1b2c3d4e5 is down"])

    def Repair(self, request, context):  # noqa: N802 - the generated name
        return upkeep.Findings(pods=2)

    def DumpKernel(self, request, context):  # noqa: N802 - the generated name
        context.abort(grpc.StatusCode.INTERNAL, "the kernel refuses a dump of its rules")


class _Diagnosis(diagnosis_pb2_grpc.DiagnosisServicer):
    def Trace(self, request, context):  # noqa: N802 - the generated name
        if request.name != "web-1":
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"no Pod {request.namespace}/{request.name} has an address"
            )
        if request.destination == "nonsense":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "--to is 'nonsense'")
        lost = request.destination == "169.254.0.23"
        return found.TraceReply(
            namespace=request.namespace,
            name=request.name,
            private_ip="10.0.101.108",
            public_ip="119.29.128.201",
            destination=request.destination or "192.0.2.1",
            seen_as="nobody" if lost else "eip",
            seen_address="" if lost else "119.29.128.201",
            verdict="the node drops it" if lost else "the internet sees the Pod's EIP, 119.29.128.201",
            link="" if lost else "eth1",
            gateway="" if lost else "10.0.101.1",
            source="10.0.101.108",
            steps=[
                found.TraceStep(where="nft ip tke_eni prerouting", what="a Pod with EIP"),
                found.TraceStep(where="route", what="table 4003: via 10.0.101.1 dev eth1"),
            ],
            unread=["nft ip nat POSTROUTING: the match set of iptables"],
        )

    def Explain(self, request, context):  # noqa: N802 - the generated name
        if request.name == "web-9":
            context.abort(grpc.StatusCode.NOT_FOUND, "nothing is known of Pod default/web-9 on this node")
        wrong = request.name == "web-0"
        return found.ExplainReply(
            namespace=request.namespace,
            name=request.name,
            uid="9f3k",
            private_ip="10.0.101.109",
            public_ip="119.29.128.202",
            wrong=[f"the EIP is not bound: {ERROR}"] if wrong else [],
            next="the agent binds the EIP to its address" if wrong else "nothing: all is done",
            events=EVENTS,
            sights=[
                found.Sight(side="kernel", what="wiring", text="all is as ADD made it", ok=True),
                found.Sight(side="cloud", what="EIP eip-8leo2iri", text="is UNBIND", ok=not wrong),
            ],
        )

    def Watch(self, request, context):  # noqa: N802 - the generated name
        yield from (event for event in EVENTS if request.namespace in ("", event.pod.partition("/")[0]))

    def ListClaims(self, request, context):  # noqa: N802 - the generated name
        return found.ListClaimsReply(
            claims=[
                found.ClaimEntry(
                    namespace="default",
                    name="web-0",
                    phase="Failed",
                    eip_id="eip-8leo2iri",
                    public_ip="119.29.128.202",
                    owned=True,
                    condition="Bound=False",
                    reason="BindRefused",
                    message=ERROR,
                    since_unix=NOW - 130,
                ),
                found.ClaimEntry(
                    namespace="kube-system",
                    name="web-1",
                    phase="Bound",
                    eip_id="eip-0wquaw2g",
                    public_ip="119.29.128.201",
                    condition="Ready=True",
                    reason="Bound",
                    since_unix=NOW - 7200 - 330,
                    retained=True,
                ),
            ]
        )

    def ListSettings(self, request, context):  # noqa: N802 - the generated name
        return found.ListSettingsReply(
            settings=[
                found.SettingEntry(flag="--node-name", value="10.0.1.2", source="env", default="$NODE_NAME"),
                found.SettingEntry(flag="--ip-cooldown", value="1m", source="flag", default="30s"),
                found.SettingEntry(flag="--repair-interval", value="10s", source="default", default="10s"),
            ]
        )


class _PoolControl(maintenance_pb2_grpc.PoolControlServicer):
    def Freeze(self, request, context):  # noqa: N802 - the generated name
        return upkeep.FreezeReply(changed=True, frozen=True, since_unix=NOW)

    def Thaw(self, request, context):  # noqa: N802 - the generated name
        return upkeep.FreezeReply(changed=True)

    def Drain(self, request, context):  # noqa: N802 - the generated name
        return upkeep.DrainReply(
            addresses=["10.0.101.106"],
            enis=["eni-8k2xq1zp"],
            obstacles=["10.0.101.108 on eni-3f8kq2xz is used by Pod kube-system/web-1"],
        )


@contextlib.contextmanager
def serving(path: Path, introspection=None, maintenance=None) -> Iterator[Path]:
    """Serve the node on a unix socket."""
    threads = futures.ThreadPoolExecutor(4)
    server = grpc.server(threads)
    introspection_pb2_grpc.add_IntrospectionServicer_to_server(introspection or _Introspection(), server)
    maintenance_pb2_grpc.add_MaintenanceServicer_to_server(maintenance or _Maintenance(), server)
    diagnosis_pb2_grpc.add_DiagnosisServicer_to_server(_Diagnosis(), server)
    maintenance_pb2_grpc.add_PoolControlServicer_to_server(_PoolControl(), server)
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield path
    finally:
        server.stop(0).wait()
        threads.shutdown()


@dataclass(frozen=True)
class Ipamctl:
    """The program as an operator runs it, beside one agent."""

    socket: Path

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ipamd.ctl", "--socket", str(self.socket), *arguments]

    def __call__(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.argv(*arguments),
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start it, with Ctrl-C as in a shell."""
        return subprocess.Popen(
            ["env", "--default-signal=INT", *self.argv(*arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
