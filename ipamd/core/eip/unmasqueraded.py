"""Which destinations ip-masq-agent leaves alone: Pods have to reach them with their own address. Pure.

Source: the page "IP Masquerade Agent User Guide" of the Kubernetes documentation and the README of
kubernetes-sigs/ip-masq-agent: without the ConfigMap, or without this field in it, the private ranges of
RFC 1918; link-local addresses besides, unless MasqLinkLocal is true. TKE writes the ranges of the VPC there,
and people add those of peered networks.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from ipamd.core.eip import masquerade
from ipamd.core.errors import InvalidInputError

FIELD: Final = "NonMasqueradeCIDRs"
DEFAULT: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
_LINK_LOCAL: Final = "169.254.0.0/16"
_LINK_LOCAL_FIELD: Final = "MasqLinkLocal"


def unmasqueraded(config: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the IPv4 networks; {} is a configuration without fields, and as good as none.

    InvalidInputError names the field and the value that cannot be read.
    """
    field = masquerade.field_of(config, FIELD)
    entries = DEFAULT if config.get(field) is None else tuple(masquerade.entries_of(config, field))
    networks = [network for entry in entries if (network := _network(field, entry)) is not None]
    if config.get(masquerade.field_of(config, _LINK_LOCAL_FIELD)) is not True:
        networks.append(_LINK_LOCAL)
    return tuple(networks)


def _network(field: str, entry: str) -> str | None:
    """Return an IPv4 network, None for one of IPv6."""
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError as e:
        raise InvalidInputError(
            f"{masquerade.TITLE}: {field} in {masquerade.KEY} contains {entry[:80]!r}",
            advice="give CIDRs such as 10.0.0.0/16; until then the last list that could be read holds",
        ) from e
    return str(network) if network.version == 4 else None
