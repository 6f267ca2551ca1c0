"""Which EIP at an address of the node may be unbound, and what is said of one that is somebody else's."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.eips.ownership import Disposal, EipOwnership
from ipamd.core import tags
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.errors import IpamError
from ipamd.core.ledger.states import Address, Binding, BindStage, Warm
from ipamd.core.model import EipStatus
from tests.testkit.addresses import assigned, of_pod
from tests.testkit.claims import OWN, claim
from tests.testkit.eips import listed_eip
from tests.testkit.pods import pod_ref

IP = "10.0.1.5"
POD = pod_ref(uid="pod-1")
BY_HAND = Binding(eip_id=OWN.eip_id, public_ip="198.18.0.1", stage=BindStage.BOUND)
OURS = replace(BY_HAND, claim="default/web-0")
PODS = of_pod(IP, state=assigned(pod=POD))
NOBODYS = Address(ip=IP, eni_id="eni-1", state=Warm(since=1.0), added_at=0.0)
NAMES_IT = claim(address=OWN)
KEPT = claim(never=True, address=OWN)


def eip(*, ip=IP, cluster=""):
    found = listed_eip(OWN.eip_id, EipStatus.BIND, eni_id="eni-1", private_ip=ip)
    return replace(found, tags={tags.CLUSTER_ID: cluster} if cluster else {})


def disposal(address, record, *, live=None, known=(), listed=None, asks_for_none=False):
    """What is decided when the API server has this claim live, the watch these, and the cloud this EIP."""

    def ask(namespace, name):
        return live if (namespace, name) == ("default", "web-0") else None

    ownership = EipOwnership(
        "node-a",
        "cls-1",
        claims=SimpleNamespace(all=lambda: list(known), live=ask),
        cloud=SimpleNamespace(describe_eip=lambda eip_id: listed if eip_id == record.eip_id else None),
        asks_for_none=lambda _: asks_for_none,
    )
    return ownership.disposal(address, record)


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(NAMES_IT, id="it is for this Pod"),
        pytest.param(
            replace(KEPT, pod=ClaimPod(uid="pod-9", node="node-a")),
            id="a Pod of its name is here",
        ),
    ],
)
def test_one_that_its_claim_wants_here_is_kept(live):
    assert disposal(PODS, OURS, live=live) is Disposal.KEEP
    assert disposal(PODS, BY_HAND, live=live) is Disposal.KEEP


@pytest.mark.parametrize(
    ("address", "live"),
    [
        pytest.param(PODS, None, id="its claim is gone"),
        pytest.param(PODS, replace(NAMES_IT, deleting=True), id="its claim is being deleted"),
        pytest.param(PODS, claim(), id="its claim has no EIP any more"),
        pytest.param(PODS, claim(address=replace(OWN, eip_id="eip-other")), id="its claim has another EIP"),
        pytest.param(
            PODS, replace(NAMES_IT, pod=ClaimPod(uid="pod-9", node="node-a")), id="it is for another Pod"
        ),
        pytest.param(
            PODS, replace(KEPT, pod=ClaimPod(uid="pod-9", node="node-b")), id="it is wanted on another node"
        ),
        pytest.param(NOBODYS, NAMES_IT, id="no Pod has the address"),
    ],
)
def test_one_that_we_bound_and_that_nobody_wants_here_is_unbound(address, live):
    assert disposal(address, OURS, live=live) is Disposal.UNBIND


def own_eni(state):
    return of_pod(IP, state=state, exclusive=True, fixed="claim-1")


MOVED = replace(KEPT, pod=ClaimPod(uid="pod-9", node="node-b"))


def test_one_at_an_eni_that_moves_with_its_pod_stays_there_wherever_its_claim_is():
    address = own_eni(assigned(pod=POD))
    assert address.moves_as_eni

    assert disposal(address, OURS, live=MOVED) is Disposal.KEEP
    assert disposal(PODS, OURS, live=MOVED) is Disposal.UNBIND, "an address on a shared ENI does not move"
    only_for_its_pod = replace(NAMES_IT, pod=MOVED.pod)
    assert disposal(address, OURS, live=only_for_its_pod) is Disposal.UNBIND


def test_one_at_an_eni_that_moves_leaves_a_pod_that_asks_for_none():
    address = own_eni(assigned(pod=POD))

    assert disposal(address, OURS, live=MOVED, asks_for_none=True) is Disposal.UNBIND
    serves = replace(MOVED, pod=ClaimPod(uid="pod-1", node="node-b"))
    assert disposal(address, OURS, live=serves, asks_for_none=True) is Disposal.KEEP, "the claim is its own"


def test_one_that_was_bound_by_hand_is_ours_if_a_claim_names_it():
    other = claim(name="web-1", address=OWN)
    assert disposal(PODS, BY_HAND, live=replace(NAMES_IT, deleting=True), listed=eip()) is Disposal.UNBIND
    assert disposal(PODS, BY_HAND, known=[claim(), other], listed=eip()) is Disposal.UNBIND


def test_one_at_nobodys_address_is_looked_for_in_the_claims():
    assert disposal(NOBODYS, BY_HAND, known=[NAMES_IT], live=NAMES_IT, listed=eip()) is Disposal.UNBIND


def test_one_that_was_created_for_the_cluster_is_ours():
    assert disposal(PODS, BY_HAND, listed=eip(cluster="cls-1")) is Disposal.UNBIND


def test_one_that_does_not_exist_any_more_is_unbound_in_the_record():
    assert disposal(PODS, BY_HAND, listed=None) is Disposal.UNBIND


def test_one_that_somebody_else_has_unbound_is_forgotten():
    assert disposal(PODS, BY_HAND, listed=eip(ip="10.0.1.77")) is Disposal.FORGET


@pytest.mark.parametrize(
    ("address", "live", "says", "advice"),
    [
        (NOBODYS, None, "the address is no Pod's and is not used", "unbind it, if nobody needs it there"),
        (PODS, None, "Pod default/web-0 has no claim for it", "if the Pod is not meant to have it"),
        (PODS, claim(), "Pod default/web-0 has no claim for it", "if the Pod is not meant to have it"),
        (
            PODS,
            claim(address=replace(OWN, eip_id="eip-other")),
            "Pod default/web-0 cannot get eip-other while it is there",
            "in the console or with DisassociateAddress; eip-other is bound by itself then",
        ),
    ],
)
@pytest.mark.parametrize("cluster", ["", "cls-2"])
def test_one_of_somebody_else_is_left_alone_and_it_is_said_what_to_do(address, live, says, advice, cluster):
    with pytest.raises(IpamError) as said:
        disposal(address, BY_HAND, live=live, listed=eip(cluster=cluster))

    message = str(said.value)
    assert message.startswith(f"EIP {OWN.eip_id} (198.18.0.1) is bound to {IP} on eni-1, was neither bound")
    assert says in message
    assert advice in said.value.advice


def test_a_public_ip_that_is_not_known_is_said_to_be_so():
    with pytest.raises(IpamError, match=rf"EIP {OWN.eip_id} \(no public IP listed\) is bound"):
        disposal(PODS, replace(BY_HAND, public_ip=""), listed=eip())
