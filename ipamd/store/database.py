"""The agent's memory on disk: one sqlite file with what no other place knows.

WAL with synchronous=FULL: a commit that returned is there after a power failure (0.3 ms on the machines we
measured). One process at a time: the file's lock says so. What is on disk of the cloud and the kernel is
never more than a belief; `ipamd.core.ledger.cloud_listing` compares it with what is there.
Thread safety: every method may be called from any thread; a lock of its own makes each one atomic.
"""

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.ledger.ledger import Transition
from ipamd.core.ledger.states import Address
from ipamd.core.timing.boottime import BOOT, Boottime
from ipamd.runtime import failpoints
from ipamd.store import rows, schema

BOOT_ID = "boot_id"
"""Under which name the store keeps the boot that its times are of."""
EXCLUSIVE_ENIS = "exclusive_enis"
"""Under which name it keeps the ENIs that one Pod each has as a whole: it tells their addresses apart."""
FIXED_ENIS = "fixed_enis"
"""The same for those that belong to VpcIPClaims, beside the others: a release before, which deletes ENIs of
single Pods that are too many, does not find these."""
OTHERS = "others"
"""The same for how many ENIs and public IPs of the instance are no Pod's: their places are not to be offered
by a node that starts without the cloud."""
DEPARTURES = "departures"
"""The same for what has left the node of late."""


class StoreError(IpamError):
    """The database cannot be read or written; nothing of the change that was asked for is on disk."""


class DamagedError(StoreError):
    """The file's content cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A cloud write that was about to be made and is not known to be finished."""

    token: str
    """The ClientToken of the request: repeating it gives what the first try made."""
    action: str
    arguments: dict[str, Any]
    """JSON values."""
    created_at: Boottime


class Database:
    """The open store.

    Invariant: one instance for a file on the whole machine, as long as it is open; `_expected_boot` is the
    boot that the next write makes the stored times those of, empty if they are already.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file and bring it to this release's schema.

        Raises:
            DamagedError: the file is no database of ours; `recovery.reopen` knows what to do.
            InvalidInputError: another agent uses it, a newer release wrote it, or its directory is no good.
        """
        self._path = path
        self._guard = threading.Lock()
        self._expected_boot = ""
        self._lock_file = _lock(path)
        try:
            self._connection = _connect(path)
        except BaseException:
            self._lock_file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give up its lock; a second time does nothing."""
        with self._guard:
            self._connection.close()
            self._lock_file.close()

    def load(self) -> list[Address]:
        """Return all addresses; DamagedError when a row cannot be one of ours."""
        with self._guard, self._translated("read"):
            leases = {row["ip"]: row for row in map(dict, self._connection.execute("SELECT * FROM leases"))}
            fixed = {row["ip"]: row["claim_uid"] for row in self._connection.execute(_FIXED)}
            found = list(map(dict, self._connection.execute("SELECT * FROM addresses")))
        exclusive = {
            entry["eni_id"] for name in (EXCLUSIVE_ENIS, FIXED_ENIS) for entry in self.fact(name) or ()
        }
        try:
            return [
                rows.decode(row, leases.get(row["ip"]), exclusive, fixed.get(row["ip"], "")) for row in found
            ]
        except ValueError as e:
            raise DamagedError(f"the store {self._path} holds a row that is not valid: {e}") from e

    def commit(self, *transitions: Transition) -> None:
        """Write what ledger operations changed, one after the other, all of it or nothing.

        Raises: StoreError when it is not on disk.
        """
        kinds = sorted({kind for transition in transitions for kind in _kinds(transition)})
        if not kinds:
            return
        with self._transaction(f"commit.{'+'.join(kinds)}") as connection:
            for transition in transitions:
                _write(connection, transition)

    def put_intent(self, intent: Intent) -> None:
        """Write down a cloud write before it is made."""
        with self._transaction("put_intent") as connection:
            row = (intent.token, intent.action, json.dumps(intent.arguments), intent.created_at)
            connection.execute("INSERT INTO intents VALUES (?, ?, ?, ?)", row)

    def drop_intent(self, token: str) -> None:
        """Strike out a cloud write whose outcome is known; an unknown token is none."""
        with self._transaction("drop_intent") as connection:
            connection.execute("DELETE FROM intents WHERE token = ?", (token,))

    def intents(self) -> list[Intent]:
        """Return the cloud writes whose outcome is not known, oldest first."""
        with self._guard, self._translated("read"):
            found = self._connection.execute("SELECT * FROM intents ORDER BY created_at").fetchall()
        return [
            Intent(
                token=row["token"],
                action=row["action"],
                arguments=self._decoded(row["arguments"]),
                created_at=BOOT if self._expected_boot else Boottime(row["created_at"]),
            )
            for row in found
        ]

    def put_fact(self, name: str, content: Any) -> None:
        """Remember a JSON value under a name."""
        with self._transaction("put_fact") as connection:
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(content)))

    def expect_boot(self, boot_id: str) -> None:
        """Have the next write, whatever it is, say with it of which boot all stored times are from now on.

        So no write can speak of this boot in a store that still claims another.
        """
        if self.fact(BOOT_ID) != boot_id:
            self._expected_boot = boot_id

    def begin_boot(self, boot_id: str) -> None:
        """Remember now of which boot all stored times are from now on; after a StoreError at the next write.

        Nothing is written that is there: a disk that is full must not keep an agent from starting again.
        """
        self.expect_boot(boot_id)
        if self._expected_boot:
            with self._transaction("begin_boot"):
                pass

    def fact(self, name: str) -> Any:
        """Return the remembered value, None when there is none."""
        with self._guard, self._translated("read"):
            found = self._connection.execute("SELECT content FROM facts WHERE name = ?", (name,)).fetchone()
        return None if found is None else self._decoded(found["content"])

    def _decoded(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as e:
            raise DamagedError(f"the store {self._path} holds JSON that is not valid: {e}") from e

    @contextlib.contextmanager
    def _transaction(self, name: str) -> Iterator[sqlite3.Connection]:
        with self._guard, self._translated("write"), failpoints.failpoint(f"store.{name}"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                if self._expected_boot:
                    _begin_boot(self._connection, self._expected_boot)
                yield self._connection
                self._connection.execute("COMMIT")
                self._expected_boot = ""
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _translated(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as e:
            raise StoreError(
                f"cannot {verb} the store {self._path}: {e}",
                advice="check free space, mount and permissions of its directory",
            ) from e


def _begin_boot(connection: sqlite3.Connection, boot_id: str) -> None:
    """Write of which boot the times are; how old the intents of an earlier one are cannot be known."""
    connection.execute("UPDATE intents SET created_at = ?", (BOOT,))
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (BOOT_ID, json.dumps(boot_id)))


def _write(connection: sqlite3.Connection, transition: Transition) -> None:
    encoded = [rows.encode(address) for address in transition.changed]
    # Of one address alone the new lease takes the place of the old one. Of several, a sandbox may have gone
    # from one to the next, and an EIP: what was comes out first.
    is_alone = len(encoded) == 1 and not transition.forgotten
    for entry in encoded:
        if entry.lease is None or not is_alone:
            connection.execute("DELETE FROM leases WHERE ip = ?", (entry.address["ip"],))
    for ip in transition.forgotten:
        connection.execute("DELETE FROM addresses WHERE ip = ?", (ip,))
    for entry in encoded:
        connection.execute(_PUT_ADDRESS, entry.address)
    for entry in encoded:
        if entry.lease is not None:
            connection.execute(_PUT_LEASE, entry.lease)
        if entry.claim_uid:
            # It goes with its address, and no other way: a fixed address stays one.
            connection.execute(_PUT_FIXED, (entry.address["ip"], entry.claim_uid))


def _kinds(transition: Transition) -> Iterator[str]:
    """Yield what the transition writes: states and stages of EIPs by name."""
    if transition.forgotten:
        yield "forgotten"
    yield from {type(address.state).__name__.lower() for address in transition.changed}
    yield from {address.eip.stage.value for address in transition.changed if address.eip}


def _upsert(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join(f":{column}" for column in columns)
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns)
    # Names of tables and columns are constants of this package, values are bound. Not INSERT OR REPLACE:
    # that would delete whatever row stands in the way of a UNIQUE column.
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) "  # noqa: S608
        f"ON CONFLICT (ip) DO UPDATE SET {updates}"
    )


_PUT_ADDRESS: Final = _upsert("addresses", rows.ADDRESS_COLUMNS)
_PUT_LEASE: Final = _upsert("leases", rows.LEASE_COLUMNS)
_FIXED: Final = "SELECT ip, claim_uid FROM fixed_addresses"
_PUT_FIXED: Final = "INSERT OR REPLACE INTO fixed_addresses (ip, claim_uid) VALUES (?, ?)"


def _lock(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock_file = path.with_name(path.name + ".lock").open("a")
    except OSError as e:
        raise InvalidInputError(
            f"the state directory {path.parent} cannot be used: {e.strerror}",
            advice="name a writable directory that outlives the agent's container with --state-dir",
        ) from e
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        lock_file.close()
        raise InvalidInputError(
            f"the store {path} is in use by another agent",
            advice="one agent runs on a node; stop the other one or name another --state-dir",
        ) from e
    return lock_file


def _connect(path: Path) -> sqlite3.Connection:
    try:
        try:
            return _opened(path)
        except sqlite3.OperationalError:
            # On a full disk the file that processes share the state of the journal in cannot be made; a
            # connection that shares with nobody does without it.
            return _opened(path, exclusive=True)
    except sqlite3.OperationalError as e:
        raise StoreError(
            f"cannot open the store {path}: {e}", advice="check free space, mount and permissions"
        ) from e
    except sqlite3.DatabaseError as e:
        raise DamagedError(f"the store {path} is damaged: {e}") from e


def _opened(path: Path, *, exclusive: bool = False) -> sqlite3.Connection:
    previous = os.umask(0o077)
    try:
        connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    finally:
        os.umask(previous)
    try:
        connection.row_factory = sqlite3.Row
        if exclusive:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _check(connection, path)
        schema.migrate(connection, str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        raise DamagedError(f"the store {path} is damaged: {verdict}")


def set_aside(path: Path, now: float | None = None) -> Path:
    """Move a damaged file and its journal out of the way; return where the file went."""
    stamp = int(time.time() if now is None else now)
    target = path.with_name(f"{path.name}.damaged-{stamp}")
    while target.exists():  # the clock was set back, or two were damaged within a second
        stamp += 1
        target = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            with failpoints.failpoint("file.store.set_aside"):
                source.rename(target.with_name(target.name + suffix))
    return target
