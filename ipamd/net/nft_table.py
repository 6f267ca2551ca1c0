"""Our nftables table in the kernel: made, compared with what was made, mended.

nft prints rules in a normal form of its own that differs between versions, so the table is not compared with
the commands that made it but with how it was listed right after, if all was there. A difference, or the first
call of a process, writes everything again in one transaction, which no packet can see half done. Elements of
Pods are left alone.
"""

import errno
import logging
from collections.abc import Sequence

from ipamd.core import errors
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference
from ipamd.net import libnftables, nft_elements, nft_generation, ruleset, table_listing
from ipamd.net.model import DataPlaneConfig, EniLink, Ranges
from ipamd.net.nft_elements import TABLE, Element, Elements

log = logging.getLogger(__name__)


class NftTable:
    """The table of one node.

    Invariant: `_written` has the commands that were carried out last, and how the kernel listed the table
    right after, empty if it lacked something by then; it is replaced as a whole. Used under the data plane's
    lock, never by two threads at once, but for `listed` and `differences`.
    """

    def __init__(self, elements: Elements) -> None:
        self._elements = elements
        self.listed = nft_generation.GenerationCache(listed)
        self._written: tuple[list[ruleset.Command], list[ruleset.Command]] = [], []

    def differences(
        self, config: DataPlaneConfig, ranges: Ranges, enis: Sequence[EniLink]
    ) -> list[Difference]:
        """Return what somebody has changed since the table was written for just that; changes nothing."""
        commands, (written, right) = ruleset.create(config, ranges, enis), self._written
        if commands != written or not right:
            return []
        known = self.listed()
        return table_listing.differences(TABLE, right, _fixed(known) if known is not None else None)

    def ensure(
        self, config: DataPlaneConfig, ranges: Ranges, enis: Sequence[EniLink]
    ) -> list[Difference] | None:
        """Make the table what it has to be; return what somebody had changed, None if nothing was written."""
        commands = ruleset.create(config, ranges, enis)
        changed = self.differences(config, ranges, enis)
        if not changed and commands == self._written[0] and self._written[1]:
            return None
        if not changed and commands == self._written[0]:
            text = f"table {TABLE} was not whole when it was written last"
            changed = [Difference(code=FindingCode.NFT_TABLE, subject=f"table/ip {TABLE}", text=text)]
        self._write(commands, enis)
        return changed

    def _write(self, commands: list[ruleset.Command], enis: Sequence[EniLink]) -> None:
        # What is remembered may show names of links that are gone by now; a change has to name what there is.
        before = listed()
        try:
            outdated = ruleset.outdated(before or [], enis)
            libnftables.run([*outdated, *commands], f"write nft table ip {TABLE}", "write_table")
        except errors.KernelError:
            if before is None:
                raise
            log.exception("nft table %s does not take the change and is made anew", TABLE)
            self._replace(commands)
        now = self.listed() or []
        # Who flushed something before it was listed would have that believed; the next call writes again.
        whole = table_listing.is_whole(now, commands)
        self._written = commands, _fixed(now) if whole else []

    def forget(self, mark: int) -> None:
        """Remove an ENI's chains and what leads to them."""
        before = listed()
        commands = ruleset.forget(mark, before) if before is not None else []
        if commands:
            what = f"remove the ENI with mark {mark:#x} from nft table ip {TABLE}"
            libnftables.run(commands, what, "forget_eni")

    def remove(self) -> None:
        """Remove the table."""
        libnftables.run(ruleset.destroy(), f"remove nft table ip {TABLE}", "remove_table")

    def _replace(self, commands: Sequence[ruleset.Command]) -> None:
        """Put a new table in the place of one of another form (another version's), with its Pods.

        Pods of ENIs that are not known yet cannot be kept; the repair adds them once their ENI is there.
        """
        pods = self._elements.listed(ruleset.PODS)
        eip_pods = self._elements.listed(ruleset.EIP_PODS)
        exclusive = self._elements.listed(ruleset.EXCLUSIVE_PODS)
        sources = tuple(self._elements.members(ruleset.POD_SOURCES))
        libnftables.run([*ruleset.destroy(), *commands], f"replace nft table ip {TABLE}", "replace_table")
        chains = set(table_listing.chains(self.listed() or []))
        kept = [Element(ip, chain) for ip, chain in pods.items() if chain in chains]
        self._elements.apply(
            [
                nft_elements.add(ruleset.PODS, *kept),
                nft_elements.add(ruleset.EIP_PODS, *(Element(ip) for ip in eip_pods)),
                nft_elements.add(ruleset.POD_SOURCES, *sources),
                *([nft_elements.add(ruleset.EXCLUSIVE_PODS, *map(Element, exclusive))] if exclusive else []),
            ]
        )


def listed() -> list[ruleset.Command] | None:
    """Return the table as nft lists it, None when it does not exist."""
    try:
        return libnftables.run(ruleset.show(), f"list nft table ip {TABLE}", "list_table")
    except errors.KernelError as e:
        if e.errno == errno.ENOENT:
            return None
        raise


def _fixed(listing: Sequence[ruleset.Command]) -> list[ruleset.Command]:
    return table_listing.fixed(listing, ruleset.OF_PODS)
