"""How full the subnets are, as the agent shows it."""

from dataclasses import replace

import pytest

from ipamd.agent.pool.subnets import SubnetLevels
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.model import Subnet


class Reader:
    """Answers with what a test says, or refuses."""

    def __init__(self):
        self.free = {"subnet-a": 200, "subnet-b": 3}
        self.refusal = None
        self.asked = []

    def describe_subnets(self, subnet_ids, deadline=None):
        assert deadline is not None
        self.asked.append(subnet_ids)
        if self.refusal:
            raise self.refusal
        return [
            Subnet(
                subnet_id=subnet_id,
                vpc_id="vpc-1",
                zone="z",
                cidr="10.0.1.0/24",
                available_ips=self.free[subnet_id],
                route_table_id="rtb-1",
            )
            for subnet_id in subnet_ids
        ]


def shown(levels):
    return {metric.name: metric.samples for metric in levels.metrics()}


def test_each_subnet_is_asked_for_once_and_shown_with_its_size():
    reader = Reader()
    levels = SubnetLevels(reader, lambda: ["subnet-b", "subnet-a", "subnet-b"], low=10)
    assert shown(levels)["tke_eni_subnet_free_addresses"] == {}

    levels.look()

    assert reader.asked == [["subnet-a", "subnet-b"]]
    found = shown(levels)
    assert found["tke_eni_subnet_free_addresses"] == {("subnet-a",): 200, ("subnet-b",): 3}
    assert found["tke_eni_subnet_addresses"] == {("subnet-a",): 253, ("subnet-b",): 253}


def test_a_refusal_leaves_the_last_answer_and_hinders_nobody():
    reader = Reader()
    levels = SubnetLevels(reader, lambda: ["subnet-a"], low=10)
    levels.look()
    reader.refusal = cloud_error("DescribeSubnets", "UnauthorizedOperation", "no")

    levels.look()

    assert shown(levels)["tke_eni_subnet_free_addresses"] == {("subnet-a",): 200}


def test_a_subnet_is_low_below_the_number_that_was_given_and_a_quarter_of_it():
    reader = Reader()
    levels = SubnetLevels(reader, lambda: ["subnet-a", "subnet-b"], low=10)
    levels.look()

    [sentence] = levels.low()
    assert sentence.startswith("subnet subnet-b (10.0.1.0/24, z) has 3 free addresses left")
    [entry] = levels.entries()
    assert (entry.reason, entry.weight.name) == ("SubnetLow", "WARNING")


def test_what_somebody_else_has_seen_counts_until_the_next_look():
    reader = Reader()
    levels = SubnetLevels(reader, lambda: ["subnet-a"], low=300)
    levels.look()
    [seen] = reader.describe_subnets(["subnet-a"], deadline=0)

    levels.seen([replace(seen, available_ips=2)])
    assert shown(levels)["tke_eni_subnet_free_addresses"] == {("subnet-a",): 2}
    assert levels.low()

    levels.look()
    assert levels.low() == []


NO_ADDRESS = cloud_error("AssignPrivateIpAddresses", "ResourceInsufficient.Subnet", "full")


@pytest.mark.parametrize(
    ("refusals", "told"),
    [
        ([], ["subnet-a", "subnet-b"]),
        ([TryAgainError("another request is under way")], ["subnet-a", "subnet-b"]),
        ([cloud_error("AssignPrivateIpAddresses", "InternalError", "?")], ["subnet-a", "subnet-b"]),
        ([TryAgainError("another request is under way"), NO_ADDRESS], ["subnet-b"]),
    ],
)
def test_a_subnet_without_any_address_is_left_out_while_the_cloud_refuses_for_it(refusals, told):
    reader = Reader()
    reader.free = {"subnet-a": 0, "subnet-b": 1, "subnet-c": 200}
    levels = SubnetLevels(reader, lambda: list(reader.free), low=10)
    levels.look()

    assert [sentence.split()[1] for sentence in levels.low(refusals)] == told


@pytest.mark.parametrize(
    ("free", "low", "told"), [(9, 10, True), (10, 10, False), (62, 300, True), (63, 300, False)]
)
def test_a_subnet_is_low_below_the_warning_and_never_with_a_quarter_of_its_addresses(free, low, told):
    reader = Reader()
    reader.free = {"subnet-a": free}
    levels = SubnetLevels(reader, lambda: ["subnet-a"], low=low)
    levels.look()

    assert bool(levels.low()) is told


def test_without_subnets_nobody_is_asked():
    reader = Reader()

    SubnetLevels(reader, list, low=10).look()

    assert reader.asked == []
