"""A node of the simulated region whose agent runs in this process: started, stopped, killed, rebooted.

The agent is the whole one (`ipamd.agent.agent`), with its sqlite file, its gRPC socket, and its threads in
the node's network namespace; only its patience is that of a test. A thread cannot be killed, so a kill cuts
the agent off first: its store is closed and neither cloud nor API server hears another word of it. What it
had asked for before may still come true, as with a process that died.
"""

import argparse
import contextlib
import itertools
import json
import shutil
import tempfile
import threading
import time
import uuid
from pathlib import Path

import grpc

from cni_plugin import pending
from ipamd.agent import facts as node_facts
from ipamd.agent import live_facts, options
from ipamd.agent.agent import COMPONENT, Agent
from ipamd.cloud import endpoints
from ipamd.cloud.credentials import RoleCredentials
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.session import SessionPolicy
from ipamd.cloud.tencent import TencentCloud
from ipamd.cloud.throttling import Limiter
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.errors import ForbiddenError
from ipamd.kube.gate import RequestGate
from ipamd.net import links
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import DataPlaneConfig
from ipamd.net.netlink import ROUTE, NetlinkSocket
from ipamd.rpc import cni_pb2, cni_pb2_grpc
from ipamd.store import recovery
from simulator.fabric import netns
from testbed.bed import NETWORK

CLUSTER = "cls-test"
MOST_WARM_ENIS = 2
_numbers = itertools.count(1)


class Lifeline:
    """What joins one run of a daemon to the outside; cut, it lets nothing through any more."""

    def __init__(self):
        self._cut = threading.Event()

    def cut(self):
        self._cut.set()

    def pause(self, seconds):
        self._cut.wait(seconds)

    def authorization(self):
        """For the API server."""
        if self._cut.is_set():
            raise ForbiddenError("the process was killed")
        return ""

    def credentials(self, whole):
        """For the cloud."""
        return _CutCredentials(self._cut, whole)


class _CutCredentials:
    def __init__(self, cut, whole):
        self._cut = cut
        self._whole = whole

    def get_credential_info(self):
        if self._cut.is_set():
            raise cloud_error("GetCredential", "ClientNoCredential", "the process was killed")
        return self._whole.get_credential_info()

    def reject(self):
        return not self._cut.is_set() and self._whole.reject()


class AgentNode:
    """One CVM with its agent. Invariant: `agent` is None exactly while none runs."""

    def __init__(self, instance, region, *, add_timeout=8):
        """Take the instance and the region as the ready file describes them."""
        self.name = instance["node_name"]
        self.instance_id = instance["instance_id"]
        self.netns = instance["netns"]
        self._region = region
        self._directory = Path(tempfile.mkdtemp(prefix="tke-chaos-"))
        self.pending = self._directory / "pending"
        self._boot_id = str(uuid.uuid4())
        self._add_timeout = add_timeout
        self.gate = lambda: RequestGate(rate=1000, burst=1000)
        self._stack = contextlib.ExitStack()
        self._lifeline = Lifeline()
        self._dataplanes = []
        self.agent = None
        self.user_agent = ""

    # ---- the daemon's process

    def start(self):
        """Start the agent; return when it serves."""
        netns.run_in(self.netns, self._start)

    def stop(self):
        """End the agent as SIGTERM does."""
        self._stack.close()
        self._end()

    def kill(self):
        """End the agent as SIGKILL does, as far as anybody outside can tell."""
        if self.agent is None:
            return
        self._lifeline.cut()
        self.database.close()
        self.agent.server.stop(0.0)
        self._stack.close()
        self._end()

    def reboot(self):
        """Let the kernel forget everything; there must be no agent and no sandbox."""
        self._boot_id = str(uuid.uuid4())

        def forget():
            dataplane = DataPlane(DataPlaneConfig())
            dataplane.remove_all()
            dataplane.close()

        netns.run_in(self.netns, forget)

    def close(self):
        self.kill()
        for dataplane in self._dataplanes:
            # A request that outlived its agent may have opened the socket again.
            dataplane.close()
        shutil.rmtree(self._directory, ignore_errors=True)  # a node that was lost is closed twice

    def _end(self):
        self._stack = contextlib.ExitStack()
        self.agent = None

    def _start(self):
        self._lifeline = Lifeline()
        settings = self._settings()
        with contextlib.ExitStack() as stack:
            path = settings.state_dir / "ipamd.db"
            opened = recovery.open_store(path, self._boot_id)
            stack.callback(opened.database.close)
            metadata = Metadata(settings.metadata_url)
            asking = node_facts.MetadataRetry(
                metadata=metadata,
                cloud_of=lambda region: self._cloud(metadata, region),
                monotonic=time.monotonic,
                stopping=threading.Event(),
                same_boot=opened.past is recovery.Past.SAME_BOOT,
            )
            gathered = node_facts.gather(asking, opened.database)
            assert gathered is not None
            facts, cloud = gathered
            stack.callback(cloud.close)
            node_facts.remember(facts, opened.database)
            self.user_agent = f"{COMPONENT}-{next(_numbers)}"
            client = KubeClient(
                Connection(server=self._region["fabric"]["kube"], authorization=self._lifeline.authorization),
                component=self.user_agent,
                timeout=5.0,
                gate=self.gate(),
            )
            stack.callback(client.close)
            live = live_facts.build(settings, facts, metadata=metadata, cloud=cloud, database=opened.database)
            agent = Agent(settings, live, opened, cloud=cloud, client=client)
            self._dataplanes.append(agent.dataplane)
            stack.callback(agent.dataplane.close)
            stack.callback(agent.stop)
            agent.start(threading.Event())
            self.database = opened.database
            self._stack = stack.pop_all()
            self.agent = agent

    def _cloud(self, metadata, region):
        # The rates are shared by all nodes of an account; two nodes would use a hundredth of them.
        conduct = SessionPolicy(
            backoff=Backoff(first=0.05, longest=0.5), call_seconds=3.0, sleep=self._lifeline.pause
        )
        whole = RoleCredentials(metadata.credential)
        return TencentCloud(
            region=region,
            credentials=self._lifeline.credentials(whole),
            endpoints=endpoints.parse(self._region["fabric"]["cloud"]),
            conduct=conduct,
            limiter=Limiter(clock=conduct.clock, share=1.0),
        )

    def _settings(self):
        flags = {
            "node-name": self.name,
            "cluster-id": CLUSTER,
            "socket": self.socket,
            "state-dir": self._directory / "state",
            "pending-deletes": self.pending,
            "master": self._region["fabric"]["kube"],
            "metadata-url": self._region["fabric"]["metadata"],
            "cloud-endpoint": self._region["fabric"]["cloud"],
            "ip-min-warm-target": 6,
            "ip-max-warm-target": 12,
            "ip-release-interval": "1s",
            "ip-cooldown": "500ms",
            "ip-hold": "4s",
            "retained-ip-hold": "3s",
            "add-timeout": f"{self._add_timeout}s",
            "repair-interval": "1s",
            "service-cidrs": "172.16.252.0/22",
            "eni-min-warm-target": 1,
            "eni-max-warm-target": MOST_WARM_ENIS,
            "eni-release-interval": "1s",
        }
        parser = argparse.ArgumentParser()
        options.add_arguments(parser)
        return options.settings(
            parser.parse_args(["--direct-eni", *(f"--{k}={v}" for k, v in flags.items())]), {}
        )

    # ---- what the runtime asks of it

    @property
    def socket(self):
        return self._directory / "ipamd.sock"

    @property
    def ledger(self):
        return self.agent.ledger.current

    def call(self, verb, sandbox=None, *, conf=None, timeout=15.0, **environment):
        """Ask the agent as the plugin does; return exit code and decoded answer."""
        request = _request(verb, sandbox, conf, environment)
        # A channel of its own, as a plugin's process has one: without the back-off of earlier failures.
        own = [("grpc.use_local_subchannel_pool", 1)]
        try:
            with grpc.insecure_channel(f"unix:{self.socket}", options=own) as channel:
                stub = cni_pb2_grpc.CniStub(channel)
                reply = getattr(stub, verb.capitalize())(request, timeout=timeout)
        except grpc.RpcError as e:
            return self._without_agent(verb, sandbox, request, e)
        return reply.exit_code, json.loads(reply.stdout) if reply.stdout else {}

    def _without_agent(self, verb, sandbox, request, error):
        """What the plugin does when the agent does not answer: DELs are queued, all else comes again."""
        if verb == "del":
            try:
                with pending.Queue(str(self.pending).encode(), time.monotonic() + 3.0) as queue:
                    queue.add(sandbox.container_id.encode(), b"eth0", request.SerializeToString())
            except pending.QueueError as e:
                return 1, {"code": 11, "msg": e.message}
            return 0, {}
        return 1, {"code": 11, "msg": f"{verb}: {error.code()}"}

    def on_node(self, work):
        """Run a function in the node's namespace."""
        return netns.run_in(self.netns, work)

    def pods_in_kernel(self):
        """The addresses of all Pods of which the kernel has something."""

        def look():
            dataplane = DataPlane(DataPlaneConfig())
            try:
                seen = dataplane.snapshot()
            finally:
                dataplane.close()
            links = {link.name for link in seen.links}
            return links, set(seen.of_pods)

        return self.on_node(look)

    def links_by_mac(self):
        """The links of the node."""
        return self.on_node(links_here)


def links_here():
    """The links of the namespace of the calling thread, by their MAC."""
    with NetlinkSocket(ROUTE) as channel:
        return {link.mac: link for link in links.listed(channel)}


def _request(verb, sandbox, conf, environment):
    variables = {"CNI_COMMAND": verb.upper()}
    if sandbox is not None:
        variables |= sandbox.environment()
    variables |= environment
    return cni_pb2.CniRequest(
        environment=[f"{name}={value}".encode() for name, value in variables.items()],
        stdin=json.dumps({**NETWORK, **(conf or {})}).encode(),
    )
