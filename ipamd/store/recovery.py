"""Opening the store whatever happened to it since it was closed: first start, restart, reboot, damage.

A damaged file is moved aside and never deleted: it is evidence, and the cloud, the kernel and the API server
are what the state is rebuilt from.
"""

import logging
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ipamd.core.ledger.ledger import Ledger
from ipamd.store.database import BOOT_ID, DamagedError, Database, StoreError, set_aside

log = logging.getLogger(__name__)


class Past(Enum):
    """What the store knows of the time before this start."""

    NONE = "none"
    """Nothing: a new file, or a damaged one was set aside. What the kernel has wired is of unknown owners."""
    SAME_BOOT = "same boot"
    """Everything, times included: the kernel's state is still there as well."""
    EARLIER_BOOT = "earlier boot"
    """Everything but the times, as the node has been rebooted: the kernel has nothing of it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The store after it was opened."""

    database: Database
    ledger: Ledger
    past: Past
    boot_id: str
    """The kernel's of now."""


def open_store(path: Path, boot_id: str) -> Opened:
    """Open the store and say what its content is worth; `boot_id` is the kernel's of now.

    The boot id is not written here: `finish_start` does that once the difference has been dealt with.
    Raises: those of `Database`, except DamagedError.
    """
    try:
        return _open(path, boot_id)
    except DamagedError as e:
        aside = set_aside(path)
        log.error(  # noqa: TRY400 - the message says it all, a traceback would not help an operator
            "%s; it was moved to %s and the state is rebuilt from cloud, kernel and API server", e, aside
        )
        return _open(path, boot_id)


def start_over(opened: Opened, path: Path, boot_id: str, why: str) -> Opened:
    """Close a store that is not this node's, move it aside, and open a new one. Raises: as `open_store`."""
    opened.database.close()
    log.error("%s; it was moved to %s and the node starts with an empty one", why, set_aside(path))
    return _open(path, boot_id)


def finish_start(database: Database, boot_id: str) -> None:
    """Write down that the store now speaks of this boot, and that its times are of this boot's clock.

    A disk that does not take it now takes it together with the next change.
    """
    try:
        database.begin_boot(boot_id)
    except StoreError as e:
        log.warning("that the times in the store are of this boot is written with its next change: %s", e)


def _open(path: Path, boot_id: str) -> Opened:
    database = Database(path)
    try:
        ledger = Ledger.of(database.load())
        database.intents()
        known = database.fact(BOOT_ID)
    except BaseException:
        database.close()
        raise
    past = Past.NONE if known is None else Past.SAME_BOOT if known == boot_id else Past.EARLIER_BOOT
    return Opened(database=database, ledger=ledger, past=past, boot_id=boot_id)
