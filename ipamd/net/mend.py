"""A difference with what makes it right: the plan of a repair, which a check only reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ipamd.core.kernel.difference import Difference
from ipamd.net.netlink import ROUTE, NetlinkRequest, NetlinkSocket
from ipamd.net.sysctls import Sysctls

SETTINGS: Final = ("ip_forward", "forwarding", "src_valid_mark")
"""The kernel settings that plans name, by the last part of their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """What is to be done about one difference; nothing of it has been done."""

    difference: Difference
    requests: tuple[NetlinkRequest, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    """Names and values of `Sysctls`."""

    def __post_init__(self) -> None:
        if not {name.rpartition("/")[2] for name, _ in self.settings} <= set(SETTINGS):
            msg = f"{self.settings} is a setting that SETTINGS does not name"
            raise ValueError(msg)


def carry_out(plan: Iterable[Mend], sysctls: Sysctls) -> list[Difference]:
    """Do all that is planned, in order, settings last; return what it was for. Raises: KernelError."""
    mends = list(plan)
    requests = [request for mend in mends for request in mend.requests]
    if requests:
        with NetlinkSocket(ROUTE) as channel:
            channel.change(*requests)
    for mend in mends:
        for name, value in mend.settings:
            sysctls.write(name, value)
    return [mend.difference for mend in mends]
