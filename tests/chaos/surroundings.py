"""The region, cluster and users around the daemons under test: a simulator in a process of its own.

Everything here is the far side: Pods and Nodes are written as users and kubelets write them, faults are set
where they happen in life, and what is true in the cloud is read from its operator's side, where no fault is.
Thread safety: any thread may call any method, after `start`.
"""

import collections
import json
from typing import Any

import urllib3

from ipamd.cloud import endpoints
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.kubernetes.capacity import DIRECT_ENI_RESOURCE, EIP_RESOURCE, ENI_IP_RESOURCE
from ipamd.core.model import EipOrder
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS, VPCIPCLAIMS, VPCIPS
from testbed.bed import Bed
from testbed.http_json import HttpError
from tests.controller.replica import KEYS
from tests.testkit.eventually import comes_about

INSTANCE = {"instance_type": "S5.16XLARGE256", "public_ip": True}
"""64 vCPUs: seven ENIs for Pods, and nine Pods with EIP."""
PODS_WITH_EIP = 9
USERS_EIPS = 6
"""EIPs that a person bought before, for Pods to choose from."""
TEAM = {"team": "a"}
REGION = {
    "instances": [INSTANCE, INSTANCE],
    "vpc": {"subnets": [{"cidr": "10.0.0.0/20"}]},
    "quotas": {"total_eips": 200, "daily_eip_applications": 1_000_000},
    "latencies": {"scale": 0.05},
    "rate_limits": {"enabled": False},
}
BOUND = ("BIND", "BIND_ENI")


class Surroundings:
    """A region with its Kubernetes API, and its users' and operator's hands."""

    def __init__(self, directory, config=None):
        self._bed = Bed(directory)
        self._http = urllib3.PoolManager(maxsize=16, retries=False)
        try:
            self._bed.start_region({**REGION, **(config or {})})
        except BaseException:
            self._bed.close()
            raise
        self.region = self._bed.region
        self.url = self._bed.endpoints.kube
        self.cloud_url = self._bed.endpoints.cloud
        self._admin = self._bed.endpoints.admin
        self.users_eips = self._buy_eips(USERS_EIPS)

    @property
    def kube(self):
        """Where controllers find the API server."""
        return self

    @property
    def internet(self):
        """The network namespace of the internet's hosts, and the first of them."""
        return self._bed.internet_netns, self._bed.internet_hosts[0]

    def close(self):
        self._http.clear()
        self._bed.close()

    def _buy_eips(self, count):
        """Order EIPs as a person does in the console; return their ids when they can be used."""
        with TencentCloud(
            region=self.region["region"], credentials=KEYS, endpoints=endpoints.parse(self.cloud_url)
        ) as cloud:
            orders = [cloud.allocate_eip(EipOrder(), TEAM, f"by-hand-{number}") for number in range(count)]
        ids = [order.eip_id for order in orders]
        usable = lambda: [e["AddressId"] for e in self.state()["eips"] if e["AddressStatus"] == "UNBIND"]  # noqa: E731
        if not comes_about(lambda: set(ids) <= set(usable()), 10.0):
            raise AssertionError(f"the EIPs {ids} did not come: {self.state()['eips']}")
        return ids

    # ---- users, kubelets, node controller

    def create_pod(self, name, node, kind):
        network = DIRECT_ENI_RESOURCE if kind.has_own_eni else ENI_IP_RESOURCE
        resources = {network: "1", **({EIP_RESOURCE: "1"} if kind.wants_eip else {})}
        container = {"name": "m", "image": "x", "resources": {"requests": resources, "limits": resources}}
        metadata = {"name": name, "namespace": "default", "annotations": kind.annotations(self.users_eips)}
        pod = {"metadata": metadata, "spec": {"nodeName": node, "containers": [container]}}
        return self.ask("POST", PODS.path("default"), pod)

    def pod(self, name):
        return self.ask("GET", PODS.path("default", name))

    def delete_pod(self, name, *, now, uid):
        """Delete this very Pod; one that is gone, or another of the name, is left to itself."""
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        if now:
            options["gracePeriodSeconds"] = 0
        try:
            self.ask("DELETE", PODS.path("default", name), options)
        except HttpError as e:
            if e.status not in (404, 409):
                raise

    def pod_runs(self, name, ip, uid):
        """Write what a kubelet reports; nothing for a Pod that is gone, or another of its name (422)."""
        status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}
        try:
            body = {"metadata": {"uid": uid}, "status": status}
            self.ask("PATCH", PODS.path("default", name, "status"), body)
        except HttpError as e:
            if e.status not in (404, 409, 422):
                raise

    def claims(self):
        """All EIPClaims by name."""
        listed = self.ask("GET", EIPCLAIMS.path("default"))["items"]
        return {claim["metadata"]["name"]: claim for claim in listed}

    def delete_claim(self, name):
        try:
            self.ask("DELETE", EIPCLAIMS.path("default", name))
        except HttpError as e:
            if e.status != 404:
                raise

    def vpc_ip_claims(self):
        """All VpcIPClaims by name."""
        listed = self.ask("GET", VPCIPCLAIMS.path("default"))["items"]
        return {claim["metadata"]["name"]: claim for claim in listed}

    def vpc_ips(self):
        """The book of fixed addresses."""
        return [line["metadata"]["name"] for line in self.ask("GET", VPCIPS.path(""))["items"]]

    def vpc_ip(self, ip):
        """The line of the book about an address, None for none."""
        lines = self.ask("GET", VPCIPS.path(""))["items"]
        return next((line for line in lines if line["metadata"]["name"] == ip), None)

    def delete_vpc_ip_claim(self, name):
        try:
            self.ask("DELETE", VPCIPCLAIMS.path("default", name))
        except HttpError as e:
            if e.status != 404:
                raise

    def delete_by_hand(self, resource, namespace, name, uid):
        """Delete this very object, as `kubectl delete --wait=false` does; nothing for one that is gone."""
        try:
            self.ask("DELETE", resource.path(namespace, name), {"preconditions": {"uid": uid}})
        except HttpError as e:
            if e.status not in (404, 409):
                raise

    def remove_node(self, node):
        """Take a CVM and its Node object away for good."""
        self.operate("DELETE", f"/instances/{node.instance_id}")
        self.ask("DELETE", NODES.path("", node.name))

    def boot_node(self):
        """Boot another CVM; return its description."""
        return self.operate("POST", "/instances", INSTANCE)

    # ---- the operator of the region

    def state(self):
        """What is true in the cloud."""
        return self.operate("GET", "/state")

    def writes(self):
        """What the cloud was asked to change, oldest first, refused or not."""
        return self.operate("GET", "/audit")["writes"]

    def add_faults(self, faults):
        """Put faults of the cloud in force; return their numbers."""
        return self.operate("POST", "/faults", {"add": list(faults)})["added"] if faults else []

    def remove_faults(self, numbers):
        self.operate("POST", "/faults", {"remove": list(numbers)})

    def add_kube_fault(self, fault):
        return self.operate("POST", "/kube/faults", fault)["id"]

    def remove_kube_fault(self, number):
        self.operate("DELETE", f"/kube/faults/{number}")

    def disturb_watches(self, how):
        return self.operate("POST", "/kube/watches", {"do": how})["watches"]

    def set_clock_error(self, seconds):
        self.operate("POST", "/clock", {"error": seconds})

    def expire_keys(self):
        return self.operate("POST", "/keys", {"expire": "IPAMDofTKE_QCSRole"})["expired"]

    def faults_injected(self):
        """Count what faults have done so far, by kind."""
        injected: collections.Counter[str] = collections.Counter()
        for name, count in self.operate("POST", "/faults", {})["injected"].items():
            injected[f"cloud {name.partition(':')[0]}"] += count
        for name, count in self.operate("GET", "/kube")["faults"]["hits"].items():
            injected[f"API server {name}"] += count
        return injected

    def count_requests_anew(self):
        self.operate("DELETE", "/kube/traffic")

    def requests(self, user_agent):
        """What a client has asked of the API server, how often each, and how much in its busiest second."""
        traffic = self.operate("GET", "/kube")["traffic"]
        asked: collections.Counter[str] = collections.Counter()
        for request in traffic["requests"]:
            if user_agent in request["userAgent"]:
                asked[f"{request['verb']} {request['resource']}"] += request["count"]
        busiest = [count for agent, count in traffic["busiestSecond"].items() if user_agent in agent]
        return asked, max(busiest, default=0)

    # ---- on the wire

    def ask(self, method, path, body=None):
        """Ask the API server; HttpError unless it is content."""
        return self._call(method, self.url, path, body)

    def operate(self, method, path, body=None):
        """Ask the region's admin API."""
        return self._call(method, self._admin, path, body)

    def _call(self, method, url, path, body):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        response = self._http.request(
            method,
            url + path,
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": kind},
            timeout=30.0,
        )
        answer = json.loads(response.data) if response.data else None
        if not 200 <= response.status < 300:
            raise HttpError(method, path, response.status, answer)
        return answer
