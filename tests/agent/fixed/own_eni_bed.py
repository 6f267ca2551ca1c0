"""A node with a real agent; its claims have ENIs of their own, which the tests make."""

import itertools
import time

from ipamd.core import model, tags
from ipamd.core.claim.eipclaim import NODE_LABEL
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import vpcipclaim
from tests.agent.fixed.fixed_bed import NEVER, VPC_IP_CLAIMS, FixedBed, ip_of

OPTIONS = ["--direct-eni", "--eni-max-warm-target=3", "--retained-ip-hold=10m"]
DIRECT = {"networks": "tke-direct-eni", **NEVER}
EIP = {"eip-attributes": "", "eip-claim-delete-policy": "Never"}
CLUSTER = "cls-demo"
_TOKENS = itertools.count()


def soon(seconds=30.0):
    return Deadline.after(seconds, time.monotonic)


class OwnEniBed(FixedBed):
    """Each claim has an ENI in the subnet of the node's first one."""

    def own_pod(self, name, *, eip=False, node="", **annotations):
        """A Pod with an ENI of its own that is kept, and its sandbox on this node."""
        wishes = {**DIRECT, **(EIP if eip else {}), **annotations}
        return self.pod_and_sandbox(name, annotations=wishes, eip=eip)

    def own_claim(self, pod, *, serve=True):
        """Create the claim of a Pod with its ENI; return the ENI."""
        name = pod["metadata"]["name"]
        self.kube.post(
            VPC_IP_CLAIMS,
            {
                "apiVersion": vpcipclaim.API_VERSION,
                "kind": vpcipclaim.KIND,
                "metadata": {
                    "name": name,
                    "namespace": "default",
                    "labels": {NODE_LABEL: self.node.name},
                    "finalizers": [vpcipclaim.FINALIZER],
                },
                "spec": {"type": "Pod", "deletePolicy": "Never", "network": "tke-direct-eni"},
            },
        )
        eni = self.make_eni(self.read_fixed(name).uid)
        if serve:
            self.serve_own(pod, eni)
        return eni

    def make_eni(self, claim_uid):
        order = model.EniOrder(
            vpc_id=self.enis()[0].vpc_id,
            subnet_id=self.enis()[0].subnet_id,
            name="fixed",
            tags=tags.of_vpc_ip_claim(CLUSTER, claim_uid),
        )
        return self.cloud.create_eni(order, f"own-{next(_TOKENS)}", soon())

    def serve_own(self, pod, eni=None, *, node=""):
        status = {"pod": {"uid": pod["metadata"]["uid"], "node": node or self.node.name}}
        if eni is not None:
            status["address"] = {"ip": eni.primary_ip, "subnetID": eni.subnet_id, "eniID": eni.eni_id}
        self.fixed_status(pod["metadata"]["name"], status)

    def at(self, eni_id):
        """At which CVM an ENI is; empty for none."""
        eni = self.cloud.describe_eni(eni_id)
        return eni.instance_id if eni is not None else None

    def own_given(self, name, **annotations):
        """A Pod that runs with the ENI of its claim."""
        pod, sandbox = self.own_pod(name, **annotations)
        eni = self.own_claim(pod)
        self.added(sandbox, eni)
        return pod, sandbox, eni

    def own_given_with_eip(self, name):
        """The same with an EIP."""
        eip = self.allocate(uid=f"claim-{name}")
        pod, sandbox = self.own_pod(name, eip=True)
        eni = self.own_claim(pod)
        self.claim(pod, retained=True, eip=eip)
        self.added(sandbox, eni)
        assert self.eip(eip.eip_id).private_ip == eni.primary_ip
        return pod, sandbox, eni, eip

    def eip_binding(self, name):
        """Where its EIPClaim says that the EIP is; it may say so after the Pod's ADD has ended."""
        return self.read_claim(name).binding

    def added(self, sandbox, eni):
        """Ask for the sandbox's network until it is there, as a kubelet does."""
        answers = []

        def done():
            answers.append(self.call("add", sandbox))
            return answers[-1][0] == 0

        self.eventually("the Pod's network", done, seconds=40)
        assert ip_of(answers[-1][1]) == eni.primary_ip
        return answers[-1][1]

    def ended(self, name, sandbox):
        """The Pod goes from the node; what is its claim's stays."""
        assert self.call("del", sandbox)[0] == 0
        self.runtime.remove_sandbox(sandbox)
        self.workloads.remove_pod(name)

    def goes_to_other_node(self, name, *, eip=False):
        """The next Pod of the name is on another node, and the claims are for it."""
        pod = self.workloads.create_pod(name, node="node-2", annotations={**DIRECT, **(EIP if eip else {})})
        if eip:
            self.status_of(pod, {"pod": {"uid": pod["metadata"]["uid"], "node": "node-2"}})
        self.serve_own(pod, node="node-2")
        return pod

    def new_writes(self, before):
        counts = {action: n - before.get(action, 0) for action, n in self.writes().items()}
        return {action: n for action, n in counts.items() if n}

    def settled(self):
        """The pool of ENIs orders nothing any more; return the writes so far."""
        self.wait_until_ready(warm=3)
        self.eventually("one ENI is warm", lambda: self.status()["exclusiveEnis"].get("warm", 0) >= 1)
        return self.writes()

    def cloud_released(self, eip):
        """Give an EIP up that a test has done with: an account has so many."""
        self.cloud.disassociate_eip(eip.eip_id)
        self.eventually("it is unbound", lambda: not self.eip(eip.eip_id).bound)
        self.cloud.release_eip(eip.eip_id)
