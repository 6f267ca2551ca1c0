"""When a claim's EIP is due for a change, what comes next, and what is never done twice."""

import dataclasses
import json

import pytest

from ipamd.core import tags
from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.annotations.eip_attributes import BY_BANDWIDTH, BY_CVM, BY_TRAFFIC
from ipamd.core.claim import change, change_record, change_status, eipclaim, state_machine
from ipamd.core.claim.actions import (
    CarryAttributes,
    ChangeEip,
    FinishChange,
    Idle,
    LookAtCloud,
    RefuseChange,
    Wait,
)
from ipamd.core.claim.change_record import CONFIRM, ChangeRecord, attributes_of, mark_of
from ipamd.core.claim.eip_change import ChangeKind, SetBandwidth, SetChargeType, SetName
from ipamd.core.claim.eipclaim import Allocation
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES
from ipamd.core.model import EipOrder, EipStatus
from tests.testkit.claims import CLUSTER, GIVEN, NOW, ON_A, OWN, claim, facts, pod
from tests.testkit.claims import eip as any_eip

ORDERED = EipOrder(bandwidth_mbps=5)
UID = "claim-1"


def wanting(order=ORDERED, *, was=ORDERED, **more):
    """A claim whose EIP was last brought to `was` and is to be as `order`."""
    fields = {
        "address": OWN,
        "binding": ON_A,
        "request": EipRequest(order=order, delete_policy=DeletePolicy.DELETE),
        "attributes": attributes_of(was) if was else None,
        "generation": 2,
        **more,
    }
    return claim(**fields)


def eip(mbps=5, charge_type=BY_TRAFFIC, **more):
    shown = {
        "status": EipStatus.BIND,
        "isp": "BGP",
        "address_type": "EIP",
        "name": tags.name_of("default", "web-0", UID),
        "bandwidth_mbps": mbps,
        "charge_type": charge_type,
    }
    return dataclasses.replace(any_eip(), **{**shown, **more})


def decided(claim, *eips, **known):
    return state_machine.decide(facts(claim, pod(), eips=eips or None, **known))


FASTER = EipOrder(bandwidth_mbps=50)
HOURLY = EipOrder(bandwidth_mbps=5, charge_type=BY_BANDWIDTH)


def test_nothing_is_asked_while_the_spec_is_what_the_eip_was_brought_to():
    assert decided(wanting()) == Idle()


def test_a_change_begins_with_a_look():
    assert decided(wanting(FASTER)) == LookAtCloud()


def test_then_one_step_is_taken():
    assert decided(wanting(FASTER), eip()) == ChangeEip(eip_id="eip-1", step=SetBandwidth(mbps=50))


def test_an_eip_that_is_so_already_is_recorded_and_not_changed():
    action = decided(wanting(FASTER), eip(50))
    assert action == FinishChange(message=f"eip-1 has 50 Mbps, {BY_TRAFFIC}")


def test_an_eip_that_is_being_bound_is_waited_for():
    action = decided(wanting(FASTER), eip(status=EipStatus.BINDING))
    assert isinstance(action, Wait)
    assert "BINDING" in action.reason


def test_an_eip_that_is_not_shown_is_the_sweep_s():
    assert decided(wanting(FASTER), any_eip("eip-2")) == Idle()


def test_an_eip_of_the_user_s_is_not_changed():
    action = decided(wanting(FASTER, address=GIVEN))
    assert isinstance(action, RefuseChange)
    assert "eip-9 is an EIP of yours" in action.message


def test_a_pod_on_its_way_out_changes_nothing():
    leaving = facts(wanting(FASTER), pod(deleting=True), eips=(eip(),))
    assert state_machine.decide(leaving) == Idle()


def test_a_claim_of_an_earlier_release_is_looked_at_only_if_it_was_edited():
    assert decided(wanting(FASTER, was=None, generation=1)) == Idle()
    assert decided(wanting(FASTER, was=None, generation=2)) == LookAtCloud()


def test_a_spec_that_cannot_be_used_is_told_once():
    broken = wanting(request=None, problem="spec.attributes.bandwidthMbps is 500")
    action = decided(broken)
    assert isinstance(action, RefuseChange)
    assert "bandwidthMbps is 500; its EIP stays as it is" in action.message
    assert decided(dataclasses.replace(broken, change=ChangeRecord(refused_generation=2))) == Idle()


# -- steps that are under way


def begun(kind=ChangeKind.BANDWIDTH, value="50", ago=1.0):
    return ChangeRecord(kind=kind, value=value, started=NOW - ago)


def test_a_step_that_does_not_show_yet_is_waited_for_by_whoever_comes():
    action = decided(wanting(FASTER, change=begun()), eip())
    assert isinstance(action, Wait)
    assert "does not show 50 yet" in action.reason


@pytest.mark.parametrize("ago", [change.SETTLE, 3600.0, -3600.0])
def test_a_bandwidth_that_never_shows_is_asked_again(ago):
    assert isinstance(decided(wanting(FASTER, change=begun(ago=ago)), eip()), ChangeEip)


def test_a_bandwidth_whose_task_has_failed_is_asked_again_at_once():
    action = decided(wanting(FASTER, change=begun()), eip(), change_failed=True)
    assert isinstance(action, ChangeEip)


@pytest.mark.parametrize("ago", [change.CHARGE_SETTLE, 86400.0, -86400.0])
def test_a_charge_type_that_never_shows_is_not_asked_again_whatever_the_clock_says(ago):
    record = begun(ChangeKind.CHARGE_TYPE, BY_BANDWIDTH, ago)
    action = decided(wanting(HOURLY, change=record, confirmed=BY_BANDWIDTH), eip())
    assert isinstance(action, RefuseChange)
    assert f"kubectl annotate eipc web-0 -n default {CONFIRM}={BY_BANDWIDTH}" in action.message


def test_what_is_under_way_is_seen_to_its_end_also_when_the_spec_was_taken_back():
    record = begun(ChangeKind.CHARGE_TYPE, BY_BANDWIDTH, 1.0)
    assert isinstance(decided(wanting(change=record), eip()), Wait)


def test_a_step_that_shows_leads_to_the_next_one():
    order = EipOrder(bandwidth_mbps=50, name="shop")
    record = begun(ChangeKind.NAME, "shop")
    action = decided(wanting(order, change=record), eip(name="shop"))
    assert action == ChangeEip(eip_id="eip-1", step=SetBandwidth(mbps=50))
    done = decided(wanting(order, change=begun()), eip(50, name="shop"))
    assert isinstance(done, FinishChange)
    assert done.message.endswith("name shop")


# -- refusals


def test_a_refused_spec_is_looked_at_again_only_when_it_is_edited_or_confirmed():
    refused = ChangeRecord(refused_generation=2)
    assert decided(wanting(HOURLY, change=refused)) == Idle()
    assert decided(wanting(HOURLY, change=refused, generation=3)) == LookAtCloud()
    assert decided(wanting(HOURLY, change=refused, confirmed=BY_BANDWIDTH)) == LookAtCloud()


def test_a_charge_type_needs_a_confirmation_that_names_it():
    action = decided(wanting(HOURLY), eip())
    assert isinstance(action, RefuseChange)
    assert "2 times in its life" in action.message
    assert decided(wanting(HOURLY, confirmed=BY_BANDWIDTH), eip()) == ChangeEip(
        eip_id="eip-1", step=SetChargeType(charge_type=BY_BANDWIDTH, mbps=5)
    )
    other = decided(wanting(HOURLY, confirmed=BY_TRAFFIC), eip())
    assert isinstance(other, RefuseChange)


def test_a_confirmation_that_comes_before_the_edit_waits_for_it():
    early = wanting(confirmed=BY_BANDWIDTH)
    assert decided(early) == Idle()
    assert isinstance(decided(dataclasses.replace(early, request=wanting(HOURLY).request), eip()), ChangeEip)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (EipOrder(bandwidth_mbps=5, isp="CMCC"), "the line (isp) of an EIP cannot change"),
        (EipOrder(bandwidth_mbps=0, charge_type=BY_CVM), "STANDARD"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(order, said):
    action = decided(wanting(order), eip())
    assert isinstance(action, RefuseChange)
    assert said in action.message
    assert "write spec.attributes as it was, or delete the claim" in action.message


def test_an_account_that_pays_by_cvm_changes_names_and_refuses_what_was_edited():
    by_cvm = eip(None, "")
    named = wanting(EipOrder(bandwidth_mbps=50, name="shop"))
    assert decided(named, by_cvm) == ChangeEip(eip_id="eip-1", step=SetName(name="shop"))
    action = decided(named, dataclasses.replace(by_cvm, name="shop"))
    assert isinstance(action, RefuseChange)
    assert "bandwidthMbps of eip-1 cannot be changed" in action.message
    only_name = wanting(EipOrder(bandwidth_mbps=5, name="shop"))
    assert isinstance(decided(only_name, dataclasses.replace(by_cvm, name="shop")), FinishChange)


def test_an_eip_that_is_known_by_its_name_keeps_it():
    untagged = eip(tags=tags.of_cluster(CLUSTER))
    named = EipOrder(bandwidth_mbps=50, name="shop")
    assert decided(wanting(named), untagged) == ChangeEip(eip_id="eip-1", step=SetBandwidth(mbps=50))
    action = decided(wanting(named), dataclasses.replace(untagged, bandwidth_mbps=50))
    assert isinstance(action, RefuseChange)
    assert "is known by its name" in action.message
    ordered_so = wanting(named, was=EipOrder(bandwidth_mbps=5, name="shop"))
    assert isinstance(decided(ordered_so, dataclasses.replace(untagged, bandwidth_mbps=50)), FinishChange)


# -- the annotation


def annotated(text):
    return dataclasses.replace(pod(), annotations={EIP_ATTRIBUTES: text})


def carried(claim, text):
    return state_machine.decide(facts(claim, annotated(text)))


def test_an_edit_of_the_annotation_is_carried_over():
    held = wanting(carried=mark_of(ORDERED))
    assert carried(held, '{"Bandwidth":"5"}') == Idle()
    assert carried(held, '{"Bandwidth":"50"}') == CarryAttributes(order=FASTER, mark=mark_of(FASTER))


def test_an_edit_of_the_claim_counts_until_the_annotation_is_edited():
    edited = wanting(FASTER, was=FASTER, carried=mark_of(ORDERED))
    assert carried(edited, '{"Bandwidth":"5"}') == Idle()
    nine = EipOrder(bandwidth_mbps=9)
    assert carried(edited, '{"Bandwidth":"9"}') == CarryAttributes(order=nine, mark=mark_of(nine))


def test_a_claim_that_knows_no_annotation_is_told_and_stays_as_it_is():
    assert carried(wanting(carried=None), '{"Bandwidth":"9"}') == CarryAttributes(
        order=None, mark=mark_of(EipOrder(bandwidth_mbps=9))
    )


@pytest.mark.parametrize("text", ['{"ISP":"CMCC"}', '{"Tags":[{"Key":"a","Value":"b"}]}', "{broken"])
def test_what_cannot_be_or_be_read_is_not_carried_over(text):
    assert carried(wanting(carried=mark_of(ORDERED)), text) == Idle()


def test_an_order_that_was_begun_is_not_edited_under_way():
    pending = wanting(address=None, binding=None, allocation=Allocation(attempt=1, started=NOW))
    assert carried(pending, '{"Bandwidth":"9"}') == LookAtCloud()
    fresh = wanting(address=None, binding=None)
    assert isinstance(carried(fresh, '{"Bandwidth":"9"}'), CarryAttributes)


# -- what is written


def after(claim, patch):
    """The claim as the API server has it after a status patch."""
    obj = eipclaim.new_object(pod(), claim.request)
    obj["metadata"] |= {"uid": UID, "generation": claim.generation}
    status = {key: value for key, value in patch["status"].items() if value is not None}
    return eipclaim.read(obj | {"status": status})


def test_a_record_survives_being_written():
    begun_claim = after(wanting(FASTER), change_status.begun(wanting(FASTER), SetBandwidth(mbps=50), NOW))
    assert begun_claim.change == ChangeRecord(kind=ChangeKind.BANDWIDTH, value="50", started=NOW)
    stopped = change_status.stopped(begun_claim)["status"]["change"]
    assert (stopped["startedAt"], stopped["value"]) == (None, "50")
    refused = change_status.refused(wanting(FASTER), "no", NOW, for_good=True)
    assert after(wanting(FASTER), refused).change == ChangeRecord(refused_generation=2)
    done = after(wanting(FASTER), change_status.finished(wanting(FASTER), "so", NOW))
    assert (done.change, dict(done.attributes)) == (None, attributes_of(FASTER))


def test_an_eip_that_is_not_there_yet_or_not_ordered_is_never_due():
    assert not change.is_due(wanting(FASTER, address=None))
    assert not change.is_due(wanting(request=EipRequest(pool="web", delete_policy=DeletePolicy.DELETE)))
    assert change.is_due(wanting(FASTER))


def test_the_claim_s_own_eip_is_looked_at_among_others():
    others = (any_eip("eip-0"), any_eip("eip-2"))
    action = state_machine.decide(facts(wanting(FASTER), pod(), eips=(others[0], eip(), others[1])))
    assert action == ChangeEip(eip_id="eip-1", step=SetBandwidth(mbps=50))
    assert state_machine.decide(facts(wanting(FASTER), pod(), eips=others)) == Idle()


def test_a_step_that_was_given_this_moment_is_waited_for():
    assert isinstance(decided(wanting(FASTER, change=begun(ago=0.0)), eip()), Wait)


def test_a_first_order_says_nothing_of_being_up_to_date_and_a_change_does():
    fresh = change_status.finished(wanting(FASTER), "so", NOW)["status"]
    assert fresh == {"change": None, "attributes": attributes_of(FASTER)}
    changed = change_status.finished(wanting(FASTER, change=begun()), "so", NOW)["status"]
    [condition] = changed["conditions"]
    assert (condition["type"], condition["status"], condition["message"]) == ("UpToDate", "True", "so")
    again = wanting(FASTER, conditions=(condition,))
    assert change_status.finished(again, "still", NOW)["status"]["conditions"][0]["message"] == "still"


def test_an_order_as_an_annotation_is_one_text_with_its_letters():
    mark = mark_of(EipOrder(name="größe", tags=(("b", "1"), ("a", "2"))))
    assert "größe" in mark
    assert ": " not in mark
    assert list(json.loads(mark)) == sorted(json.loads(mark))


def test_what_an_eip_was_brought_to_names_its_package_and_its_name():
    order = EipOrder(
        bandwidth_mbps=5, charge_type="BANDWIDTH_PACKAGE", bandwidth_package_id="bwp-1", name="x"
    )
    assert attributes_of(order) == {
        "isp": "BGP",
        "bandwidthMbps": 5,
        "chargeType": "BANDWIDTH_PACKAGE",
        "bandwidthPackageID": "bwp-1",
        "name": "x",
    }
    bare = attributes_of(EipOrder(bandwidth_mbps=0))
    assert (bare["bandwidthMbps"], bare["bandwidthPackageID"], bare["name"]) == (None, None, None)


def test_a_claim_that_orders_nothing_has_no_attributes():
    assert change_record.attributes_patch(None) == {}
    listed = EipRequest(address_ids=("eip-1",), delete_policy=DeletePolicy.DELETE)
    assert change_record.attributes_patch(listed) == {}


@pytest.mark.parametrize(("written", "read"), [(2, 2), (True, None), ("2", None), (None, None)])
def test_a_refused_generation_is_a_number_or_nothing(written, read):
    assert change_record.read({"refusedGeneration": written}).refused_generation == read


def test_a_refusal_that_is_said_already_is_not_written_again():
    first = change_status.refused(wanting(FASTER), "no (RequestId a)", NOW, for_good=False)
    assert first is not None
    said = dataclasses.replace(wanting(FASTER), conditions=tuple(first["status"]["conditions"]), change=None)
    assert change_status.refused(said, "no (RequestId b)", NOW, for_good=False) is None
    assert change_status.refused(said, "no", NOW, for_good=True) is not None


@pytest.mark.parametrize("nonsense", [None, "x", 5, [], {}, {"kind": 7}, {"kind": "Colour", "value": 1}])
def test_what_a_person_wrote_into_the_status_never_fails(nonsense):
    record = change_record.read(nonsense)
    assert record is None or record.kind is None
    assert change_record.read_attributes(nonsense) is None or isinstance(nonsense, dict)
