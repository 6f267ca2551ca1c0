"""The ConfigMap of a cluster's settings: whose it is, and whether releases of EIPs go on."""

import pytest

from ipamd.core.kubernetes.cluster_settings import cluster_id, releases_stopped


@pytest.mark.parametrize(
    ("config_map", "cluster"),
    [
        ({"data": {"CLUSTER_ID": "cls-1"}}, "cls-1"),
        ({"data": {"CLUSTER_ID": None}}, ""),
        ({"data": {}}, ""),
        ({"data": None}, ""),
        ({"data": ["CLUSTER_ID"]}, ""),
        ({}, ""),
    ],
)
def test_it_says_whose_it_is_or_nothing(config_map, cluster):
    assert cluster_id(config_map) == cluster


@pytest.mark.parametrize("data", [{}, {"RELEASES": ""}, {"RELEASES": "allowed"}, None])
def test_releases_go_on_unless_they_are_stopped(data):
    assert releases_stopped({"data": data}, "kube-system") == ""


@pytest.mark.parametrize("value", ["stopped", "Allowed", "no", False, None])
def test_any_other_value_stops_releases_and_says_where_it_stands(value):
    told = releases_stopped({"data": {"RELEASES": value}}, "apps")

    assert "RELEASES in ConfigMap apps/tke-eni-settings" in told
    assert repr(str(value)) in told


def test_a_value_of_any_length_is_told_shortly():
    assert "'" + 40 * "x" + "'" in releases_stopped({"data": {"RELEASES": 500 * "x"}}, "kube-system")
