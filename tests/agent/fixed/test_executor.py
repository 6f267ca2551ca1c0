"""Each planned action of a fixed address is done by the one who can, or it is said why it cannot be."""

from types import SimpleNamespace

import pytest

from ipamd.agent.fixed.executor import FixedExecutor
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.vpc_ip.attach_actions import (
    AssignFixed,
    AttachEni,
    DetachEni,
    LetGo,
    MakeEniRoom,
    MakeRoom,
    PublishAssigned,
    ReclaimFixed,
    TellMisplaced,
    UnassignFixed,
    WithdrawBinding,
)
from tests.testkit.addresses import of_pod
from tests.testkit.pods import pod_ref
from tests.testkit.vpc_ip_claims import IP, SUBNET, vpc_ip_claim

CLAIM, POD, ADDRESS = vpc_ip_claim(), pod_ref("web-0", "pod-1"), of_pod(IP)


class Done:
    """Notes what it is asked to do, as (its name, method, argument)."""

    def __init__(self, name, done):
        self._name, self._done = name, done

    def __getattr__(self, method):
        return lambda argument: self._done.append((self._name, method, argument))


class Scene:
    def __init__(self):
        self.done: list[tuple[str, str, object]] = []
        self.no_room: dict[str, str] = {}
        self.executor = FixedExecutor(
            assignment=Done("assignment", self.done),
            attachment=Done("attachment", self.done),
            giving_back=Done("giving back", self.done),
            pool=SimpleNamespace(no_room=lambda subnet_id: self.no_room.get(subnet_id, "")),
            places=SimpleNamespace(no_room=lambda: self.no_room.get("places", "")),
        )


@pytest.fixture
def scene():
    return Scene()


@pytest.mark.parametrize(
    ("action", "who", "what"),
    [
        (AssignFixed(claim=CLAIM, pod=POD, ip=IP, eni_id="eni-1"), "assignment", "assign"),
        (AttachEni(claim=CLAIM, pod=POD, ip=IP, eni_id="eni-1"), "attachment", "attach"),
        (PublishAssigned(claim=CLAIM, pod=POD, address=ADDRESS), "assignment", "announce"),
        (ReclaimFixed(claim=CLAIM, pod=POD, ip=IP), "assignment", "reclaim"),
        (LetGo(address=ADDRESS, why="", certain=True), "giving back", "let_go"),
        (UnassignFixed(address=ADDRESS), "giving back", "unassign"),
        (DetachEni(address=ADDRESS), "giving back", "detach"),
    ],
)
def test_an_action_is_done_once_by_who_can(scene, action, who, what):
    scene.executor.execute(action)

    assert scene.done == [(who, what, action)]


def test_a_binding_is_withdrawn_from_its_claim(scene):
    scene.executor.execute(WithdrawBinding(claim=CLAIM))

    assert scene.done == [("giving back", "withdraw", CLAIM)]


def test_what_is_noted_of_other_claims_is_forgotten(scene):
    scene.executor.keep_only({"claim-1"})

    assert scene.done == [("giving back", "keep_only", {"claim-1"})]


def test_where_there_will_be_room_nothing_is_done_but_waiting(scene):
    scene.no_room = {"subnet-other": "all is taken"}

    scene.executor.execute(MakeRoom(claim=CLAIM, subnet_id=SUBNET))
    scene.executor.execute(MakeEniRoom(claim=CLAIM))

    assert scene.done == []


def test_where_there_will_be_no_room_it_is_said_why_and_what_to_do(scene):
    scene.no_room = {SUBNET: "the node has all its ENIs", "places": "the CVM may have no more"}

    with pytest.raises(IpamError, match=f"no room for its address in {SUBNET}: the node has all its") as room:
        scene.executor.execute(MakeRoom(claim=CLAIM, subnet_id=SUBNET))
    with pytest.raises(IpamError, match="no place for its ENI at the node: the CVM may") as place:
        scene.executor.execute(MakeEniRoom(claim=CLAIM))

    assert "a node with room there" in room.value.advice
    assert "tke.cloud.tencent.com/direct-eni" in place.value.advice


def test_why_an_address_cannot_be_here_is_said_as_it_was_found(scene):
    why = TryAgainError("it runs with another address")

    with pytest.raises(TryAgainError) as said:
        scene.executor.execute(TellMisplaced(claim=CLAIM, why=why))

    assert said.value is why
