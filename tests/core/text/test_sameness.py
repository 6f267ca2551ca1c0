"""Messages that say the same again."""

import pytest

from ipamd.core.text.sameness import essence

EXPIRED = "Signature expired: the timestamp {} is more than 300 seconds away from {}. (RequestId {}); set it"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (EXPIRED.format(1795986830, 1795983230, "r-1"), EXPIRED.format(1795986842, 1795983242, "r-2")),
        ("gone since 2026-11-29T20:00:01Z", "gone since 2026-11-29T20:00:05.123+08:00"),
        ("no (RequestId 1-a); wait", "no (RequestId 2-b); wait"),
    ],
)
def test_request_ids_and_times_make_no_news(one, other):
    assert essence(one) == essence(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("eip-1a2b3c4d is blocked", "eip-1a2b3c4e is blocked"),
        ("has 20 of 20", "has 21 of 20"),
        ("uin 1250000000", "uin 1250000001"),
        ("wait (RequestId r-1); now", "wait (RequestId r-1); later"),
    ],
)
def test_all_else_does(one, other):
    assert essence(one) != essence(other)
