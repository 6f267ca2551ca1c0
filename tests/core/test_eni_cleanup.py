"""Which ENIs a cleanup gives back, and which it leaves to whoever has them by now."""

from dataclasses import replace

import pytest

from ipamd.core import tags
from ipamd.core.eni_cleanup import EniVerdict, obstacle, plan
from ipamd.core.model import Eni, EniAddress, EniState, IpState

OURS = {tags.CLUSTER_ID: "cls-1", tags.NODE: "ins-1"}


def eni(eni_id="eni-1", **changes):
    fields = {
        "mac": "",
        "vpc_id": "vpc-1",
        "subnet_id": "subnet-1",
        "primary": False,
        "state": EniState.AVAILABLE,
        "instance_id": "",
        "addresses": (),
        "tags": OURS,
    }
    return Eni(eni_id=eni_id, **{**fields, **changes})


def verdicts(*enis, detach=False):
    return [(entry.eni.eni_id, entry.fate) for entry in plan(enis, "cls-1", detach=detach)]


@pytest.mark.parametrize(
    "made_by", [{tags.NODE: "ins-1"}, {tags.EXCLUSIVE_NODE: "ins-1"}], ids=["shared", "for one Pod"]
)
def test_what_we_made_for_a_node_of_the_cluster_is_looked_at(made_by):
    assert verdicts(eni(tags={tags.CLUSTER_ID: "cls-1", **made_by})) == [("eni-1", EniVerdict.DELETE)]


@pytest.mark.parametrize(
    "other",
    [
        {"tags": {**OURS, tags.CLUSTER_ID: "cls-2"}},
        {"tags": {tags.CLUSTER_ID: "cls-1"}},
        {"tags": {tags.NODE: "ins-1"}},
        {"primary": True},
    ],
)
def test_what_is_not_ours_by_every_sign_is_left_out(other):
    assert verdicts(eni(**other)) == []


@pytest.mark.parametrize(
    ("state", "instance_id", "is_loose"),
    [
        (EniState.AVAILABLE, "", True),
        (EniState.DELETING, "", True),
        (EniState.PENDING, "", False),
        (EniState.AVAILABLE, "ins-1", False),
    ],
)
def test_what_a_node_may_use_is_touched_only_when_told_so(state, instance_id, is_loose):
    one = eni(state=state, instance_id=instance_id)

    assert verdicts(one) == [("eni-1", EniVerdict.DELETE if is_loose else EniVerdict.KEEP)]
    assert verdicts(one, detach=True) == [("eni-1", EniVerdict.DELETE if is_loose else EniVerdict.DETACH)]
    assert [entry.doomed for entry in plan([one], "cls-1", detach=False)] == [is_loose]
    assert [entry.doomed for entry in plan([one], "cls-1", detach=True)] == [True]


def test_they_come_by_their_ids():
    assert [eni_id for eni_id, _ in verdicts(eni("eni-2"), eni("eni-1"))] == ["eni-1", "eni-2"]


def test_eips_of_an_eni_are_named_once_it_goes():
    addresses = tuple(
        EniAddress(ip=f"10.0.0.{n}", primary=n == 0, state=IpState.AVAILABLE, eip_id=eip_id)
        for n, eip_id in enumerate(["", "eip-b", "eip-a"])
    )
    [entry] = plan([eni(addresses=addresses)], "cls-1", detach=False)

    assert entry.eip_ids == ("eip-a", "eip-b")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({}, ""),
        ({"instance_id": ""}, ""),
        ({"instance_id": "ins-2"}, "it was attached to ins-2 meanwhile"),
        ({"tags": {}}, "its tags are not those of the cluster any more"),
    ],
)
def test_what_has_changed_since_the_listing_is_left(now, said):
    listed = eni(instance_id="ins-1")
    [entry] = plan([listed], "cls-1", detach=True)

    assert obstacle(entry, replace(listed, **now), "cls-1") == said


def test_what_is_gone_is_no_obstacle_and_nothing_to_do():
    [entry] = plan([eni()], "cls-1", detach=False)

    assert obstacle(entry, None, "cls-1") is None


def test_an_eni_that_is_kept_for_a_pod_goes_only_when_no_pod_comes_again():
    kept = eni(tags=tags.of_vpc_ip_claim("cls-1", "claim-1"))

    assert verdicts(kept, eni("eni-2")) == [("eni-2", EniVerdict.DELETE)]
    found = plan((kept, eni("eni-2")), "cls-1", detach=False, kept=True)
    assert [(entry.eni.eni_id, entry.fate) for entry in found] == [
        ("eni-1", EniVerdict.DELETE),
        ("eni-2", EniVerdict.DELETE),
    ]
    assert plan((kept,), "cls-2", detach=False, kept=True) == ()
