"""The ConfigMap of a cluster's settings, as far as running programs read it: whose it is, and the switch.

Its other keys become flags when a Pod starts (deploy/settings.yaml). Pure.
"""

from collections.abc import Mapping
from typing import Any, Final

CONFIG_MAP: Final = "tke-eni-settings"
NAMESPACE: Final = "kube-system"
"""Where deploy/ puts it, and what belongs to it."""
RELEASES: Final = "RELEASES"
"""The key of the switch that stops all releases of EIPs."""
_CLUSTER_ID: Final = "CLUSTER_ID"
_ALLOWED: Final = ("", "allowed")


def cluster_id(config_map: Mapping[str, Any]) -> str:
    """Return which cluster it says it is of, empty if it does not say."""
    return str(_value(config_map, _CLUSTER_ID) or "")


def releases_stopped(config_map: Mapping[str, Any], namespace: str) -> str:
    """Return by what releases are stopped, empty when they are not; `namespace` is where the ConfigMap is."""
    said = _value(config_map, RELEASES)
    if said in _ALLOWED:
        return ""
    # A value that is not understood was meant to change something: it stops, as far as can be told.
    return (
        f"{RELEASES} in ConfigMap {namespace}/{CONFIG_MAP} is {str(said)[:40]!r}; "
        "releases go on when it is removed or 'allowed'"
    )


def _value(config_map: Mapping[str, Any], key: str) -> object:
    data = config_map.get("data")
    return data.get(key, "") if isinstance(data, Mapping) else ""
