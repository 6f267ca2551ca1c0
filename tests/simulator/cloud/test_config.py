"""Descriptions of regions as dicts."""

import pytest

from simulator.cloud import RegionConfig, region_config
from simulator.cloud.config import ConfigError


def test_an_empty_description_is_the_default_region():
    assert region_config({}) == RegionConfig()


def test_a_description_is_read_into_its_types():
    config = region_config(
        {
            "region": "ap-beijing",
            "vpc": {"cidr": "172.16.0.0/12", "subnets": [{"subnet_id": "subnet-a", "cidr": "172.16.1.0/24"}]},
            "account": {"users": [{"name": "a", "deny": ["cvm:AllocateAddresses"]}]},
            "eip_pools": {"BGP": "198.18.0.0/24"},
            "latencies": {"scale": 2},
            "rate_limits": {"enabled": False},
            "instances": [{"instance_id": "ins-1", "public_ip": True}],
            "instance_types": [{"name": "X.1", "cpu": 1, "memory_gib": 1, "enis": 2, "ips_per_eni": 3}],
            "seed": 5,
        }
    )
    assert config.vpc.subnets[0].cidr == "172.16.1.0/24"
    assert config.account.users[0].deny == ("cvm:AllocateAddresses",)
    assert config.latencies.scale == 2.0
    assert config.instances[0].public_ip is True
    assert config.seed == 5
    assert region_config({"seed": None}).seed is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"regoin": "x"}, "region has no field 'regoin'; allowed are .*region"),
        ({"region": 5}, "region.region must be a str, not 5"),
        ({"vpc": {"subnets": [{}, {"cidr": 1}]}}, r"region.vpc.subnets\[1\].cidr must be a str"),
        ({"vpc": []}, "region.vpc must be an object"),
        ({"vpc": {"subnets": {}}}, "region.vpc.subnets must be a list"),
        ({"rate_limits": {"enabled": 1}}, "region.rate_limits.enabled must be a bool, not 1"),
        ({"eip_pools": []}, "region.eip_pools must be an object"),
        ({"instance_types": [{"name": "x"}]}, r"region.instance_types\[0\].cpu is missing"),
        ({"seed": "x"}, "region.seed must be a int"),
    ],
)
def test_a_description_that_is_wrong_names_the_field(document, words):
    with pytest.raises(ConfigError, match=words):
        region_config(document)
