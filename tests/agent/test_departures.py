"""What has left the node is not believed to be here because of a list that may be older, whoever reads it."""

import pytest

from ipamd.agent.departures import LAG_SECONDS, Departures
from ipamd.core.ledger.cloud_listing import place
from ipamd.core.timing.boottime import Boottime
from ipamd.store.database import Database, StoreError

IP, ENI, OTHER = "10.0.1.50", "eni-1", "eni-2"


@pytest.fixture
def database(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield database


def departures(database, now):
    return Departures(database, lambda: now)


def test_a_list_that_was_asked_for_before_or_soon_after_says_nothing(database):
    left = departures(database, 100.0)
    left.note_eni(ENI)
    left.note_addresses(OTHER, IP)

    assert left.doubted(99.0) == {ENI, place(OTHER, IP)}
    assert left.doubted(100.0 + LAG_SECONDS - 0.1) == {ENI, place(OTHER, IP)}
    assert left.doubted(100.0 + LAG_SECONDS) == frozenset()


def test_the_next_agent_knows_of_it(database):
    departures(database, 100.0).note_addresses(ENI, IP)

    assert departures(database, 105.0).doubted(105.0) == {place(ENI, IP)}


def test_what_has_left_before_a_reboot_is_of_no_meaning_after_it(database):
    departures(database, 100.0).note_eni(ENI)

    assert departures(database, 20.0).doubted(20.0) == frozenset()


def test_a_list_that_is_taken_in_late_does_not_bring_back_what_has_left_since_it_was_asked_for(database):
    now = [Boottime(100.0)]
    left = Departures(database, lambda: now[0])
    left.note_eni(ENI)
    now[0] = Boottime(100.0 + 2 * LAG_SECONDS)
    left.note_eni(OTHER)

    assert ENI in left.doubted(99.0)


def test_what_is_long_past_is_not_kept(database):
    departures(database, 100.0).note_eni(ENI)
    departures(database, 1000.0).note_eni(OTHER)

    assert database.fact("departures") == {OTHER: 1000.0}


def test_a_disk_that_takes_nothing_leaves_it_known_to_this_agent(database):
    left = departures(database, 100.0)
    database.close()

    left.note_eni(ENI)

    assert left.doubted(101.0) == {ENI}
    with pytest.raises(StoreError):
        database.fact("departures")
