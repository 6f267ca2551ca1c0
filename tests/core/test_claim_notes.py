"""What the owner of a Pod is told although its EIP is on its way."""

from dataclasses import replace

import pytest

from ipamd.core import claims
from ipamd.core.claim_notes import notes
from ipamd.core.eip_annotations import (
    DELETE_POLICY,
    EIP_ATTRIBUTES,
    EIP_ID_LIST,
    EXPIRED_DURATION,
    request_of,
)
from tests.core.claim_situations import claim, pod


def asking(annotations, *, resource=True):
    return replace(pod(), annotations=annotations, requests_eip=resource)


def made_for(pod):
    return claim(request=request_of(pod))


def reasons(claim, pod):
    return [note.reason for note in notes(claim, pod)]


def test_nothing_is_said_when_all_is_well():
    well = asking({EIP_ATTRIBUTES: '{"Bandwidth":"5"}'})

    assert notes(made_for(well), well) == []
    defaults = asking({})
    assert notes(made_for(defaults), defaults) == []


def test_the_missing_resource_is_named_with_where_to_add_it():
    without = asking({EIP_ATTRIBUTES: ""}, resource=False)

    (note,) = notes(made_for(without), without)

    assert note.reason == "EIPResourceMissing"
    assert 'tke.cloud.tencent.com/eip: "1"' in note.message
    assert "requests and limits" in note.message


def test_attributes_beside_a_list_are_said_to_be_ignored():
    both = asking({EIP_ATTRIBUTES: "{}", EIP_ID_LIST: "eip-aaaaaaaa"})

    assert reasons(made_for(both), both) == ["AttributesIgnored"]


@pytest.mark.parametrize(
    ("now", "named"),
    [
        ({EIP_ATTRIBUTES: '{"Bandwidth":"50"}'}, "'bandwidthMbps': 50"),
        ({EIP_ATTRIBUTES: "", DELETE_POLICY: "Never"}, "deletePolicy is Delete, not Never"),
        ({EIP_ATTRIBUTES: "", EXPIRED_DURATION: "1h"}, "expireAfter is None, not 1h"),
        ({EIP_ID_LIST: "eip-aaaaaaaa"}, "addressIDs is None, not ['eip-aaaaaaaa']"),
    ],
)
def test_a_change_of_the_annotations_is_told_with_how_to_apply_it(now, named):
    (note,) = notes(made_for(asking({EIP_ATTRIBUTES: ""})), asking(now))

    assert note.reason == "AnnotationsIgnored"
    assert named in note.message
    assert "kubectl delete eipc web-0 -n default" in note.message


def test_annotations_that_became_wrong_are_told_too():
    (note,) = notes(claim(), asking({EIP_ATTRIBUTES: "{"}))

    assert note.reason == "AnnotationsIgnored"
    assert "not JSON" in note.message


def test_a_claim_made_from_a_pod_says_what_the_pod_says():
    for annotations in (
        {EIP_ATTRIBUTES: '{"Bandwidth":7,"ISP":"CMCC"}'},
        {EIP_ID_LIST: "eip-aaaaaaaa,eip-bbbbbbbb", DELETE_POLICY: "Never", EXPIRED_DURATION: "90m"},
    ):
        wish = asking(annotations)
        obj = claims.new_object(wish, request_of(wish))
        assert notes(claims.read(obj), wish) == []
