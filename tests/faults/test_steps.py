"""Steps are announced before and after each effect, to everybody who listens and to nobody else."""

import pytest

from ipamd import steps


class Heard:
    def __init__(self):
        self.calls = []

    def before(self, step):
        self.calls.append(("before", step))

    def after(self, step, seconds, error):
        assert seconds >= 0
        self.calls.append(("after", step, error))


@pytest.fixture
def heard():
    heard = Heard()
    leave = steps.listen(heard)
    yield heard
    leave()


def test_a_listener_hears_of_a_step_before_and_after_its_effect(heard):
    with steps.step("cloud.AllocateAddresses"):
        heard.calls.append("the effect")

    assert heard.calls == [
        ("before", "cloud.AllocateAddresses"),
        "the effect",
        ("after", "cloud.AllocateAddresses", None),
    ]


def test_a_step_that_fails_is_over_too_and_its_error_goes_on(heard):
    with pytest.raises(OSError, match="refused"), steps.step("sysctl.ip_forward"):
        raise OSError("refused")

    assert [call[0] for call in heard.calls] == ["before", "after"]
    assert isinstance(heard.calls[-1][2], OSError)


def test_what_a_listener_raises_before_a_step_keeps_it_from_being_taken():
    class Objector(Heard):
        def before(self, step):
            raise RuntimeError("no")

    leave = steps.listen(Objector())
    taken = []
    try:
        with pytest.raises(RuntimeError), steps.step("kube.create.events"):
            taken.append(1)
    finally:
        leave()

    assert taken == []


def test_who_has_left_hears_nothing_and_who_stays_hears_on(heard):
    other = Heard()
    leave = steps.listen(other)
    leave()
    leave()

    with steps.step("store.put_fact"):
        pass

    assert other.calls == []
    assert len(heard.calls) == 2


def test_who_begins_to_listen_during_a_step_hears_of_the_next_one_only():
    late = Heard()
    with steps.step("nft.write_table"):
        leave = steps.listen(late)
    with steps.step("store.migrate"):
        pass
    leave()

    assert [call[1] for call in late.calls] == ["store.migrate", "store.migrate"]
