"""A cluster and a cloud as plain data, with the promises that the controller relies on, and the lies.

The API keeps resourceVersions, merge patches, UIDs and finalizers; the cloud keeps ClientTokens, tags and
states. Each call may be lost on its way in, or its answer on the way out; lists may be old. For machines that
try many orders of events; how the real servers answer is tested against the simulator.
"""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ipamd.cloud.tasks import TaskState
from ipamd.core import tags
from ipamd.core.annotations.eip import wants_eip
from ipamd.core.claim import eip_line, eipclaim, placement
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.eip.account_types import AccountType
from ipamd.core.kubernetes import nodes, pods
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES
from ipamd.core.model import AcceptedOrder, Eip, EipStatus
from ipamd.core.timing import timestamps
from ipamd.kube import errors
from ipamd.kube.client import ObjectList
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS

KEY = ("default", "web-0")
CLUSTER = "cls-1"
MOST_TAGS = len(tags.of_claim(CLUSTER, ""))


def as_sent(obj):
    """Return an object of the API as it comes out of the wire: a copy, in a third of the time of deepcopy."""
    return json.loads(json.dumps(obj))


def claim_uid(eip):
    """Return for which claim an EIP was created."""
    return tags.claim_of(eip.tags, eip.name)


class Crash(BaseException):
    """The controller's process ends here."""


class Wire:
    """Decides about each call that leaves the controller: carried out or not, answered or not."""

    def __init__(self):
        self.plan: list[str | Callable[[], None]] = []
        self.calls = 0

    def call(self, carry_out: Callable[[], Any], lost: Callable[[], Exception]):
        self.calls += 1
        fate = self.plan.pop(0) if self.plan else "ok"
        if fate == "crash before":
            raise Crash
        if fate == "lost":
            raise lost()
        if callable(fate):
            fate()  # the call was on its way for long
        result = carry_out()
        if fate == "crash after":
            raise Crash
        if fate == "answer lost":
            raise lost()
        return result


class ModelApi:
    """Stands for KubeClient, and for the watch caches with their lag."""

    def __init__(self, wire):
        self.wire = wire
        self.uids = itertools.count(1)
        self.versions = itertools.count(1)
        self.objects = {}
        self.cached = {}
        self.kept_enis = {}

    # -- what the controller calls

    def get(self, resource, name, namespace=""):
        def read():
            obj = self.objects.get((resource.kind, name))
            if obj is None:
                raise errors.NotFoundError(f"get {name}", status=404)
            return as_sent(obj)

        return self._call(read)

    def list(self, resource, namespace="", *, label_selector=""):
        key, _, value = label_selector.partition("=")

        def read():
            found = [
                as_sent(obj)
                for (kind, _), obj in self.objects.items()
                if kind == resource.kind and (obj["metadata"].get("labels") or {}).get(key, "") == value
            ]
            return ObjectList(items=found, resource_version="1")

        return self._call(read)

    def create(self, resource, obj):
        def write():
            if (resource.kind, obj["metadata"]["name"]) in self.objects:
                raise errors.AlreadyExistsError("create", status=409)
            return self.put(resource, obj)

        return self._call(write)

    def patch(self, resource, name, body, namespace="", *, subresource=""):
        def write():
            obj = self.objects.get((resource.kind, name))
            if obj is None:
                raise errors.NotFoundError(f"patch {name}", status=404)
            wanted = body["metadata"].pop("resourceVersion")
            if wanted != obj["metadata"]["resourceVersion"]:
                raise errors.ConflictError("patch", status=409)
            assert set(body) <= {"metadata", "status"}
            return self.store(resource, _merged(obj, body))

        body = as_sent(body)
        return self._call(write)

    def delete(self, resource, name, namespace="", *, uid="", resource_version=""):
        def write():
            obj = self.objects.get((resource.kind, name))
            if obj is None:
                raise errors.NotFoundError(f"delete {name}", status=404)
            wanted = {"uid": uid, "resourceVersion": resource_version}
            if any(value and obj["metadata"][field] != value for field, value in wanted.items()):
                raise errors.ConflictError("delete", status=409)
            self.mark_deleted(resource, name)

        self._call(write)

    # -- the watch caches

    def refresh(self):
        self.cached = {key: as_sent(obj) for key, obj in self.objects.items()}

    def pod(self, key):
        obj = self.cached.get(("Pod", key[1]))
        return pods.view(obj) if obj else None

    def claim(self, key):
        obj = self.cached.get(("EIPClaim", key[1]))
        return eipclaim.read(obj) if obj else None

    def holders(self, eip_id):
        found = [eipclaim.read(obj) for (kind, _), obj in self.cached.items() if kind == "EIPClaim"]
        return [claim for claim in found if claim.address and claim.address.eip_id == eip_id]

    def line(self, pool):
        found = [eipclaim.read(obj) for (kind, _), obj in self.cached.items() if kind == "EIPClaim"]
        waiting = [c for c in found if c.request and c.request.pool == pool and eip_line.is_in_line(c)]
        return eip_line.in_order([c for c in waiting if ("Pod", c.name) in self.cached])

    def wake_line(self, pool, number):
        pass

    def kept_eni(self, key):
        return self.kept_enis.get(key)

    def node(self, name):
        obj = self.cached.get(("Node", name))
        return nodes.view(obj) if obj else None

    def obstacle(self, pod, *, early):
        node = self.node(pod.node)
        return placement.obstacle(pod, node, agent_exists=bool(node and node.agent), early=early)

    # -- what others do

    def put(self, resource, obj):
        metadata = {**obj["metadata"], "uid": f"uid-{next(self.uids)}"}
        return self.store(resource, {**as_sent(obj), "metadata": metadata})

    def store(self, resource, obj):
        metadata = obj["metadata"]
        metadata["resourceVersion"] = str(next(self.versions))
        key = (resource.kind, metadata["name"])
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            self.objects.pop(key, None)
        else:
            self.objects[key] = obj
        return as_sent(obj)

    def mark_deleted(self, resource, name):
        obj = as_sent(self.objects[resource.kind, name])
        obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        self.store(resource, obj)

    def remove(self, resource, name):
        self.objects.pop((resource.kind, name), None)

    def live_claim(self):
        obj = self.objects.get(("EIPClaim", KEY[1]))
        return eipclaim.read(obj) if obj else None

    def live_pod(self):
        obj = self.objects.get(("Pod", KEY[1]))
        return pods.view(obj) if obj else None

    def wanting_pod(self):
        pod = self.live_pod()
        return pod if pod and not pod.finished and wants_eip(pod) else None

    def put_pod(self, node, *, never, wants=True, name=KEY[1], wish=None):
        policy = {"tke.cloud.tencent.com/eip-claim-delete-policy": "Never"} if never else {}
        self.put(
            PODS,
            {
                "metadata": {
                    "namespace": KEY[0],
                    "name": name,
                    "annotations": {**(wish or {EIP_ATTRIBUTES: ""}), **policy} if wants else {},
                },
                "spec": {"nodeName": node} if node else {},
            },
        )

    def put_node(self, name, *, served=True):
        self.put(NODES, {"metadata": {"name": name}})
        self.set_ready(name, since=0.0)
        if served:
            self.serve_node(name)

    def serve_node(self, name):
        """What the agent of a node writes when it is ready."""
        node = self.objects["Node", name]
        self.store(NODES, {**node, "metadata": {**node["metadata"], "annotations": {nodes.AGENT: "no-pod"}}})

    def is_served(self, name):
        obj = self.objects.get(("Node", name))
        return obj is not None and bool(nodes.view(obj).agent)

    def set_ready(self, name, *, since, ready=True):
        """What the node controller writes about a node."""
        changed = {"status": "True" if ready else "Unknown", "lastTransitionTime": timestamps.to_text(since)}
        node = self.objects["Node", name]
        self.store(NODES, {**node, "status": {"conditions": [{"type": "Ready", **changed}]}})

    def is_ready(self, name):
        obj = self.objects.get(("Node", name))
        return obj is not None and nodes.view(obj).ready

    def write_status(self, claim, patch):
        self.write_status_of(EIPCLAIMS, claim.name, patch)

    def write_status_of(self, resource, name, patch):
        body = as_sent(patch)
        del body["metadata"]
        self.store(resource, _merged(self.objects[resource.kind, name], body))

    def _call(self, carry_out):
        return self.wire.call(carry_out, lambda: errors.UnreachableError("lost"))


class ModelCloud:
    """Stands for TencentCloud."""

    def __init__(self, wire):
        self.wire = wire
        self.ids = itertools.count(1)
        self.eips = {}
        self.tokens = {}
        self.failed_tasks = set()
        self.past = {}
        self.stale_lists = 0
        self.refuse = ""
        self.most_tags = MOST_TAGS
        self.tags_of = {}
        self.created_for = {}
        """Every claim UID with the EIPs ever created for it."""
        self.on_disassociate = lambda eip: None
        """Is told of every unbind that the controller begins."""

    # -- what the controller calls

    def allocate_eip(self, order, wanted_tags, client_token, deadline=None):
        def write():
            if len(wanted_tags) > self.most_tags:  # hostile: before it is known whose token this is
                raise cloud_error("AllocateAddresses", "LimitExceeded.TagQuota", "refused")
            if client_token in self.tokens:
                if self.tags_of[client_token] != wanted_tags:
                    code = "UnsupportedOperation.IdempotentParameterMismatch"
                    raise cloud_error("AllocateAddresses", code, "refused")
                return self.tokens[client_token]
            if self.refuse:
                raise cloud_error("AllocateAddresses", self.refuse, "refused")
            eip_id = f"eip-{next(self.ids)}"
            self.tokens[client_token] = AcceptedOrder(eip_id=eip_id, task_id=f"task of {eip_id}")
            self.eips[eip_id] = Eip(
                eip_id=eip_id,
                public_ip=f"198.18.0.{eip_id[4:]}",
                status=EipStatus.CREATING,
                name=order.name,
                tags=dict(wanted_tags),
            )
            self.tags_of[client_token] = dict(wanted_tags)
            self.created_for.setdefault(claim_uid(self.eips[eip_id]), []).append(eip_id)
            return self.tokens[client_token]

        return self._call("AllocateAddresses", write)

    def describe_eips(self, *, eip_ids=None, tags=None, name=None, deadline=None):
        def read():
            shown = self.eips
            if self.stale_lists:
                self.stale_lists -= 1
                shown = self.past
            if eip_ids is not None:
                return [shown[eip_id] for eip_id in eip_ids if eip_id in shown]
            if name is not None:
                return [eip for eip in shown.values() if eip.name == name]
            wanted = {k: [v] if isinstance(v, str) else v for k, v in tags.items()}
            return [e for e in shown.values() if all(e.tags.get(k) in v for k, v in wanted.items())]

        return self._call("DescribeAddresses", read)

    def check_order(self, order):
        pass

    def describe_account_type(self):
        return AccountType.STANDARD

    def describe_eip_task(self, task_id, deadline=None):
        def read():
            if task_id in self.failed_tasks:
                return TaskState.FAILED
            eip = self.eips.get(task_id.removeprefix("task of "))
            return TaskState.RUNNING if eip and eip.status is EipStatus.CREATING else TaskState.SUCCESS

        return self._call("DescribeTaskResult", read)

    def describe_instance(self, instance_id, deadline=None):
        raise AssertionError("the model's nodes name no CVM")

    def disassociate_eip(self, eip_id, deadline=None):
        def write():
            eip = self.eips.get(eip_id)
            if eip and eip.bound:
                self.on_disassociate(eip)
                self.eips[eip_id] = replace(eip, status=EipStatus.UNBINDING)
            return ""

        return self._call("DisassociateAddress", write)

    def release_eip(self, eip_id, deadline=None):
        def write():
            eip = self.eips.get(eip_id)
            if eip is None:
                return ""
            if eip.status is not EipStatus.UNBIND:
                raise cloud_error("ReleaseAddresses", "InvalidAddressState", eip.status.value)
            self.eips[eip_id] = replace(eip, status=EipStatus.OFFLINING)
            return ""

        return self._call("ReleaseAddresses", write)

    def release_completed(self):
        pass

    # -- what happens by itself

    def settle(self):
        """Let what is under way come to its end."""
        self.past = dict(self.eips)
        for eip_id, eip in list(self.eips.items()):
            if eip.status is EipStatus.OFFLINING:
                del self.eips[eip_id]
            elif eip.status in (EipStatus.CREATING, EipStatus.UNBINDING):
                self.eips[eip_id] = replace(eip, status=EipStatus.UNBIND, eni_id="", private_ip="")
            elif eip.status is EipStatus.BINDING:
                self.eips[eip_id] = replace(eip, status=EipStatus.BIND)

    def fail_orders(self):
        """Let the tasks of all orders fail that are not delivered; such an EIP has never been."""
        for eip_id, eip in list(self.eips.items()):
            if eip.status is EipStatus.CREATING:
                del self.eips[eip_id]
                self.created_for[claim_uid(eip)].remove(eip_id)
                self.failed_tasks.add(f"task of {eip_id}")

    def _call(self, action, carry_out):
        return self.wire.call(carry_out, lambda: cloud_error(action, "ClientNetworkError", "lost"))


def _merged(old, new):
    if not isinstance(new, dict):
        return new
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged
