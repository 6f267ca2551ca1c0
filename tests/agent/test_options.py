"""Flags: the defaults of TKE, and a clear word for each wrong one."""

import argparse

import pytest

from ipamd.agent import options
from ipamd.agent.pool.node_config import of_flags
from ipamd.core import errors


def parsed(*flags, environment=None):
    parser = argparse.ArgumentParser()
    options.add_arguments(parser)
    arguments = parser.parse_args(["--cluster-id", "cls-demo", *flags])
    return options.settings(arguments, {"NODE_NAME": "10.0.1.2"} if environment is None else environment)


def test_defaults_are_those_of_tke():
    settings = parsed()

    assert (settings.targets.min_warm, settings.targets.max_warm) == (5, 5)
    assert settings.targets.release_interval == 120
    assert settings.eip_wait
    assert settings.node_name == "10.0.1.2"
    assert str(settings.socket) == "/run/tke-eni/ipamd.sock"


def test_flag_wins_over_the_environment():
    assert parsed("--node-name", "node-9").node_name == "node-9"


def test_lists_are_split_and_trimmed():
    settings = parsed(
        "--security-groups", "sg-a1, sg-b2,", "--pod-subnets=subnet-1", "--direct-cidrs=10.9.0.0/16"
    )

    assert settings.security_groups == ("sg-a1", "sg-b2")
    assert settings.pod_subnets == ("subnet-1",)
    assert settings.direct_cidrs == ("10.9.0.0/16",)


def test_eip_wait_can_be_turned_off():
    assert not parsed("--no-eip-wait").eip_wait


def test_the_exemption_from_masquerading_can_be_left_to_ip_masq_agent():
    assert parsed().eip_source_nat_exemption
    assert not parsed("--no-eip-source-nat-exemption").eip_source_nat_exemption


def test_pods_reach_the_metadata_service_only_where_a_flag_says_so():
    assert not parsed().pod_metadata_access
    assert parsed("--pod-metadata-access").pod_metadata_access


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--node-name", "Not_a_node"], "--node-name"),
        (["--cluster-id", "cls demo"], "--cluster-id"),
        (["--socket", "relative.sock"], "--socket"),
        (["--socket", "/" + "x" * 120], "--socket"),
        (["--state-dir", "state"], "--state-dir"),
        (["--security-groups", "sg-a,web"], "--security-groups"),
        (["--pod-subnets", "vpc-1"], "--pod-subnets"),
        (["--ip-min-warm-target", "6"], "--ip-min-warm-target"),
        (["--ip-max-warm-target", "-1"], "--ip-max-warm-target"),
        (["--no-eip-source-nat-exemption", "--pod-egress=eni"], "--no-eip-source-nat-exemption"),
        (["--direct-cidrs", "10.8.0.1/16"], "--direct-cidrs"),
        (["--service-cidrs", "172.16.252.0/22,fd00::/112"], "--service-cidrs"),
        (["--add-timeout", "60"], "--add-timeout"),
        (["--add-timeout", "2h"], "--add-timeout"),
        (["--ip-cooldown", "soon"], "--ip-cooldown"),
        (["--ip-hold=-1s"], "--ip-hold"),
        (["--repair-interval", "0s"], "--repair-interval"),
    ],
)
def test_wrong_flag_is_named(flags, names):
    with pytest.raises(errors.InvalidInputError, match=names):
        parsed(*flags)


def test_node_name_is_required():
    with pytest.raises(errors.InvalidInputError, match="--node-name is not given"):
        parsed(environment={})


@pytest.mark.parametrize("direct", [True, False])
def test_flags_of_whole_enis_are_in_force_only_where_pods_may_have_some(direct):
    told = of_flags(parsed("--direct-eni") if direct else parsed())

    assert ("minWarmENITarget" in told, "maxWarmENITarget" in told) == (direct, direct)
