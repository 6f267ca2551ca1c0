"""The tables of the agent's database and how older ones become today's.

`MIGRATIONS[n]` takes a database from version n to n + 1; the version stands in the table `migrations`, one
row for each step that was taken. Steps are only ever added. A release refuses a database of a later version,
so what an earlier one may overlook is no step: a table of `ADDITIONS`, which is made where it is missing.
UNIQUE and NOT NULL repeat the ledger's invariants, so that a defect above shows itself here and not in a
network.
"""

import sqlite3
import time

from ipamd import boot
from ipamd.core import names
from ipamd.core.errors import InvalidInputError
from ipamd.runtime import failpoints

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE addresses (
        ip TEXT PRIMARY KEY,
        eni_id TEXT NOT NULL,
        state TEXT NOT NULL,
        since REAL,
        until REAL,
        added_at REAL NOT NULL,
        missing_since REAL,
        eip_id TEXT UNIQUE,
        public_ip TEXT,
        eip_stage TEXT,
        claim TEXT,
        retained INTEGER
    ) STRICT;
    CREATE TABLE leases (
        ip TEXT PRIMARY KEY REFERENCES addresses (ip) ON DELETE CASCADE,
        network TEXT,
        container_id TEXT,
        ifname TEXT,
        namespace TEXT,
        name TEXT,
        uid TEXT,
        netns TEXT,
        by_name INTEGER,
        host_interface TEXT,
        UNIQUE (network, container_id, ifname)
    ) STRICT;
    CREATE TABLE intents (
        token TEXT PRIMARY KEY,
        action TEXT NOT NULL,
        arguments TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT;
    CREATE TABLE facts (
        name TEXT PRIMARY KEY,
        content TEXT NOT NULL
    ) STRICT;
    """,
    # Unix times become instants of the kernel's boot, as the wall clock says now; whether they can be true is
    # for `ipamd.core.ledger.restart` to judge.
    """
    UPDATE addresses SET
        since = boottime(since),
        until = boottime(until),
        added_at = boottime(added_at),
        missing_since = boottime(missing_since);
    UPDATE intents SET created_at = boottime(created_at);
    """,
    # The identity of a sandbox is without the network's name, and each names its link. Sandboxes of before
    # have the link of their Pod's name, and were treated as Pods with EIP as soon as one was recorded.
    """
    ALTER TABLE leases RENAME TO leases_by_network;
    CREATE TABLE leases (
        ip TEXT PRIMARY KEY REFERENCES addresses (ip) ON DELETE CASCADE,
        network TEXT,
        container_id TEXT,
        ifname TEXT,
        namespace TEXT,
        name TEXT,
        uid TEXT,
        netns TEXT,
        by_name INTEGER,
        host_interface TEXT,
        awaits_eip INTEGER,
        UNIQUE (container_id, ifname)
    ) STRICT;
    INSERT INTO leases
        SELECT ip, network, container_id, ifname, namespace, name, uid, netns, by_name,
            CASE state WHEN 'assigned' THEN host_veth_of_pod(namespace, name) ELSE host_interface END,
            CASE state WHEN 'assigned' THEN coalesce(eip_stage IN ('binding', 'bound'), 0) END
        FROM leases_by_network JOIN addresses USING (ip);
    DROP TABLE leases_by_network;
    """,
    # The MAC of a link tells its sandbox. Links of before keep theirs, which told the address.
    """
    ALTER TABLE leases ADD COLUMN host_mac TEXT;
    UPDATE leases SET host_mac = host_mac_of_address(ip) WHERE host_interface IS NOT NULL;
    """,
)

ADDITIONS: dict[str, str] = {
    # An earlier release deletes the row with the address, and never reads it.
    "fixed_addresses": """
    CREATE TABLE fixed_addresses (
        ip TEXT PRIMARY KEY REFERENCES addresses (ip) ON DELETE CASCADE,
        claim_uid TEXT NOT NULL
    ) STRICT;
    """,
}
"""By name the tables that an earlier release may overlook (ADR 47)."""


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the database to this release's schema, each step in a transaction of its own.

    Raises:
        InvalidInputError: a newer release has written it.
        sqlite3.Error: it cannot be read or written.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, at REAL) STRICT")
    (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()
    if version > len(MIGRATIONS):
        raise InvalidInputError(
            f"the store {path} has schema version {version}, this release knows {len(MIGRATIONS)}",
            advice="run the newer release again, or move the file away to have the state rebuilt",
        )
    connection.create_function("boottime", 1, _boottime)
    connection.create_function("host_veth_of_pod", 2, names.host_veth_of_pod, deterministic=True)
    connection.create_function("host_mac_of_address", 1, names.host_mac_of_address, deterministic=True)
    for number in range(version, len(MIGRATIONS)):
        statements = f"BEGIN IMMEDIATE; {MIGRATIONS[number]}"
        with failpoints.failpoint("store.migrate"):
            connection.executescript(statements)
            # The date is for people.
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (number + 1, time.time()))
            connection.execute("COMMIT")
    _add(connection)


def _add(connection: sqlite3.Connection) -> None:
    """Make the tables of `ADDITIONS` that are missing; nothing is written where all are there."""
    present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for name, statement in ADDITIONS.items():
        if name not in present:
            with failpoints.failpoint("store.migrate"):
                connection.execute(statement)


def _boottime(unix: float | None) -> float | None:
    """Return the instant that had this Unix time, if nobody has set the wall clock since; NULL stays NULL."""
    return None if unix is None else boot.clock() - (time.time() - unix)
