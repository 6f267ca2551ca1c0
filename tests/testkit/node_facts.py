"""A node as its agent knows it from the cloud."""

from typing import Final

from ipamd.agent.facts import NodeFacts
from ipamd.core import model

NODE_FACTS: Final = NodeFacts(
    region="ap-guangzhou",
    instance=model.Instance(
        instance_id="ins-1",
        instance_type="S5.LARGE8",
        vcpus=4,
        zone="ap-guangzhou-1",
        vpc_id="vpc-1",
        subnet_id="subnet-1",
        private_ip="10.0.1.2",
    ),
    limits=model.EniLimits(enis=4, ips_per_eni=10),
    vpc_cidrs=("10.0.0.0/16",),
    primary_mac="52:54:00:00:00:01",
    security_groups=("sg-1",),
)
