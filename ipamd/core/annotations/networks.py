"""Which of TKE's networks a Pod is on, and that this release has one of the two.

`tke-route-eni` is an address on an ENI that Pods share; `tke-direct-eni` would be an ENI of the Pod's own.
The annotation is that of TKE's multus: names with or without namespace and interface, separated by commas, or
a JSON list of objects. What cannot be read is not ours to judge. Pure.
"""

import json

from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import NETWORKS
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.text.quoting import shown

ROUTE_ENI = "tke-route-eni"
DIRECT_ENI = "tke-direct-eni"


def check(pod: PodView) -> None:
    """Do nothing for a Pod that may have its address here; else InvalidInputError.

    Nothing is ordered for such a Pod either: its EIP would be paid for and never bound.
    """
    asked = _names(pod.annotations.get(NETWORKS, ""))
    if DIRECT_ENI in asked and ROUTE_ENI not in asked:
        raise InvalidInputError(
            f"annotation {NETWORKS} of Pod {pod.ref} asks for {DIRECT_ENI}, an ENI of its own, which this "
            "release does not have",
            advice=f"ask for {ROUTE_ENI} or remove the annotation, and create the Pod again",
        )


def check_eip(pod: PodView, default: str = ROUTE_ENI) -> None:
    """Do nothing for a Pod whose EIP an agent of ours would bind; else InvalidInputError.

    That is a Pod on `tke-route-eni`. One that names other networks only, as Pods do in a cluster with
    GlobalRouter and VPC-CNI, gets its address from another plugin; one that names none is on the `default`.
    """
    check(pod)
    asked = _names(pod.annotations.get(NETWORKS, "")) - {""}
    if (asked and ROUTE_ENI not in asked) or (not asked and default != ROUTE_ENI):
        on = shown(", ".join(sorted(asked))) if asked else f"{default} (--default-network)"
        raise InvalidInputError(
            f"Pod {pod.ref} asks for an EIP and is on the network {on}, which is not ours: none is ordered",
            advice=f"name {ROUTE_ENI} in annotation {NETWORKS}, or take EIP annotations and resource away, "
            "and create the Pod again",
        )


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
