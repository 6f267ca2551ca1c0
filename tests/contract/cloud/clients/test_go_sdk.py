"""What the unmodified Go SDK sees: its typed clients decode every answer and follow every task."""

import pytest

from ipamd.core.cloud_errors.codes import meaning
from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind


def kind(seen, name):
    code = seen[name]
    assert code, f"{name} was not refused"
    assert not code.startswith("not of the SDK"), code
    return meaning(code).kind


class TestEips:
    @pytest.fixture
    def seen(self, scenario):
        return scenario("eips")

    def test_an_order_delivers_one_eip_that_is_free_to_bind(self, seen):
        assert seen["ordered"] == 1
        assert seen["free"] == {
            "bandwidth": 7,
            "isp": "BGP",
            "type": "EIP",
            "has_ip": True,
            "name": "contract-go",
        }

    def test_a_client_token_orders_once_and_nothing_else(self, seen):
        assert seen["repeat_is_the_same"] is True
        assert kind(seen, "other_order_same_token") in (Kind.NEW_TOKEN, Kind.INVALID)

    def test_every_task_is_told_to_have_succeeded(self, seen):
        assert [seen[f"{task}_task"] for task in ("order", "bind", "unbind")] == ["SUCCESS"] * 3

    def test_it_is_found_by_its_tags_and_by_its_eni(self, seen):
        assert (seen["found_by_tags"], seen["found_by_eni"]) == (1, 1)

    def test_a_bound_eip_names_its_place_and_the_place_names_it(self, seen):
        assert seen["bound"] == {"at_the_address": True, "of_the_cvm": True}
        assert seen["eni_names_the_eip"] is True

    def test_a_bound_eip_is_neither_released_nor_bound_elsewhere(self, seen):
        assert kind(seen, "release_of_a_bound_one") is Kind.WRONG_STATE
        assert kind(seen, "bind_of_a_bound_one") is Kind.WRONG_STATE

    def test_what_is_free_or_gone_is_told_as_such(self, seen):
        assert kind(seen, "unbind_of_a_free_one") is Kind.WRONG_STATE
        assert kind(seen, "release_of_a_gone_one") is Kind.NOT_FOUND


class TestEnis:
    @pytest.fixture
    def seen(self, scenario):
        return scenario("enis")

    def test_a_created_eni_is_attached_with_its_addresses(self, seen):
        assert seen["attached"] == {
            "state": "AVAILABLE",
            "primary": False,
            "to_the_cvm": True,
            "addresses": 2,
            "has_mac": True,
        }

    def test_a_client_token_creates_once(self, seen):
        assert seen["repeat_is_the_same"] is True

    def test_addresses_come_and_go(self, seen):
        assert (seen["assigned"], seen["addresses_left"]) == (2, 3)

    def test_every_task_is_told_to_have_succeeded(self, seen):
        tasks = [seen[f"{task}_task"] for task in ("create", "assign", "unassign", "detach")]
        assert tasks == ["SUCCESS"] * 4

    def test_it_is_detached_before_it_is_deleted(self, seen):
        assert kind(seen, "delete_of_an_attached_one") is Kind.WRONG_STATE
        assert seen["detached"] is True
        assert kind(seen, "delete_of_a_gone_one") is Kind.NOT_FOUND


class TestRefusals:
    @pytest.fixture
    def seen(self, scenario):
        return scenario("refusals")

    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            ("bandwidth_101", Kind.INVALID),
            ("bind_of_an_unknown_eip", Kind.NOT_FOUND),
            ("release_of_an_unknown_eip", Kind.NOT_FOUND),
            ("release_of_a_malformed_id", Kind.INVALID),
            ("page_of_101", Kind.INVALID),
            ("malformed_instance", Kind.INVALID),
            ("wrong_key", Kind.CREDENTIALS),
            ("unknown_id", Kind.CREDENTIALS),
            ("unknown_region", Kind.INVALID),
        ],
    )
    def test_a_wrong_request_is_refused_with_a_code_that_means_it(self, seen, request_, expected):
        assert kind(seen, request_) is expected

    def test_the_cvm_is_found_by_the_other_product(self, seen):
        assert seen["instances"] == 1
