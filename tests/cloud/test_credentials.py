"""Which credential signs, when it is renewed, and that it is never used too long."""

import logging
import threading

import pytest

from ipamd.cloud import credentials
from ipamd.cloud.credentials import Credential, RoleCredentials
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import InvalidInputError
from tests.testkit.clock import Clock


class MetadataService:
    """Hands out numbered credentials of two hours, or fails."""

    def __init__(self, lifetime=7200.0):
        self.lifetime = lifetime
        self.fetched = 0
        self.down = False

    def credential(self):
        self.fetched += 1
        if self.down:
            raise cloud_error("metadata cam/security-credentials/", "ClientNetworkError", "no route")
        return Credential(
            secret_id=f"AKID{self.fetched:04}",
            secret_key="the-secret-key",
            token="the-token",
            lifetime=self.lifetime,
        )


@pytest.fixture
def clock():
    return Clock(1_000_000.0)


@pytest.fixture
def service():
    return MetadataService()


@pytest.fixture
def role(service, clock):
    return RoleCredentials(service.credential, clock=clock)


def test_the_environment_gives_a_static_key_pair_with_its_token():
    found = credentials.from_environment(
        {
            "TENCENTCLOUD_SECRET_ID": "AKID1",
            "TENCENTCLOUD_SECRET_KEY": " key\n",
            "TENCENTCLOUD_TOKEN": "tok",
        }
    )
    assert found is not None
    assert found.get_credential_info() == ("AKID1", "key", "tok")
    assert not found.reject()


def test_without_variables_the_environment_has_none():
    assert credentials.from_environment({"PATH": "/bin"}) is None


@pytest.mark.parametrize("half", ["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"])
def test_half_a_key_pair_is_refused_by_the_name_of_the_missing_half(half):
    with pytest.raises(InvalidInputError) as caught:
        credentials.from_environment({half: "x"})
    assert half not in caught.value.message


def test_a_role_credential_is_fetched_once_and_kept(role, service, clock):
    assert role.get_credential_info() == ("AKID0001", "the-secret-key", "the-token")
    clock.now += 3600
    assert role.get_credential_info()[0] == "AKID0001"
    assert service.fetched == 1


def test_it_is_renewed_ahead_of_expiry(role, clock):
    role.get_credential_info()
    clock.now += 7200 - credentials.RENEW_AHEAD + 1
    assert role.get_credential_info()[0] == "AKID0002"


def test_while_the_service_is_down_the_old_one_serves_until_it_expires_and_no_longer(role, service, clock):
    role.get_credential_info()
    service.down = True
    clock.now += 7200 - 60
    assert role.get_credential_info()[0] == "AKID0001"
    clock.now += 60
    with pytest.raises(CloudError, match="no route") as caught:
        role.get_credential_info()
    assert caught.value.kind is CloudErrorKind.CREDENTIALS
    service.down = False
    assert role.get_credential_info()[0] != "AKID0001"


def test_a_service_that_is_down_is_not_asked_at_every_call(role, service, clock):
    role.get_credential_info()
    service.down = True
    clock.now += 7200 - 120
    for _ in range(50):
        role.get_credential_info()
    assert service.fetched == 2
    clock.now += credentials.RETRY_AFTER
    role.get_credential_info()
    assert service.fetched == 3


def test_a_credential_that_comes_expired_is_refused(clock):
    role = RoleCredentials(MetadataService(lifetime=-3600).credential, clock=clock)
    with pytest.raises(CloudError, match="expired 3600 s ago") as caught:
        role.get_credential_info()
    assert caught.value.kind is CloudErrorKind.CREDENTIALS


def test_the_time_that_the_answer_takes_is_taken_off_its_life(clock):
    service = MetadataService(lifetime=60)

    def slowly():
        fresh = service.credential()
        clock.now += 50
        return fresh

    with pytest.raises(CloudError, match="good for 10 s only"):
        RoleCredentials(slowly, clock=clock).get_credential_info()


def test_a_rejected_credential_is_replaced(role, clock):
    assert role.get_credential_info()[0] == "AKID0001"
    clock.now += 100
    assert role.reject()
    assert role.get_credential_info()[0] == "AKID0002"


def test_threads_that_were_refused_the_old_one_do_not_throw_the_new_one_away(role, service, clock):
    role.get_credential_info()
    clock.now += 100
    role.reject()
    role.get_credential_info()
    assert role.reject()
    assert role.get_credential_info()[0] == "AKID0002"
    assert service.fetched == 2


def test_many_threads_fetch_once(clock):
    service = MetadataService()
    arrived = threading.Barrier(9)
    gate = threading.Event()

    def slowly():
        gate.wait(5)
        return service.credential()

    role = RoleCredentials(slowly, clock=clock)
    seen = []

    def use():
        arrived.wait(5)
        seen.append(role.get_credential_info()[0])

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    arrived.wait(5)
    gate.set()
    for thread in threads:
        thread.join(5)
    assert seen == ["AKID0001"] * 8


def test_secrets_appear_in_no_repr_message_or_log(role, service, clock, caplog):
    caplog.set_level(logging.DEBUG)
    role.get_credential_info()
    service.down = True
    clock.now += 7200 - 60
    role.get_credential_info()
    clock.now += 60
    with pytest.raises(CloudError) as caught:
        role.get_credential_info()
    said = caplog.text + str(caught.value) + repr(service.__class__().credential())
    assert "the-secret-key" not in said
    assert "the-token" not in said
