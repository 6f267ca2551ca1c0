"""A node with a real agent, and the tests in the place of the controller of VpcIPClaims."""

import itertools

from ipamd.cloud.eni_creation import NODE_TAG
from ipamd.core.claim.eipclaim import NODE_LABEL
from ipamd.core.vpc_ip import vpcipclaim
from testbed.http_json import HttpError
from tests.agent.conftest import AgentBed

VPC_IP_CLAIMS = "/apis/networking.tke.cloud.tencent.com/v1/namespaces/default/vpcipclaims"
NEVER = {"vpc-ip-claim-delete-policy": "Never"}
_HOSTS = itertools.count(200)


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


class FixedBed(AgentBed):
    """Its claims have addresses of the subnet of the node's first ENI, from .200 on."""

    def free_ip(self):
        """An address of the Pods' subnet that nobody has; those that the cloud chooses are lower ones."""
        return self.enis()[0].primary_ip.rpartition(".")[0] + f".{next(_HOSTS)}"

    def enis(self):
        listed = self.cloud.describe_enis(self.node.instance_id)
        return [eni for eni in listed if NODE_TAG in eni.tags]

    def at_eni(self, ip):
        """The entry of an address at an ENI of the node, None when none has it."""
        found = [entry for eni in self.enis() for entry in eni.addresses if entry.ip == ip]
        return found[0] if found else None

    def fixed_pod(self, name, **annotations):
        return self.pod_and_sandbox(name, annotations={**NEVER, **annotations})

    def fixed_claim(self, pod, ip="", *, zone=""):
        """Create the claim of a Pod; with an address it is provisioned and serves this Pod."""
        metadata = pod["metadata"]
        self.kube.post(
            VPC_IP_CLAIMS,
            {
                "apiVersion": vpcipclaim.API_VERSION,
                "kind": vpcipclaim.KIND,
                "metadata": {
                    "name": metadata["name"],
                    "namespace": "default",
                    "labels": {NODE_LABEL: self.node.name},
                    "finalizers": [vpcipclaim.FINALIZER],
                },
                "spec": {"type": "Pod", "deletePolicy": "Never"},
            },
        )
        self.serve_fixed(pod, ip, zone=zone)

    def serve_fixed(self, pod, ip="", *, node="", zone=""):
        """Let the claim serve this Pod, and have this address if one is given."""
        status = {"pod": {"uid": pod["metadata"]["uid"], "node": node or self.node.name}}
        if ip:
            subnet = self.enis()[0].subnet_id
            status["address"] = {"ip": ip, "subnetID": subnet, **({"zone": zone} if zone else {})}
        self.fixed_status(pod["metadata"]["name"], status)

    def fixed_status(self, name, status):
        self.kube.merge_patch(f"{VPC_IP_CLAIMS}/{name}/status", {"status": status})

    def read_fixed(self, name):
        try:
            return vpcipclaim.read(self.kube.get(f"{VPC_IP_CLAIMS}/{name}"))
        except HttpError as e:
            if e.status == 404:
                return None
            raise

    def delete_fixed(self, name):
        self.kube.delete(f"{VPC_IP_CLAIMS}/{name}")

    def binding(self, name):
        return self.read_fixed(name).binding

    def writes(self):
        """Calls of the cloud that change something, by action, so far."""
        return {action: n for action, n in self.cloud_calls().items() if not action.startswith("Describe")}

    def given(self, name, ip, **annotations):
        """A Pod with its fixed address, wired."""
        pod, sandbox = self.fixed_pod(name, **annotations)
        self.fixed_claim(pod, ip)
        code, result = self.call("add", sandbox)
        assert code == 0, result
        assert ip_of(result) == ip
        return pod, sandbox

    def replaced(self, name, sandbox, **annotations):
        """The Pod goes, and the next one of the name comes to the same node; its claim serves it."""
        assert self.call("del", sandbox)[0] == 0
        self.runtime.remove_sandbox(sandbox)
        self.workloads.remove_pod(name)
        pod, sandbox = self.fixed_pod(name, **annotations)
        self.serve_fixed(pod)
        return pod, sandbox

    def gone(self, name, sandbox):
        """The Pod goes, and its claim with it."""
        assert self.call("del", sandbox)[0] == 0
        self.runtime.remove_sandbox(sandbox)
        self.workloads.remove_pod(name)
        self.delete_fixed(name)
