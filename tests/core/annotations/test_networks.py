"""Whose network a Pod is on: of one that is not ours nothing is ordered, an ENI of its own is refused."""

import pytest

from ipamd.core.annotations import eip, networks
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import annotation_names
from tests.testkit.pods import pod_view


@pytest.mark.parametrize(
    "value",
    [
        "tke-direct-eni",
        " tke-direct-eni ",
        "kube-system/tke-direct-eni@eth0",
        "other,tke-direct-eni",
        '[{"name": "tke-direct-eni"}]',
    ],
)
def test_an_eni_of_its_own_is_refused_and_no_eip_is_described_for_it(value):
    with pytest.raises(InvalidInputError, match="Pod default/web-0 asks for tke-direct-eni") as e:
        networks.check(pod_view({annotation_names.NETWORKS: value}))

    assert "ask for tke-route-eni" in str(e.value)
    with pytest.raises(InvalidInputError, match="tke-direct-eni"):
        eip.request_of(pod_view({annotation_names.NETWORKS: value, annotation_names.EIP_ATTRIBUTES: ""}))


@pytest.mark.parametrize(
    "value", ["", "tke-route-eni", "tke-route-eni,tke-direct-eni@eth1", "other", "[", "[1]", "[{}]"]
)
def test_all_others_pass(value):
    networks.check(pod_view({annotation_names.NETWORKS: value}))


@pytest.mark.parametrize("value", ["tke-bridge", "tke-bridge@eth0,other", '[{"name": "tke-bridge"}]'])
def test_an_eip_for_the_network_of_another_plugin_is_refused(value):
    with pytest.raises(InvalidInputError, match="which is not ours") as e:
        networks.check_eip(pod_view({annotation_names.NETWORKS: value}))

    assert "name tke-route-eni" in str(e.value)


@pytest.mark.parametrize(
    "value", ["", "tke-route-eni", "tke-bridge, kube-system/tke-route-eni@eth1", "[", "[{}]"]
)
def test_what_is_on_our_network_or_cannot_be_read_may_have_an_eip(value):
    networks.check_eip(pod_view({annotation_names.NETWORKS: value}))


@pytest.mark.parametrize(("value", "refused"), [("", True), ("tke-route-eni", False)])
def test_where_another_network_is_the_default_ours_has_to_be_named(value, refused):
    try:
        networks.check_eip(pod_view({annotation_names.NETWORKS: value}), "tke-bridge")
    except InvalidInputError:
        assert refused
    else:
        assert not refused
