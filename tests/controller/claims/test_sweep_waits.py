"""Who waits for a pass of the sweep is woken by it, once."""

from ipamd.controller.claims.sweep_waits import SweepWaits


def test_all_that_wait_are_woken_once():
    woken: list[tuple[str, str]] = []
    waits = SweepWaits(woken.append)
    for name in ("a", "b", "a"):
        waits.add(("default", name))

    waits.wake()
    assert sorted(woken) == [("default", "a"), ("default", "b")]
    waits.wake()
    assert len(woken) == 2


def test_who_waits_again_while_it_is_woken_is_woken_by_the_next_pass():
    woken: list[tuple[str, str]] = []

    def look(key):
        woken.append(key)
        waits.add(key)

    waits = SweepWaits(look)
    waits.add(("default", "a"))

    waits.wake()
    waits.wake()

    assert woken == [("default", "a")] * 2
