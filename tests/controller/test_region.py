"""A controller that has to ask for its region waits for the metadata service, longer each time."""

from ipamd.controller.region import asked_region
from ipamd.core.cloud_errors.codes import cloud_error


class MetadataService:
    """Answers after so many failures, and tells how long it was left alone after each."""

    def __init__(self, failures, ends_after=1000):
        self.failures = failures
        self.ends_after = ends_after
        self.asked = 0
        self.pauses = []

    def region(self):
        self.asked += 1
        if self.asked <= self.failures:
            raise cloud_error("metadata placement/region", "ClientNetworkError", "connection refused")
        return "ap-guangzhou"

    def wait(self, seconds):
        self.pauses.append(seconds)
        return len(self.pauses) >= self.ends_after


def test_an_answer_is_taken_at_once():
    service = MetadataService(failures=0)

    assert asked_region(service.region, service.wait) == "ap-guangzhou"
    assert service.pauses == []


def test_it_is_asked_again_until_it_answers_after_twice_the_time_up_to_a_quarter_of_a_minute(caplog):
    service = MetadataService(failures=8)

    assert asked_region(service.region, service.wait) == "ap-guangzhou"

    longest = [0.5, 1, 2, 4, 8, 15, 15, 15]
    assert len(service.pauses) == len(longest)
    assert all(most / 2 <= pause <= most for pause, most in zip(service.pauses, longest, strict=True))
    assert "--region would say" in caplog.text
    assert "connection refused" in caplog.text


def test_who_is_told_to_end_asks_no_more():
    service = MetadataService(failures=8, ends_after=3)

    assert asked_region(service.region, service.wait) == ""
    assert service.asked == 3
