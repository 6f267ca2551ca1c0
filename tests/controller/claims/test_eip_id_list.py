"""The user's own EIPs: who gets which, what is said to who gets none, and that none is ever released."""

import pytest

from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import CHOSEN_BY
from ipamd.kube import errors
from ipamd.kube.resources import EIPCLAIMS, REPLICASETS, STATEFULSETS
from simulator.cloud import InstanceOrder
from simulator.kube import Fault, FaultKind


@pytest.fixture
def controller(world):
    return world.start_controller()


def listing(*eip_ids, **more):
    return {"eip-id-list": ",".join(eip_ids), **more}


def reason(world, name):
    return world.condition(name).get("reason")


def test_each_pod_of_a_stateful_set_gets_the_eip_of_its_number(world, controller):
    first, second = world.users_eip(), world.users_eip()
    owner = world.create_workload(STATEFULSETS, "web")
    for name in ("web-1", "web-0"):
        world.create_pod(name, listing(first, second), owner=owner)

    assert world.wait_provisioned("web-0").address.eip_id == first
    claim = world.wait_provisioned("web-1")
    assert claim.address.eip_id == second
    assert not claim.address.owned
    assert claim.address.public_ip == world.eips()[second]["ip"]
    assert world.claim_object("web-1")["spec"] == {"addressIDs": [first, second], "deletePolicy": "Delete"}
    assert world.condition("web-1")["reason"] == "Chosen"
    world.wait(lambda: world.events("ChosenEIP"))


def test_the_end_of_the_pod_leaves_the_eip_to_the_user(world, controller):
    eip_id = world.users_eip()
    world.create_pod("web-0", listing(eip_id))
    world.wait_provisioned("web-0")
    orders = world.orders()

    world.remove_pod("web-0")

    world.wait_gone("web-0")
    assert world.eips()[eip_id]["status"].value == "UNBIND"
    assert "ReleaseAddresses" not in world.region.audit.calls()
    assert world.orders() == orders


def test_a_claim_deleted_by_hand_gets_its_eip_again_while_the_pod_lives(world, controller):
    eip_id = world.users_eip()
    world.create_pod("web-0", listing(eip_id))
    first = world.wait_provisioned("web-0")

    world.delete_claim("web-0")

    claim = world.wait(lambda: (c := world.claim("web-0")) and c.uid != first.uid and c.address and c)
    assert claim.address == first.address


def test_of_many_pods_that_want_one_eip_exactly_one_wins_and_the_others_hear_of_it(world):
    world.start_controller(workers=8)
    eip_id = world.users_eip()
    owner = world.create_workload(REPLICASETS, "web-5d4")
    names = [f"web-5d4-{number}9999" for number in "24567"]
    for name in names:
        world.create_pod(name, listing(eip_id), owner=owner)

    world.wait(lambda: sum(reason(world, name) == "EIPInUse" for name in names) == 4)
    (winner,) = [name for name in names if world.claim(name).address]
    losers = set(names) - {winner}
    held = f"{eip_id} is held by EIPClaim default/{winner}"
    world.wait(
        lambda: (
            {
                e["involvedObject"]["name"]
                for e in world.events("EIPInUse")
                if e["involvedObject"]["kind"] == "Pod" and held in e["message"]
            }
            == losers
        )
    )
    assert {world.claim_object(name)["status"]["phase"] for name in losers} == {"Pending"}


def test_the_loser_gets_the_eip_as_soon_as_the_winner_has_left_it(world, controller):
    eip_id = world.users_eip()
    world.create_pod("api-0", listing(eip_id))
    world.wait_provisioned("api-0")
    world.create_pod("web-0", listing(eip_id))
    world.wait(lambda: reason(world, "web-0") == "EIPInUse")

    world.remove_pod("api-0")

    assert world.wait_provisioned("web-0").address.eip_id == eip_id


def test_pods_without_a_number_share_a_list_without_quarrel(world, controller):
    eip_ids = {world.users_eip() for _ in range(3)}
    owner = world.create_workload(REPLICASETS, "web-5d4")
    names = ["web-5d4-aaaaa", "web-5d4-22222", "web-5d4-b2c4d"]
    for name in names:
        world.create_pod(name, listing(*sorted(eip_ids)), owner=owner)

    assert {world.wait_provisioned(name).address.eip_id for name in names} == eip_ids


class TestRefusals:
    def refusal(self, world, *eip_ids, name="web-0"):
        world.create_pod(name, listing(*eip_ids))
        condition = world.wait(lambda: (c := world.condition(name)).get("status") == "False" and c)
        assert world.wait(lambda: world.events(condition["reason"]))
        assert not world.claim(name).address
        return condition

    def test_an_index_past_the_list(self, world, controller):
        condition = self.refusal(world, world.users_eip(), name="web-1")

        assert condition["reason"] == "NoSuchEntry"
        assert "takes entry 2" in condition["message"]
        assert world.claim_object("web-1")["status"]["phase"] == "Failed"

    def test_an_unknown_id(self, world, controller):
        condition = self.refusal(world, "eip-00000000")

        assert condition["reason"] == "EIPNotFound"
        assert "eip-00000000 does not exist" in condition["message"]

    def test_a_malformed_list_makes_no_claim(self, world, controller):
        world.create_pod("web-0", listing("eip-1"))

        (event,) = world.wait(lambda: world.events("InvalidAttributes"))
        assert "eip-id-list of Pod default/web-0: entry 1" in event["message"]
        assert not world.claim_object("web-0")

    @pytest.mark.parametrize(
        ("condition", "reason", "said"),
        [("blocked", "EIPBlocked", "see the console"), ("arrears", "EIPInArrears", "top up the account")],
    )
    def test_a_blocked_one_and_one_in_arrears(self, world, controller, condition, reason, said):
        eip_id = world.users_eip()
        world.region.set_eip_condition(eip_id, **{condition: True})

        found = self.refusal(world, eip_id)

        assert found["reason"] == reason
        assert said in found["message"]
        world.region.set_eip_condition(eip_id)

    def test_one_that_the_cloud_would_release_with_its_first_pod(self, world, controller):
        eip_id = world.users_eip()
        world.region.set_cascade_release(eip_id)

        assert self.refusal(world, eip_id)["reason"] == "EIPReleasedWhenUnbound"
        assert eip_id in world.eips()

    def test_one_that_a_cvm_uses_is_named_with_its_place(self, world, controller):
        eip_id = world.users_eip()
        instance = world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
        (eni,) = world.region.snapshot()["enis"].values()
        controller.cloud.associate_eip(eip_id, eni["eni_id"], next(iter(eni["addresses"])))
        world.wait_eip(eip_id, "BIND")

        found = self.refusal(world, eip_id)

        assert found["reason"] == "EIPBoundElsewhere"
        assert f"{eni['eni_id']} of {instance.instance_id}" in found["message"]
        assert world.eips()[eip_id]["status"].value == "BIND"

    def test_one_that_was_created_for_another_claim(self, world, controller):
        world.create_pod("api-0")
        created = world.wait_provisioned("api-0").address.eip_id

        found = self.refusal(world, created)

        assert found["reason"] == "EIPOfOtherClaim"
        assert "created for EIPClaim default/api-0" in found["message"]

    def test_one_of_another_cluster(self, world, controller):
        found = self.refusal(world, world.users_eip(**{"tke-clusterId": "cls-other"}))

        assert found["reason"] == "EIPOfOtherCluster"
        assert "cls-other" in found["message"]

    def test_what_the_cloud_does_not_let_us_see_is_told(self, world, controller):
        eip_id = world.users_eip()
        world.region.accounts.set_policy("demo", deny=("*DescribeAddresses",))
        world.create_pod("web-0", listing(eip_id))

        (event, *_) = world.wait(lambda: world.events("FailedDescribeEIP"))
        assert "QcloudAccessForIPAMDRoleInQcloudAllocateEIP" in event["message"]
        world.wait(lambda: reason(world, "web-0") == "PermissionDenied")


def test_with_the_rule_only_a_tagged_eip_is_given_to_the_namespace(world):
    world.start_controller(rules=ClusterRules(tagged_only=True))
    untagged, fitting = world.users_eip(), world.users_eip(**{"tke-eip-namespaces": "team-a default"})
    world.create_pod("web-0", listing(untagged))
    world.create_pod("api-0", listing(fitting))

    assert world.wait_provisioned("api-0").address.eip_id == fitting
    world.wait(lambda: reason(world, "web-0") == "EIPNotAllowed")
    assert "tke-eip-namespaces" in world.condition("web-0")["message"]


def test_attributes_beside_the_list_are_ignored_and_that_is_told(world, controller):
    eip_id = world.users_eip()
    orders = world.orders()
    world.create_pod("web-0", listing(eip_id, **{"eip-attributes": '{"Bandwidth":"5"}'}))

    assert world.wait_provisioned("web-0").address.eip_id == eip_id
    world.wait(lambda: world.events("AttributesIgnored"))
    assert world.orders() == orders


def test_a_retained_claim_keeps_the_user_s_eip_for_its_name(world, controller):
    eip_id = world.users_eip()
    world.create_pod("web-0", listing(eip_id), never=True)
    world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").pod.last_seen)

    world.create_pod("api-0", listing(eip_id))
    world.wait(lambda: reason(world, "api-0") == "EIPInUse")
    assert "kubectl delete eipc web-0 -n default" in world.condition("api-0")["message"]
    pod = world.create_pod("web-0", listing(eip_id), never=True)

    world.wait(lambda: world.claim("web-0").pod.uid == pod["metadata"]["uid"])
    assert world.claim("web-0").address.eip_id == eip_id


def test_what_an_earlier_leader_has_just_written_is_seen(world):
    """The watch caches do not show it yet; the choice reads live."""
    first = world.start_controller()
    eip_id = world.users_eip()
    world.create_pod("web-0", {"eip-id-list": "eip-00000000"})
    world.wait(lambda: reason(world, "web-0") == "EIPNotFound")
    world.stop_controller(first)
    second = world.new_controller()
    second.leader.start_watching()
    assert second.leader.cluster.wait_synced(10)
    frozen = world.kube.inject(
        Fault(kind=FaultKind.FREEZE, verb="watch", resource="eipclaims", user_agent=second.name)
    )
    world.write_address("web-0", eip_id)
    world.create_pod("api-0", listing(eip_id))
    second.leader.stand_for_election()

    world.wait(lambda: reason(world, "api-0") == "EIPInUse")
    world.kube.heal(frozen)


def test_what_an_earlier_leader_decided_and_has_not_written_yet_is_refused(world):
    """Its record names a version of the claim that the new leader has made an old one."""
    first = world.start_controller()
    eip_id = world.users_eip()
    world.create_pod("web-0", {"eip-id-list": "eip-00000000"})
    world.wait(lambda: reason(world, "web-0") == "EIPNotFound")
    world.stop_controller(first)
    decided_on = world.claim_object("web-0")["metadata"]["resourceVersion"]

    world.start_controller()
    world.create_pod("api-0", listing(eip_id))
    world.wait_provisioned("api-0")

    assert world.claim_object("web-0")["metadata"]["annotations"][CHOSEN_BY]
    late = {
        "metadata": {"resourceVersion": decided_on},
        "status": {"address": {"id": eip_id, "ip": "198.18.9.9", "owned": False}},
    }
    with pytest.raises(errors.ConflictError):
        world.client.patch(EIPCLAIMS, "web-0", late, "default", subresource="status")


def test_a_claim_that_a_person_made_with_a_list_serves_the_pod_of_its_name(world, controller):
    eip_id = world.users_eip()
    world.client.create(
        EIPCLAIMS,
        {
            "metadata": {"name": "web-0", "namespace": "default"},
            "spec": {"addressIDs": [eip_id], "deletePolicy": "Never"},
        },
    )

    world.create_pod("web-0")

    assert world.wait_provisioned("web-0").address.eip_id == eip_id
    world.wait(lambda: world.events("AnnotationsIgnored"))


def test_claims_that_wait_for_a_held_eip_cost_no_list_and_keep_nobody_from_work(world):
    """Each look of a waiting claim used to list all claims while every other worker waited for its turn."""
    world.start_controller(workers=2)
    eip_id = world.users_eip()
    world.create_pod("web-0", listing(eip_id))
    world.wait_provisioned("web-0")
    before = world.kube.traffic.count(verb="list", resource="eipclaims")

    for number in range(30):
        world.create_pod(f"blue-x{number}y", listing(eip_id))
    world.create_pod("ordinary")
    world.wait_provisioned("ordinary")
    for number in range(30):
        world.wait(lambda n=number: reason(world, f"blue-x{n}y") == "EIPInUse")

    assert world.kube.traffic.count(verb="list", resource="eipclaims") == before


def test_a_new_pod_passes_those_that_wait_for_a_held_eip_at_the_rate_of_the_api_server(world):
    """All shared one line and one rate: a Pod that needed no EIP of anybody waited for hundreds that did."""
    world.start_controller(workers=8, kube_rate=30)
    eip_id = world.users_eip()
    world.create_pod("web-0", listing(eip_id))
    world.wait_provisioned("web-0")

    for number in range(120):
        world.create_pod(f"blue-x{number}y", listing(eip_id))
    world.create_pod("ordinary")
    world.wait_provisioned("ordinary")
    told = [number for number in range(120) if reason(world, f"blue-x{number}y") == "EIPInUse"]

    assert len(told) < 60
    world.wait(lambda: all(reason(world, f"blue-x{n}y") == "EIPInUse" for n in range(120)))
