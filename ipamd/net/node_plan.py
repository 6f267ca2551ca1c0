"""What the node itself needs, whatever ENIs it has: that it forwards, and the rule that finds Pods."""

from collections.abc import Iterator
from typing import Final

from ipamd.net import enis, node_side
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.mend import Mend
from ipamd.net.model import EniLink
from ipamd.net.sysctls import Sysctls

_FORWARDING: Final = "ipv4/ip_forward"


def plan(
    primary: EniLink, mask: int, sysctls: Sysctls, seen: KernelListing, *, exclusive: bool
) -> Iterator[Mend]:
    """Yield what the node lacks, and what makes it right; `mask` is that of the marks.

    `exclusive` says whether Pods may have ENIs of their own.
    """
    value = sysctls.read(_FORWARDING)
    if value != "1":
        yield _setting(_FORWARDING, value or "not there")
    link = seen.by_index.get(primary.ifindex)
    if link is not None and not link.forwards:
        yield _setting(f"ipv4/conf/{link.name}/forwarding", "0", because_of=(node_side.FORWARDING,))
    yield from enis.plan_pod_rules(mask, seen, exclusive=exclusive)


def _setting(name: str, value: str, *, because_of: tuple[str, ...] = ()) -> Mend:
    difference = enis.of_setting(name, value, because_of=because_of)
    return Mend(difference=difference, settings=((name, "1"),))
