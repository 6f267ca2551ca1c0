import pytest

from ipamd.core.eip.unmasqueraded import unmasqueraded
from ipamd.core.errors import InvalidInputError

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
LINK_LOCAL = "169.254.0.0/16"


def test_without_a_configuration_the_private_ranges_are_left_alone():
    """As ip-masq-agent documents its defaults."""
    assert unmasqueraded({}) == (*PRIVATE, LINK_LOCAL)
    assert unmasqueraded({"MasqLinkLocal": True, "ResyncInterval": "1m0s"}) == PRIVATE


def test_as_tke_ships_it():
    config = {
        "NonMasqueradeCIDRs": ["172.16.0.0/16", "10.67.0.0/16"],
        "NonMasqueradeSrcCIDRs": ["172.16.0.2/32"],
        "MasqLinkLocal": True,
        "ResyncInterval": "1m0s",
        "MasqLinkLocalIPv6": False,
    }
    assert unmasqueraded(config) == ("172.16.0.0/16", "10.67.0.0/16")


@pytest.mark.parametrize(
    ("config", "networks"),
    [
        ({"nonMasqueradeCIDRs": ["10.8.0.0/16"], "masqLinkLocal": False}, ("10.8.0.0/16", LINK_LOCAL)),
        ({"NONMASQUERADECIDRS": ["10.8.0.0/16"]}, ("10.8.0.0/16", LINK_LOCAL)),
        ({"NonMasqueradeCIDRs": [], "MasqLinkLocal": True}, ()),
        ({"NonMasqueradeCIDRs": None, "MasqLinkLocal": True}, PRIVATE),
        ({"NonMasqueradeCIDRs": ["10.8.1.1/16", "fd00::/8"], "MasqLinkLocal": True}, ("10.8.0.0/16",)),
        ({"NonMasqueradeCIDRs": ["0.0.0.0/0"], "MasqLinkLocal": True}, ("0.0.0.0/0",)),
    ],
)
def test_what_people_write(config, networks):
    assert unmasqueraded(config) == networks


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"NonMasqueradeCIDRs": "10.0.0.0/8"}, "allowed is a list of CIDRs"),
        ({"NonMasqueradeCIDRs": ["10.0.0.0/33"]}, "NonMasqueradeCIDRs in config contains '10.0.0.0/33'"),
        ({"NonMasqueradeCIDRs": ["x"], "nonMasqueradeCIDRs": []}, "has both"),
    ],
)
def test_what_cannot_be_read_is_named(config, named):
    with pytest.raises(InvalidInputError, match=named):
        unmasqueraded(config)
