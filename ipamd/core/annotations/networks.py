"""Which of TKE's networks a Pod is on.

`tke-route-eni` is an address on an ENI that Pods share; `tke-direct-eni` is an ENI of the Pod's own (ADR 45).
The annotation is that of TKE's multus: names with or without namespace and interface, separated by commas, or
a JSON list of objects. What cannot be read is not ours to judge. A Pod that names both is on the shared one.
Pure.
"""

import json

from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import NETWORKS
from ipamd.core.kubernetes.capacity import DIRECT_ENI_RESOURCE
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.text.quoting import shown

ROUTE_ENI = "tke-route-eni"
DIRECT_ENI = "tke-direct-eni"
_OURS = frozenset({ROUTE_ENI, DIRECT_ENI})


def is_exclusive(pod: PodView) -> bool:
    """Whether the Pod asks for an ENI of its own."""
    asked = _names(pod.annotations.get(NETWORKS, ""))
    return DIRECT_ENI in asked and ROUTE_ENI not in asked


def name_of(*, exclusive: bool) -> str:
    """Return TKE's name of the network on which a Pod has, or has not, an ENI of its own."""
    return DIRECT_ENI if exclusive else ROUTE_ENI


def check(pod: PodView, *, exclusive: bool) -> None:
    """Do nothing for a Pod that may have its address here; else InvalidInputError.

    `exclusive` says whether this node gives Pods ENIs of their own.
    """
    if is_exclusive(pod) and not exclusive:
        raise InvalidInputError(
            f"annotation {NETWORKS} of Pod {pod.ref} asks for {DIRECT_ENI}, an ENI of its own, which this "
            "node does not give",
            advice=f"start the agents with --direct-eni; or create the Pod again, with {ROUTE_ENI}, or with "
            f"{DIRECT_ENI_RESOURCE} in its requests, so that it is scheduled to a node that gives them",
        )


def check_eip(pod: PodView, default: str = ROUTE_ENI) -> None:
    """Do nothing for a Pod whose EIP an agent of ours would bind; else InvalidInputError.

    That is a Pod on one of our networks. One that names other networks only, as Pods do in a cluster with
    GlobalRouter and VPC-CNI, gets its address from another plugin; one that names none is on the `default`.
    """
    if not is_ours(pod, default):
        asked = _asked(pod)
        on = shown(", ".join(sorted(asked))) if asked else f"{default} (--default-network)"
        raise InvalidInputError(
            f"Pod {pod.ref} asks for an EIP and is on the network {on}, which is not ours: none is ordered",
            advice=f"name {ROUTE_ENI} in annotation {NETWORKS}, or take EIP annotations and resource away, "
            "and create the Pod again",
        )


def is_ours(pod: PodView, default: str = ROUTE_ENI) -> bool:
    """Whether the Pod is on one of our networks; one that names none is on the `default`."""
    return bool((_asked(pod) or {default}) & _OURS)


def _asked(pod: PodView) -> set[str]:
    return _names(pod.annotations.get(NETWORKS, "")) - {""}


def _names(value: str) -> set[str]:
    if not value.lstrip().startswith("["):
        entries = value.split(",")
    else:
        try:
            listed = json.loads(value)
        except (ValueError, RecursionError):
            return set()
        entries = [str(entry.get("name", "")) for entry in listed if isinstance(entry, dict)]
    return {entry.strip().partition("@")[0].rpartition("/")[2] for entry in entries}
