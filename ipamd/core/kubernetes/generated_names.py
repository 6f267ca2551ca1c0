"""Whether the name of a Pod was made up for it, and will not be that of another one. Pure."""

import re

from ipamd.core.kubernetes.pods import PodView

_GENERATED = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{5}")
"""What the API server puts behind `generateName` (apimachinery, util/rand): letters that form no words."""
_GENERATORS = frozenset({"ReplicaSet", "ReplicationController", "DaemonSet", "Job"})
"""Controllers whose Pods all have generated names; the end may by chance be all digits."""


def has_one(pod: PodView) -> bool:
    """Whether the Pod has a generated name.

    Pods of StatefulSets (and of their relatives of other API groups) are numbered although they carry a
    `generateName`.
    """
    kind = pod.controller.kind if pod.controller else ""
    if kind in _GENERATORS:
        return True
    end = pod.ref.name.removeprefix(pod.generate_name) if pod.generate_name else ""
    return kind != "StatefulSet" and _GENERATED.fullmatch(end) is not None
