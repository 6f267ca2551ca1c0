"""Steps are announced before and after each effect, to everybody who listens and to nobody else."""

import pytest

from ipamd.runtime import failpoints


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
    leave = failpoints.listen(heard)
    yield heard
    leave()


def test_a_listener_hears_of_a_step_before_and_after_its_effect(heard):
    with failpoints.failpoint("cloud.AllocateAddresses"):
        heard.calls.append("the effect")

    assert heard.calls == [
        ("before", "cloud.AllocateAddresses"),
        "the effect",
        ("after", "cloud.AllocateAddresses", None),
    ]


def test_a_step_that_fails_is_over_too_and_its_error_goes_on(heard):
    with pytest.raises(OSError, match="refused"), failpoints.failpoint("sysctl.ip_forward"):
        raise OSError("refused")

    assert [call[0] for call in heard.calls] == ["before", "after"]
    assert isinstance(heard.calls[-1][2], OSError)


def test_what_a_listener_raises_before_a_step_keeps_it_from_being_taken():
    class Objector(Heard):
        def before(self, step):
            raise RuntimeError("no")

    leave = failpoints.listen(Objector())
    taken = []
    try:
        with pytest.raises(RuntimeError), failpoints.failpoint("kube.create.events"):
            taken.append(1)
    finally:
        leave()

    assert taken == []


def test_who_has_left_hears_nothing_and_who_stays_hears_on(heard):
    other = Heard()
    leave = failpoints.listen(other)
    leave()
    leave()

    with failpoints.failpoint("store.put_fact"):
        pass

    assert other.calls == []
    assert len(heard.calls) == 2


def test_who_begins_to_listen_during_a_step_hears_of_the_next_one_only():
    late = Heard()
    with failpoints.failpoint("nft.write_table"):
        leave = failpoints.listen(late)
    with failpoints.failpoint("store.migrate"):
        pass
    leave()

    assert [call[1] for call in late.calls] == ["store.migrate", "store.migrate"]
