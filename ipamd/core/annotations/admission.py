"""What the admission webhook answers: Pods get the resources they forgot, and come to where their address is.

Without the extended resource the scheduler does not know that the Pod needs an EIP, and may choose a node
that has none left. TKE's own webhook (add-pod-eni-ip-limit-webhook) does the same, in requests and limits of
the first container. A Pod with a fixed address is kept to nodes that can have it (`affinity`). Nothing is
ever denied, and what is not understood is let through unchanged. Pure; the
caller bounds the size of what comes in. Contract: AdmissionReview of admission.k8s.io/v1, "Dynamic Admission
Control" of the Kubernetes documentation.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from ipamd.core.annotations import affinity, networks
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import fields, pods
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES, EXISTING
from ipamd.core.kubernetes.capacity import DIRECT_ENI_RESOURCE, EIP_RESOURCE, ENI_IP_RESOURCE

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"

_MOST_UID = 128
_AMOUNTS = ("requests", "limits")

JsonPatch = list[dict[str, Any]]
Kept = Callable[[str, str], str]
"""Takes a Pod's namespace and name; returns the subnet of the address that is kept for it, or nothing."""


def _nothing(namespace: str, name: str) -> str:
    del namespace, name
    return ""


def review(body: bytes, kept: Kept = _nothing) -> bytes:
    """Return the answer to an AdmissionReview; InvalidInputError for what is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise InvalidInputError("the body is not JSON", advice=f"send an {KIND} of {API_VERSION}") from e
    request = fields.mapping(fields.mapping(document).get("request"))
    uid = request.get("uid")
    known = (
        fields.mapping(document).get("apiVersion") == API_VERSION
        and fields.mapping(document).get("kind") == KIND
    )
    if not known or not isinstance(uid, str) or not 0 < len(uid) <= _MOST_UID:
        raise InvalidInputError(
            f"the body is no {KIND} of {API_VERSION} with a request.uid", advice="send one"
        )
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    kind = fields.mapping(request.get("kind"))
    if (kind.get("group"), kind.get("kind")) == ("", "Pod") and request.get("operation") == "CREATE":
        pod = fields.mapping(request.get("object"))
        operations = [*patch(pod), *placement(pod, request.get("namespace"), kept)]
        if operations:
            encoded = base64.b64encode(json.dumps(operations).encode()).decode()
            response |= {"patchType": "JSONPatch", "patch": encoded}
    return json.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response}).encode()


def patch(pod: Mapping[str, Any]) -> JsonPatch:
    """Return the JSON patch that adds what is missing to the Pod; empty when nothing is."""
    view = pods.view(pod)
    containers = fields.mapping(pod.get("spec")).get("containers")
    first = containers[0] if isinstance(containers, list) and containers else None
    if view.host_network or not isinstance(first, Mapping):
        return []
    missing = [name for name in _wanted(view) if not _named(pod, name)]
    return _additions(first, missing) if missing else []


def placement(pod: Mapping[str, Any], namespace: object, kept: Kept) -> JsonPatch:
    """Return the JSON patch that keeps a Pod with a fixed address to nodes that can have it."""
    name = fields.mapping(pod.get("metadata")).get("name")
    is_named = isinstance(name, str) and isinstance(namespace, str)
    kept_in = kept(str(namespace), str(name)) if is_named else ""
    return affinity.patch(pod, affinity.subnets_of(pods.view(pod), kept_in))


def _wanted(view: pods.PodView) -> tuple[str, ...]:
    """Return the resources of a Pod with an EIP or an ENI of its own, which is no address of a shared one."""
    asks = any(name in view.annotations for name in (EIP_ATTRIBUTES, *EXISTING))
    eip = (EIP_RESOURCE,) if asks else ()
    if networks.is_exclusive(view):
        return (*eip, DIRECT_ENI_RESOURCE)
    return (*eip, ENI_IP_RESOURCE) if asks else ()


def _named(pod: Mapping[str, Any], resource: str) -> bool:
    """Whether a container says anything about the resource, be it 0: then its author has decided."""
    spec = fields.mapping(pod.get("spec"))
    for kind in ("containers", "initContainers"):
        containers = spec.get(kind)
        for container in containers if isinstance(containers, list) else ():
            amounts = fields.mapping(fields.mapping(container).get("resources"))
            if any(resource in fields.mapping(amounts.get(each)) for each in _AMOUNTS):
                return True
    return False


def _additions(container: Mapping[str, Any], names: list[str]) -> JsonPatch:
    path = "/spec/containers/0/resources"
    amounts = dict.fromkeys(names, "1")
    present = container.get("resources")
    if not isinstance(present, Mapping):
        return [_add(path, dict.fromkeys(_AMOUNTS, amounts))]
    operations: JsonPatch = []
    for kind in _AMOUNTS:
        if isinstance(present.get(kind), Mapping):
            operations += [_add(f"{path}/{kind}/{_escaped(name)}", "1") for name in names]
        else:
            operations.append(_add(f"{path}/{kind}", amounts))
    return operations


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _escaped(name: str) -> str:
    """Return a member's name as a JSON pointer spells it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
