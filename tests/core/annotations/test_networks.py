"""A Pod that asks for an ENI of its own is refused before anything is ordered for it."""

import pytest

from ipamd.core.annotations import eip, networks
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import annotation_names
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import PodRef


def pod(value, **annotations):
    return PodView(
        ref=PodRef(namespace="default", name="web-0", uid="u"),
        annotations={annotation_names.NETWORKS: value, **annotations},
    )


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
        networks.check(pod(value))

    assert "ask for tke-route-eni" in str(e.value)
    with pytest.raises(InvalidInputError, match="tke-direct-eni"):
        eip.request_of(pod(value, **{annotation_names.EIP_ATTRIBUTES: ""}))


@pytest.mark.parametrize(
    "value", ["", "tke-route-eni", "tke-route-eni,tke-direct-eni@eth1", "other", "[", "[1]", "[{}]"]
)
def test_all_others_pass(value):
    networks.check(pod(value))
