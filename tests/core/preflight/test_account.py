"""Whether account, key and CVM are fit; and whether the cluster is."""

import re

import pytest

from ipamd.core import model
from ipamd.core.eip.account_types import AccountType
from ipamd.core.preflight import account, cluster
from ipamd.core.preflight.result import Fitness, FitnessCheck


@pytest.mark.parametrize(
    ("ahead", "fitness"),
    [
        (59.0, Fitness.OK),
        (-59.0, Fitness.OK),
        (60.0, Fitness.PROBLEM),
        (-600.0, Fitness.PROBLEM),
    ],
)
def test_a_clock_may_be_a_minute_off(ahead, fitness):
    assert account.clock(ahead).fitness is fitness


def test_a_clock_says_to_which_side_it_is_off():
    assert "ahead of the cloud's" in account.clock(90.0).text
    assert "behind the cloud's" in account.clock(-90.0).text


def test_rights_are_named_by_action():
    (well,) = account.read_rights(["DescribeVpcs"], [], [])
    assert (well.fitness, well.text) == (Fitness.OK, "the key may call DescribeVpcs")
    refused, silent = account.read_rights(["DescribeVpcs"], ["DescribeSubnets"], ["no answer"])
    assert (refused.fitness, refused.text) == (Fitness.PROBLEM, "the key may not call DescribeSubnets")
    assert "QcloudAccessForIPAMDofTKERole" in refused.next_step
    assert (silent.fitness, silent.text) == (Fitness.PROBLEM, "no answer")


def test_what_would_change_something_is_said_to_be_untried():
    found = account.write_rights()
    assert found.fitness is Fitness.UNKNOWN
    named = set(re.sub("[,;:]", "", found.text).split())
    assert named >= {"ReleaseAddresses", "CreateReserveIpAddresses", "DescribeAddressBandwidthRange"}
    assert named.isdisjoint({"DescribeAddresses", "DescribeReserveIpAddresses"}), "those are tried"
    assert "for keeping fixed addresses in the VPC: CreateReserveIpAddresses, DeleteReserveIp" in found.text


def test_a_right_that_not_every_cluster_needs_is_a_warning_that_names_what_is_not_to_be_had():
    (missing,) = account.read_rights([], ["DescribeReserveIpAddresses"], [])

    assert missing.fitness is Fitness.WARNING
    assert "DescribeReserveIpAddresses, which is needed for keeping fixed addresses" in missing.text
    assert "deploy/cam-policy.json" in missing.next_step
    both = account.read_rights([], ["DescribeReserveIpAddresses", "DescribeVpcs"], [])
    assert [one.fitness for one in both] == [Fitness.PROBLEM, Fitness.WARNING]


@pytest.mark.parametrize(
    ("used", "ordered", "fitness"),
    [(19, 39, Fitness.OK), (20, 0, Fitness.WARNING), (21, 0, Fitness.WARNING), (0, 40, Fitness.WARNING)],
)
def test_an_eip_needs_room_in_both_quotas(used, ordered, fitness):
    quotas = [
        model.EipQuota(quota_id="TOTAL_EIP_QUOTA", used=used, limit=20),
        model.EipQuota(quota_id="DAILY_EIP_APPLY", used=ordered, limit=40),
    ]
    assert account.eip_quota(quotas).fitness is fitness


@pytest.mark.parametrize(
    ("used", "ordered", "told"),
    [
        (19, 39, "1 of 20 EIPs are left, 1 of 40 orders today"),
        (21, 41, "0 of 20 EIPs are left, 0 of 40 orders today"),
    ],
)
def test_what_is_left_is_told_and_never_less_than_nothing(used, ordered, told):
    quotas = [
        model.EipQuota(quota_id="TOTAL_EIP_QUOTA", used=used, limit=20),
        model.EipQuota(quota_id="DAILY_EIP_APPLY", used=ordered, limit=40),
    ]
    assert account.eip_quota(quotas).text == told


def test_a_quota_that_is_not_told_is_no_quota_of_0():
    found = account.eip_quota([model.EipQuota(quota_id="TOTAL_EIP_QUOTA", used=0, limit=20)])
    assert (found.fitness, found.text) == (Fitness.UNKNOWN, "the cloud does not tell DAILY_EIP_APPLY")


def test_the_type_of_account_is_told():
    assert account.account_type(AccountType.STANDARD).fitness is Fitness.OK
    assert account.account_type(AccountType.LEGACY).fitness is Fitness.WARNING


@pytest.mark.parametrize(
    ("enis", "addresses", "fitness"), [(4, 10, Fitness.OK), (2, 2, Fitness.OK), (1, 10, Fitness.PROBLEM)]
)
def test_a_cvm_needs_room_for_pods(enis, addresses, fitness):
    instance = model.Instance(
        instance_id="ins-1",
        instance_type="S5",
        vcpus=4,
        zone="z",
        vpc_id="v",
        subnet_id="s",
        private_ip="i",
    )
    found = account.instance_limits(instance, model.EniLimits(enis=enis, ips_per_eni=addresses))
    assert found.fitness is fitness


@pytest.mark.parametrize(
    ("free", "zone", "fitness"),
    [
        (16, "z", Fitness.OK),
        (99, "z", Fitness.OK),
        (15, "z", Fitness.WARNING),
        (1, "z", Fitness.WARNING),
        (0, "z", Fitness.PROBLEM),
        (99, "other", Fitness.PROBLEM),
        (99, "zz", Fitness.PROBLEM),
    ],
)
def test_a_subnet_of_the_zone_needs_free_addresses(free, zone, fitness):
    subnet = model.Subnet(
        subnet_id="subnet-1", vpc_id="v", zone=zone, cidr="c", available_ips=free, route_table_id="r"
    )
    assert account.subnets("z", [subnet]).fitness is fitness


def test_full_subnets_are_named_and_a_zone_without_any_is_told_so():
    full = model.Subnet(
        subnet_id="subnet-1", vpc_id="v", zone="z", cidr="c", available_ips=0, route_table_id="r"
    )
    assert account.subnets("z", [full]).text.endswith("has a free address: subnet-1 (0 free)")
    assert account.subnets("z", []).text.endswith("has a free address: there is none")


@pytest.mark.parametrize(
    ("major", "minor", "fitness"),
    [
        ("1", "21", Fitness.PROBLEM),
        ("1", "22", Fitness.WARNING),
        ("1", "24+", Fitness.WARNING),
        ("1", "25", Fitness.OK),
        ("1", "30+", Fitness.OK),
        ("2", "0", Fitness.OK),
        ("1", "", Fitness.UNKNOWN),
    ],
)
def test_a_server_has_to_be_new_enough(major, minor, fitness):
    assert cluster.version(major, minor).fitness is fitness


@pytest.mark.parametrize(
    ("workload", "fitness"),
    [
        (None, Fitness.OK),
        ({"metadata": {"labels": {"app.kubernetes.io/part-of": "tke-eni"}}}, Fitness.OK),
        ({"metadata": {"labels": {"k8s-app": "tke-eni-agent"}}}, Fitness.PROBLEM),
        ({"metadata": {}}, Fitness.PROBLEM),
    ],
)
def test_tke_s_own_components_are_in_the_way(workload, fitness):
    found = cluster.installation("DaemonSet", "tke-eni-agent", workload)
    assert (found.fitness, found.subject) == (fitness, "daemonset/kube-system/tke-eni-agent")


def test_what_the_server_does_not_tell_is_unknown_and_no_answer_is_a_problem():
    assert cluster.away("no answer").fitness is Fitness.PROBLEM
    assert cluster.unseen(FitnessCheck.API_SERVER, "s", "forbidden").fitness is Fitness.UNKNOWN
