"""The store on a real file system: what was committed is there, whatever happens in between."""

import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings

from ipamd import boot
from ipamd.core import errors, model, names
from ipamd.core.ledger import ledger, restart, states
from ipamd.core.timing.boottime import BOOT
from ipamd.store import recovery, schema
from ipamd.store.database import (
    EXCLUSIVE_ENIS,
    FIXED_ENIS,
    DamagedError,
    Database,
    Intent,
    StoreError,
    set_aside,
)
from tests.random_addresses import any_address

NOW = 1000.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ipamd.db"


def some_address(ip="10.0.1.10", container="c1", eip_id=""):
    return states.Address(
        ip=ip,
        eni_id="eni-1",
        state=states.Assigned(
            key=model.SandboxKey(container_id=container, ifname="eth0"),
            pod=model.PodRef(namespace="default", name="web-0", uid="u1"),
            since=NOW,
            host_interface="eni0123456789a",
            host_mac="0a:e2:01:02:03:04",
        ),
        added_at=NOW,
        eip=states.Binding(eip_id=eip_id, public_ip="", stage=states.BindStage.BOUND) if eip_id else None,
    )


def test_addresses_of_exclusive_enis_are_known_again(path):
    with Database(path) as database:
        database.put_fact(EXCLUSIVE_ENIS, [{"eni_id": "eni-1"}])
        whole = replace(some_address(), exclusive=True)
        shared = replace(some_address("10.0.1.11", "c2"), eni_id="eni-2")
        database.commit(ledger.Ledger().changed(whole, shared))
    with Database(path) as database:
        assert set(database.load()) == {whole, shared}


def test_enis_of_claims_are_known_again_and_not_among_those_that_an_earlier_release_deletes(path):
    with Database(path) as database:
        database.put_fact(FIXED_ENIS, [{"eni_id": "eni-1"}])
        own = replace(some_address(), exclusive=True, fixed="claim-1")
        database.commit(ledger.Ledger().changed(own))
    with Database(path) as database:
        assert database.load() == [own]
        assert database.fact(EXCLUSIVE_ENIS) is None


def test_which_addresses_are_fixed_is_known_again_and_forgotten_with_them(path):
    fixed = replace(some_address(), fixed="claim-1")
    with Database(path) as database:
        current = ledger.Ledger().changed(fixed, some_address("10.0.1.11", "c2"))
        database.commit(current)
    with Database(path) as database:
        assert {a.ip: a.fixed for a in database.load()} == {"10.0.1.10": "claim-1", "10.0.1.11": ""}
        database.commit(current.ledger.changed(forget=["10.0.1.10"]))
        database.commit(ledger.Ledger().changed(some_address()))
        assert [a.fixed for a in database.load()] == ["", ""]


def test_a_release_that_knows_no_fixed_addresses_reads_the_store_and_may_give_them_to_the_pool(path):
    """It refuses later versions of the schema, so the table is none; what it did is taken back after it."""
    with Database(path) as database:
        database.commit(ledger.Ledger().changed(replace(some_address(), fixed="claim-1")))
    with sqlite3.connect(path) as old:
        assert old.execute("SELECT max(version) FROM migrations").fetchone() == (len(schema.MIGRATIONS),)
        old.execute("DELETE FROM leases")
        old.execute("UPDATE addresses SET state = 'warm', since = 500.0")
    old.close()

    with Database(path) as database:
        (address,) = database.load()
    assert address.fixed == "claim-1"
    assert address.state == states.Cooling(until=500.0)


def test_the_store_of_a_release_before_gets_the_table(path):
    with Database(path) as database:
        database.commit(ledger.Ledger().changed(some_address()))
    with sqlite3.connect(path) as old:
        old.execute("DROP TABLE fixed_addresses")
    old.close()

    with Database(path) as database:
        assert database.load() == [some_address()]
        database.commit(ledger.Ledger().changed(replace(some_address(), fixed="claim-1")))
        assert database.load() == [replace(some_address(), fixed="claim-1")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(before=any_address, after=any_address)
def test_every_valid_address_survives_and_the_last_commit_wins(tmp_path_factory, before, after):
    assume(after.fixed or not before.fixed or after.ip != before.ip)  # a fixed address stays one
    path = tmp_path_factory.mktemp("store") / "ipamd.db"
    with Database(path) as database:
        first = ledger.Ledger().changed(before)
        database.commit(first)
        second = first.ledger.changed(after, forget=[] if after.ip == before.ip else [before.ip])
        database.commit(second)

    with Database(path) as database:
        assert database.load() == [after]


def test_commit_that_breaks_an_invariant_changes_nothing(path):
    with Database(path) as database:
        database.commit(ledger.Ledger().changed(some_address(eip_id="eip-1")))

        with pytest.raises(StoreError, match="UNIQUE"):
            database.commit(ledger.Ledger().changed(some_address("10.0.1.11", "c2", "eip-1")))
        with pytest.raises(StoreError, match="UNIQUE"):
            database.commit(ledger.Ledger().changed(some_address("10.0.1.12", "c1")))

        assert database.load() == [some_address(eip_id="eip-1")]


def test_sandbox_may_move_from_one_address_to_another_in_one_commit(path):
    with Database(path) as database:
        database.commit(ledger.Ledger().changed(some_address("10.0.1.10")))
        freed = states.Address(ip="10.0.1.10", eni_id="eni-1", state=states.Cooling(until=NOW), added_at=NOW)
        moved = ledger.Ledger().changed(some_address("10.0.1.11"), freed)
        database.commit(moved)

        assert {a.ip: a for a in database.load()} == dict(moved.ledger.addresses)


def test_killed_process_leaves_what_it_had_committed(path):
    script = f"""
        import os, signal
        from pathlib import Path
        from ipamd.core.ledger import ledger
        from ipamd.store.database import Database
        database = Database(Path({str(path)!r}))
        database.commit(ledger.adopt(ledger.Ledger(), "eni-1", ["10.0.1.10"], 1.0))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=60)

    opened = recovery.open_store(path, "boot-1")
    with opened.database:
        assert list(opened.ledger.addresses) == ["10.0.1.10"]


def test_second_agent_on_the_same_store_is_refused(path):
    with Database(path), pytest.raises(errors.InvalidInputError, match="in use by another agent"):
        Database(path)

    Database(path).close()


def test_only_root_may_read_it(path):
    with Database(path):
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


def test_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(errors.InvalidInputError, match=r"--state-dir"):
        Database(tmp_path / "file" / "ipamd.db")


def test_store_of_a_newer_release_is_left_alone(path):
    with Database(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO migrations VALUES (?, 0)", (len(schema.MIGRATIONS) + 1,))
    connection.close()

    with pytest.raises(errors.InvalidInputError, match="newer release"):
        recovery.open_store(path, "boot-1")
    assert path.exists()


@pytest.mark.parametrize("damage", [b"", b"not a database, by far" * 100])
def test_damaged_file_is_moved_aside_and_the_agent_starts_empty(path, damage, caplog):
    with Database(path) as database:
        database.commit(ledger.Ledger().changed(some_address()))
        database.put_fact("boot_id", "boot-1")
    content = path.read_bytes()
    path.write_bytes(damage or content[: len(content) // 2])

    opened = recovery.open_store(path, "boot-1")

    with opened.database:
        assert opened.past is recovery.Past.NONE
        assert opened.ledger == ledger.Ledger()
    assert list(path.parent.glob("ipamd.db.damaged-*"))
    assert "moved to" in caplog.text


def test_a_clock_that_was_set_back_costs_no_damaged_file(path):
    path.parent.mkdir()
    for content in (b"first", b"second"):
        path.write_bytes(content)
        set_aside(path, now=NOW)

    assert sorted(file.read_bytes() for file in path.parent.glob("*.damaged-*")) == [b"first", b"second"]


def test_row_that_makes_no_address_counts_as_damage(path):
    with Database(path) as database:
        database.commit(ledger.Ledger().changed(some_address()))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE addresses SET state = 'enchanted'")
    connection.close()

    with Database(path) as database, pytest.raises(DamagedError, match="enchanted"):
        database.load()


def test_boot_id_tells_restart_from_reboot(path):
    for boot_id, past in [
        ("boot-1", recovery.Past.NONE),
        ("boot-1", recovery.Past.SAME_BOOT),
        ("boot-2", recovery.Past.EARLIER_BOOT),
        ("boot-2", recovery.Past.SAME_BOOT),
    ]:
        opened = recovery.open_store(path, boot_id)
        with opened.database as database:
            assert opened.past is past
            recovery.finish_start(database, boot_id)


def test_crash_before_the_reboot_was_dealt_with_is_still_a_reboot(path):
    with recovery.open_store(path, "boot-1").database as database:
        recovery.finish_start(database, "boot-1")
    with recovery.open_store(path, "boot-2").database:
        pass

    opened = recovery.open_store(path, "boot-2")
    with opened.database:
        assert opened.past is recovery.Past.EARLIER_BOOT


def test_crash_before_a_reboot_was_dealt_with_leaves_the_old_times_with_the_old_boot(path):
    """Else the times of one boot would be read by the clock of another."""
    with recovery.open_store(path, "boot-1").database as database:
        recovery.finish_start(database, "boot-1")
        database.put_intent(Intent(token="t1", action="CreateEni", arguments={}, created_at=9e5))
    with recovery.open_store(path, "boot-2").database as database:
        assert database.intents()[0].created_at == 9e5


def test_the_age_of_an_intent_begins_again_with_each_boot_and_not_with_each_start(path):
    with recovery.open_store(path, "boot-1").database as database:
        recovery.finish_start(database, "boot-1")
        database.put_intent(Intent(token="t1", action="CreateEni", arguments={}, created_at=9e5))
        recovery.finish_start(database, "boot-1")
        assert database.intents()[0].created_at == 9e5
    with recovery.open_store(path, "boot-2").database as database:
        recovery.finish_start(database, "boot-2")
        assert database.intents()[0].created_at == BOOT


def test_the_first_write_after_a_reboot_makes_the_times_those_of_this_boot(path):
    """Together with what it writes: a store never claims one boot with rows of another."""
    with recovery.open_store(path, "boot-1").database as database:
        recovery.finish_start(database, "boot-1")
        database.put_intent(Intent(token="t1", action="CreateEni", arguments={}, created_at=9e5))
    with recovery.open_store(path, "boot-2").database as database:
        database.expect_boot("boot-2")
        assert database.fact("boot_id") == "boot-1", "nothing is written yet"
        assert database.intents()[0].created_at == BOOT, "its age is not known any more"

        database.put_fact("limits", {"enis": 4})

        assert database.fact("boot_id") == "boot-2"
        database.put_intent(Intent(token="t2", action="CreateEni", arguments={}, created_at=70.0))
        assert [intent.created_at for intent in database.intents()] == [BOOT, 70.0]


def store_of_the_first_release(path, wall):
    """An address that cools for another 20 s and an intent of 30 s ago, where the wall clock shows `wall`."""
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript(schema.MIGRATIONS[0])
        connection.execute("CREATE TABLE migrations (version INTEGER PRIMARY KEY, at REAL) STRICT")
        connection.execute("INSERT INTO migrations VALUES (1, 0)")
        connection.execute(
            "INSERT INTO addresses (ip, eni_id, state, until, added_at) VALUES (?, ?, ?, ?, ?)",
            ("10.0.1.10", "eni-1", "cooling", wall + 20, wall - 100),
        )
        connection.execute("INSERT INTO intents VALUES ('t1', 'CreateEni', '{}', ?)", (wall - 30,))
    connection.close()


def test_unix_times_of_an_earlier_release_become_instants_of_the_boot(path):
    wall, now = time.time(), boot.clock()
    store_of_the_first_release(path, wall)

    with Database(path) as database:
        (address,) = database.load()
        (intent,) = database.intents()

    assert address.missing_since is None
    assert [address.state.until, address.added_at, intent.created_at] == pytest.approx(
        [now + 20, now - 100, now - 30], abs=5
    )
    with Database(path) as database:
        assert database.load() == [address]


@pytest.mark.parametrize("ahead", [3600, -3600, 4e9, -1.7e9])
def test_an_earlier_release_with_a_wrong_clock_freezes_no_address(path, ahead):
    store_of_the_first_release(path, time.time() + ahead)

    with recovery.open_store(path, "boot-1").database as database:
        read = ledger.Ledger.of(database.load())
    now = boot.clock()
    taken_over = restart.restarted(read, restart.Spans(hold=120, cooldown=30), now).ledger

    assert ledger.expire(taken_over, 30, now + 30).ledger.available


def test_intents_are_kept_until_they_are_struck_out(path):
    first = Intent(token="t1", action="CreateEni", arguments={"subnet": "subnet-1"}, created_at=1.0)
    second = Intent(token="t2", action="CreateEni", arguments={}, created_at=2.0)
    with Database(path) as database:
        database.put_intent(second)
        database.put_intent(first)
    with Database(path) as database:
        assert database.intents() == [first, second]
        database.drop_intent("t1")
        database.drop_intent("unknown")
        assert database.intents() == [second]


def test_facts_are_json(path):
    with Database(path) as database:
        assert database.fact("limits") is None
        database.put_fact("limits", {"enis": 4})
        database.put_fact("limits", {"enis": 6})
        assert database.fact("limits") == {"enis": 6}


def test_sandboxes_of_the_second_schema_keep_the_links_that_they_have(path):
    """Written when a link was named by its Pod, and a sandbox by its network as well."""
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE migrations (version INTEGER PRIMARY KEY, at REAL) STRICT")
        old.executescript(schema.MIGRATIONS[0])
        old.execute("INSERT INTO migrations VALUES (1, 0.0), (2, 0.0)")
        for ip, state, stage in (
            ("10.0.1.10", "assigned", "bound"),
            ("10.0.1.11", "assigned", None),
            ("10.0.1.12", "held", None),
            ("10.0.1.13", "occupied", None),
        ):
            eip = ("eip-1", "198.18.0.1", stage, "default/web-0", 0) if stage else (None,) * 5
            since, until = (None, NOW) if state == "held" else (NOW, None)
            old.execute(
                "INSERT INTO addresses VALUES (?, 'eni-1', ?, ?, ?, 1000.0, NULL, ?, ?, ?, ?, ?)",
                (ip, state, since, until, *eip),
            )
            key = (None,) * 3 if state == "occupied" else ("tke-eni", f"c{ip[-2:]}", "eth0")
            link = "eni0123456789a" if state == "occupied" else None
            netns = "/run/netns/x" if state == "assigned" else None
            by_name = 1 if state == "held" else None
            old.execute(
                "INSERT INTO leases VALUES (?, ?, ?, ?, 'default', 'web-0', 'u1', ?, ?, ?)",
                (ip, *key, netns, by_name, link),
            )
    old.close()

    with Database(path) as database:
        found = {address.ip: address.state for address in database.load()}

    pod = model.PodRef(namespace="default", name="web-0", uid="u1")
    wired = states.Assigned(
        key=model.SandboxKey(container_id="c10", ifname="eth0"),
        pod=pod,
        since=NOW,
        host_interface=names.host_veth_of_pod("default", "web-0"),
        host_mac="0a:e0:0a:00:01:0a",
        network="tke-eni",
        netns="/run/netns/x",
        awaits_eip=True,
    )
    second_key = replace(wired.key, container_id="c11")
    second = replace(wired, key=second_key, host_mac="0a:e0:0a:00:01:0b", awaits_eip=False)
    gone = model.SandboxKey(container_id="c12", ifname="eth0")
    assert found == {
        "10.0.1.10": wired,
        "10.0.1.11": second,
        "10.0.1.12": states.Held(key=gone, pod=pod, until=NOW, by_name=True),
        "10.0.1.13": states.Occupied(
            host_interface="eni0123456789a", host_mac="0a:e0:0a:00:01:0d", pod=pod, since=NOW
        ),
    }
