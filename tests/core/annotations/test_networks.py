"""Whose network a Pod is on: for one of others nothing is ordered, an ENI of its own is not always given."""

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
def test_an_eni_of_its_own_is_given_where_the_node_has_the_mode(value):
    pod = pod_view({annotation_names.NETWORKS: value, annotation_names.EIP_ATTRIBUTES: ""})

    assert networks.is_exclusive(pod)
    networks.check(pod, exclusive=True)
    with pytest.raises(InvalidInputError, match="Pod default/web-0 asks for tke-direct-eni") as e:
        networks.check(pod, exclusive=False)

    assert "--direct-eni" in str(e.value)
    assert eip.request_of(pod).order is not None


@pytest.mark.parametrize(
    "value", ["", "tke-route-eni", "tke-route-eni,tke-direct-eni@eth1", "other", "[", "[1]", "[{}]"]
)
def test_all_others_pass(value):
    pod = pod_view({annotation_names.NETWORKS: value})

    networks.check(pod, exclusive=False)

    assert not networks.is_exclusive(pod)


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
