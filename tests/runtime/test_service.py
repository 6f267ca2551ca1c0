"""The order in which services start and stop, and how long each may take."""

import logging

import pytest

from ipamd.runtime.metric import gauge
from ipamd.runtime.service import Service, Services, ended


class Recorded:
    """A service that notes what is asked of it."""

    def __init__(self, name, notes, *, ends=True, defect=False, **kwargs):
        self.name, self.notes, self.ends, self.defect = name, notes, ends, defect
        self.service = Service(name=name, start=self.start, stop=self.stop, **kwargs)

    def start(self):
        self.notes.append(f"start {self.name}")

    def stop(self, seconds):
        self.notes.append(f"stop {self.name} within {seconds:.0f}")
        if self.defect:
            raise ZeroDivisionError
        return self.ends


@pytest.fixture
def notes():
    return []


def of(notes, *names, **kwargs):
    return [Recorded(name, notes, **kwargs).service for name in names]


def test_services_start_in_their_order_and_stop_in_the_opposite_one(notes):
    services = Services(*of(notes, "a", "b"))

    services.start()

    assert services.stop(10)
    assert notes == ["start a", "start b", "stop b within 10", "stop a within 10"]


def test_a_service_gets_no_more_than_its_grace_and_others_do(notes):
    services = Services(*of(notes, "patient"), *of(notes, "quick", grace=2.0))

    assert services.stop(10)
    assert notes == ["stop quick within 2", "stop patient within 10"]


def test_a_service_never_gets_more_than_is_left(notes):
    assert Services(*of(notes, "a", grace=60.0)).stop(10)
    assert notes == ["stop a within 10"]


@pytest.mark.parametrize("stop", [Services.stop, Services.stop_together])
def test_who_does_not_end_or_has_a_defect_is_named_and_keeps_no_other_from_its_stop(notes, caplog, stop):
    caplog.set_level(logging.WARNING, logger="ipamd.runtime.service")
    services = Services(*of(notes, "a"), *of(notes, "b", ends=False), *of(notes, "c", defect=True))

    assert not stop(services, 10)

    assert sorted(notes) == [f"stop {name} within 10" for name in "abc"]
    told = [record.getMessage() for record in caplog.records]
    assert any("b is still at work after 10 s" in line for line in told)
    assert any("c could not be stopped, by a defect" in line for line in told)


def test_what_has_a_limit_of_its_own_is_stopped_whatever_is_left():
    stopped = []

    assert Services(Service(name="cache", stop=ended(lambda: stopped.append("cache")))).stop(0)
    assert stopped == ["cache"]


def test_services_show_what_each_shows_in_their_order():
    def showing(name):
        return Service(name=name, metrics=lambda: [gauge(name, name, 1.0)])

    shown = [showing("a"), showing("b")]

    assert [metric.name for metric in Services(*shown, Service(name="silent")).metrics()] == ["a", "b"]
