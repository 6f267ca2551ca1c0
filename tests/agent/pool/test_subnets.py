"""How full the subnets are, as the agent shows it."""

from ipamd.agent.pool.subnets import SubnetLevels
from ipamd.core.cloud_errors.codes import cloud_error
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
    levels = SubnetLevels(reader, lambda: ["subnet-b", "subnet-a", "subnet-b"])
    assert shown(levels)["tke_eni_subnet_free_addresses"] == {}

    levels.look()

    assert reader.asked == [["subnet-a", "subnet-b"]]
    found = shown(levels)
    assert found["tke_eni_subnet_free_addresses"] == {("subnet-a",): 200, ("subnet-b",): 3}
    assert found["tke_eni_subnet_addresses"] == {("subnet-a",): 253, ("subnet-b",): 253}


def test_a_refusal_leaves_the_last_answer_and_hinders_nobody():
    reader = Reader()
    levels = SubnetLevels(reader, lambda: ["subnet-a"])
    levels.look()
    reader.refusal = cloud_error("DescribeSubnets", "UnauthorizedOperation", "no")

    levels.look()

    assert shown(levels)["tke_eni_subnet_free_addresses"] == {("subnet-a",): 200}
