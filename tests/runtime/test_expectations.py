"""The same action again is early while its effect may be on its way."""

from ipamd.runtime.expectations import Expectations


def test_what_succeeds_and_is_due_unchanged_comes_again_more_and_more_seldom():
    now = [0.0]
    expectations = Expectations(clock=lambda: now[0], random=lambda: 1.0)
    pauses = []
    for _ in range(8):
        expectations.done("claim", "announce")
        began = now[0]
        while expectations.is_early("claim", "announce"):
            now[0] += 0.5
        pauses.append(now[0] - began)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]

    expectations.done("claim", "announce")
    assert not expectations.is_early("claim", "withdraw")
    assert not expectations.is_early("other claim", "announce")
    expectations.keep_only({"other claim"})
    assert not expectations.is_early("claim", "announce")
