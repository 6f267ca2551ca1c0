"""The least Linux that the data plane works with. Pure."""

import re
from typing import Final

from ipamd.core.errors import InvalidInputError

LEAST: Final = (4, 18)
"""Before it, nat chains of nftables and the nat table of iptables exclude each other: with ours, the
masquerading of ip-masq-agent and kube-proxy's Services would not be asked any more (nftables wiki,
"Performing Network Address Translation", on mixing both)."""


def check(release: str) -> None:
    """Raise InvalidInputError for a kernel that is too old; `release` is that of uname(2)."""
    found = re.match(r"(\d+)\.(\d+)", release)
    # A name that says nothing is no reason to leave a node without network.
    if found and (int(found[1]), int(found[2])) < LEAST:
        least = ".".join(map(str, LEAST))
        raise InvalidInputError(
            f"the node's kernel is {release[:64]!a}, and Pods need Linux {least} or later",
            advice="before that, nft and iptables cannot both translate addresses: give the node an image "
            "with a newer kernel (TencentOS Server 3.1 has 5.4)",
        )
