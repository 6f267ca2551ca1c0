"""What the owner of a Pod is told although its EIP is on its way."""

from dataclasses import replace

import pytest

from ipamd.core.annotations.eip import request_of
from ipamd.core.claim import eipclaim
from ipamd.core.claim.warnings import may_misunderstand, misunderstandings, notes
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.annotation_names import (
    DELETE_POLICY,
    EIP_ATTRIBUTES,
    EIP_ID_LIST,
    EXPIRED_DURATION,
    NOMINATED_SUBNETS,
    NOMINATED_VPC_IP,
    VPC_IP_DELETE_POLICY,
)
from ipamd.core.kubernetes.nodes import NodeView
from ipamd.core.kubernetes.owners import OwnerRef
from tests.testkit.claims import claim, pod


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
        ({EIP_ATTRIBUTES: '{"Bandwidth":"50"}', DELETE_POLICY: "Never"}, "'bandwidthMbps': 50"),
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


def test_a_claim_that_a_person_edited_is_said_to_count_until_the_annotation_is_edited():
    (note,) = notes(made_for(asking({EIP_ATTRIBUTES: ""})), asking({EIP_ATTRIBUTES: '{"Bandwidth":"50"}'}))

    assert note.reason == "AnnotationsIgnored"
    assert "EIPClaim default/web-0 was edited, and counts until" in note.message
    assert "kubectl delete" not in note.message


def test_what_an_eip_cannot_become_is_refused_with_what_to_do():
    (note,) = notes(made_for(asking({EIP_ATTRIBUTES: ""})), asking({EIP_ATTRIBUTES: '{"ISP":"CMCC"}'}))

    assert note.reason == "ChangeRefused"
    assert "InternetServiceProvider is BGP, not CMCC; write it as it was, or" in note.message
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
        obj = eipclaim.new_object(wish, request_of(wish))
        assert notes(eipclaim.read(obj), wish) == []


def controlled(kind):
    return OwnerRef(api_version="x/v1", kind=kind, name="web", uid="o1")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("web-7d4b9c6f5-2k4x7", {"controller": controlled("ReplicaSet"), "generate_name": "web-7d4b9c6f5-"}),
        ("web-2k4x7", {"controller": controlled("Job"), "generate_name": "web-"}),
        ("web-2k4x7", {"controller": controlled("DaemonSet"), "generate_name": "web-"}),
        ("web-2k4x7", {"controller": controlled("CloneSet"), "generate_name": "web-"}),
        ("web-2k4x7", {"generate_name": "web-"}),
    ],
)
def test_an_eip_that_is_kept_for_a_name_that_never_comes_back_is_told(name, changes):
    generated = named(name, **changes)

    (note,) = notes(made_for(generated), generated)

    assert note.reason == "KeptForNobody"
    assert "StatefulSet" in note.message
    assert DELETE_POLICY in note.message


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("web-0", {"controller": controlled("StatefulSet"), "generate_name": "web-"}),
        ("web-22222", {"controller": controlled("StatefulSet"), "generate_name": "web-"}),
        ("web-1", {"controller": controlled("GameServerSet"), "generate_name": "web-"}),
        ("web", {}),
    ],
)
def test_a_name_that_comes_back_needs_no_hint(name, changes):
    lasting = named(name, **changes)

    assert notes(made_for(lasting), lasting) == []


def test_a_generated_name_whose_eip_goes_with_the_pod_needs_no_hint():
    passing = replace(named("web-2k4x7", generate_name="web-"), annotations={EIP_ATTRIBUTES: ""})

    assert notes(made_for(passing), passing) == []


def named(name, **changes):
    wish = asking({EIP_ATTRIBUTES: "", DELETE_POLICY: "Never"})
    return replace(wish, ref=replace(wish.ref, name=name), **changes)


CVM = NodeView(name="node-a", ready=True, outage="", instance_id="ins-1", instance_type="S5.LARGE8")
SUPER = replace(CVM, instance_type="eklet")


def viewed(annotations, *, host_network=False):
    metadata = {"namespace": "default", "name": "web-0", "uid": "u", "annotations": annotations}
    return pods.view({"metadata": metadata, "spec": {"nodeName": "node-a", "hostNetwork": host_network}})


def test_a_misspelt_annotation_is_told_with_the_right_one():
    (note,) = misunderstandings(viewed({EIP_ATTRIBUTES[:-1]: "{}"}), CVM)

    assert note.reason == "AnnotationNotKnown"
    assert f'"{EIP_ATTRIBUTES[:-1]}" of Pod default/web-0' in note.message
    assert f"if {EIP_ATTRIBUTES} is meant" in note.message


def test_the_annotation_of_super_nodes_is_told_on_others_only():
    foreign = {"eks." + EIP_ATTRIBUTES: ""}

    (note,) = misunderstandings(viewed(foreign), CVM)
    assert "super nodes only" in note.message
    assert misunderstandings(viewed(foreign), SUPER) == []
    assert misunderstandings(viewed(foreign), None) == []
    assert misunderstandings(viewed({**foreign, EIP_ATTRIBUTES: ""}), CVM) == []


def test_a_pod_of_the_host_s_network_is_told_that_it_gets_no_eip():
    (note,) = misunderstandings(viewed({EIP_ATTRIBUTES: ""}, host_network=True), CVM)

    assert note.reason == "HostNetworkHasNoEIP"
    assert misunderstandings(viewed({EIP_ATTRIBUTES: ""}), CVM) == []
    assert misunderstandings(viewed({}, host_network=True), CVM) == []


@pytest.mark.parametrize("beside", [{}, {VPC_IP_DELETE_POLICY: "Immediate"}, {NOMINATED_VPC_IP: " "}])
def test_nominated_subnets_alone_are_told_to_mean_nothing(beside):
    asking = viewed({NOMINATED_SUBNETS: "subnet-1", **beside})

    (note,) = misunderstandings(asking, CVM)

    assert may_misunderstand(asking)
    assert note.reason == "NominatedSubnetsIgnored"
    assert f"add {VPC_IP_DELETE_POLICY}: Never (or {NOMINATED_VPC_IP})" in note.message
    assert "\n" not in note.message


@pytest.mark.parametrize(
    "annotations",
    [
        {VPC_IP_DELETE_POLICY: "Never", NOMINATED_SUBNETS: "subnet-1"},
        {NOMINATED_VPC_IP: "10.0.1.7", NOMINATED_SUBNETS: "subnet-1"},
        {NOMINATED_SUBNETS: ""},
    ],
)
def test_nominated_subnets_of_a_fixed_address_are_no_matter(annotations):
    assert misunderstandings(viewed(annotations), CVM) == []


@pytest.mark.parametrize("name", [VPC_IP_DELETE_POLICY, NOMINATED_VPC_IP])
def test_a_pod_of_the_host_s_network_is_told_that_it_gets_no_fixed_address(name):
    asking = {name: "Never", NOMINATED_SUBNETS: "subnet-1"}

    (note,) = misunderstandings(viewed(asking, host_network=True), CVM)

    assert note.reason == "HostNetworkHasNoFixedIP"
    assert f"remove hostNetwork, or annotation {name}" in note.message


def test_every_misspelt_annotation_is_told_whatever_stands_beside_it():
    known, strange = {"eks." + EIP_ATTRIBUTES: ""}, {EIP_ID_LIST[:-1]: "", EIP_ATTRIBUTES[:-1]: ""}

    told = misunderstandings(viewed({**known, **strange}), None)

    assert len(told) == 2
    assert {note.reason for note in told} == {"AnnotationNotKnown"}
    assert misunderstandings(viewed(known), replace(CVM, instance_type="zklet")) != []


def test_who_gives_each_pod_a_new_name_is_told():
    (by_set,) = notes(
        made_for(named("web-2k4x7", controller=controlled("Job"), generate_name="web-")),
        named("web-2k4x7", controller=controlled("Job"), generate_name="web-"),
    )
    (alone,) = notes(
        made_for(named("web-2k4x7", generate_name="web-")), named("web-2k4x7", generate_name="web-")
    )

    assert "its Job gives each Pod a new one" in by_set.message
    assert "it was generated" in alone.message


def test_a_claim_that_nobody_could_read_is_compared_with_nothing():
    wish = asking({EIP_ATTRIBUTES: '{"Bandwidth":"5"}'})

    assert notes(claim(request=None), wish) == []
