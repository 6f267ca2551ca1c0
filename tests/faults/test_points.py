"""Points come from what was recorded, and their written form can be read back."""

import pytest

from testbed.faults import catalogue
from testbed.faults.catalogue import atoms
from testbed.faults.points import Point, parse, points_of


def test_a_point_is_read_back_as_it_is_written():
    point = Point("netlink.newroute+newlink", "after", 2)

    assert parse(str(point)) == point


@pytest.mark.parametrize(
    "text", ["", "cloud.X", "cloud.X:later:1", "cloud.X:after:0", "cloud.X:after:x", ":after:1"]
)
def test_what_is_no_point_is_refused_with_the_form(text):
    with pytest.raises(ValueError, match="is no point; give <step>"):
        parse(text)


def test_effects_are_points_at_their_first_times_and_reads_at_their_first():
    recorded = ["cloud.DescribeAddresses"] * 3 + ["store.put_fact"] * 5

    points = [str(point) for point in points_of(recorded)]

    assert points == [
        "cloud.DescribeAddresses:before:1",
        "cloud.DescribeAddresses:after:1",
        *(f"store.put_fact:{phase}:{n}" for n in (1, 2, 3) for phase in ("before", "after")),
    ]


def test_a_step_that_does_several_things_is_taken_apart():
    assert atoms("netlink.newroute+newlink") == {"netlink.newroute", "netlink.newlink"}
    assert atoms("store.commit.assigned+bound") == {"store.commit.assigned", "store.commit.bound"}
    assert atoms("nft.add.pods+add.eip_pods") == {"nft.add.pods", "nft.add.eip_pods"}
    assert atoms("kube.patch.eipclaims.status") == {"kube.patch.eipclaims.status"}


def test_daemons_change_no_file_without_announcing_it():
    assert catalogue.unannounced() == []


def test_the_catalogue_knows_the_steps_of_every_adapter():
    known = catalogue.catalogue()

    assert {step.partition(".")[0] for step in known} == {
        "cloud",
        "kube",
        "netlink",
        "nft",
        "store",
        "sysctl",
        "file",
    }
    assert known["cloud.CreateAndAttachNetworkInterface"].startswith("ipamd/cloud/eni_creation.py")
    assert "kube.patch.nodes.status" in known
