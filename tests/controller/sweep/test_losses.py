"""Whom a pass tells that its EIP is gone, and when it is not believed."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.controller.claims.ports import Ports
from ipamd.controller.sweep.losses import ClaimLosses
from ipamd.core.claim.eipclaim import ClaimAddress
from ipamd.kube import errors
from ipamd.kube.leases import NotLeaderError
from tests.testkit import claims


def numbered(number, **changes):
    address = ClaimAddress(eip_id=f"eip-{number}", public_ip=f"198.18.0.{number}", owned=True)
    return claims.claim(name=f"web-{number}", uid=f"claim-{number}", address=address, **changes)


class Scene:
    """Claims, and EIPs that the cloud shows by listing or by id."""

    def __init__(self):
        self.listed = [claims.eip(f"eip-{number}") for number in range(6)]
        self.by_id = list(self.listed[:0])
        self.told: list[tuple[str, ...]] = []
        self.said: list[tuple[str, ...]] = []
        self.written: list[str] = []
        self.refusal: Exception | None = None
        self.leads = True
        ports = Ports(
            fence=SimpleNamespace(deadline=self._deadline),
            cloud=None,
            writer=SimpleNamespace(write_status=self._write),
            teller=SimpleNamespace(both=lambda claim, *words: self.told.append((claim.name, *words))),
            in_flight=None,
            on_freed=None,
            release_stopped=str,
            clock=lambda: claims.NOW,
        )
        cloud = SimpleNamespace(describe_eips=lambda *, eip_ids: self.by_id)
        self.losses = ClaimLosses(cloud, ports, lambda *words: self.said.append(words))

    def _deadline(self):
        if not self.leads:
            raise NotLeaderError("another one leads")

    def _write(self, claim, patch):
        if self.refusal:
            raise self.refusal
        self.written.append(claim.name)
        return claim

    def mend(self, *known):
        return self.losses.mend(known, self.listed)

    def hide(self, *numbers):
        self.listed = [eip for eip in self.listed if eip.eip_id not in {f"eip-{n}" for n in numbers}]


@pytest.fixture
def scene():
    return Scene()


def test_an_eip_that_two_passes_do_not_find_is_gone_and_one_that_its_id_shows_is_not(scene):
    known = [numbered(number) for number in range(6)]
    scene.hide(1, 2)
    scene.by_id = [claims.eip("eip-2")]

    assert scene.mend(*known) == 0
    assert scene.mend(*known) == 1

    [(name, kind, reason, message)] = scene.told
    assert (name, kind, reason) == ("web-1", "Warning", "EIPLost")
    assert message == "eip-1 (198.18.0.1) does not exist any more; another one is ordered"
    assert scene.written == ["web-1"]
    assert scene.losses.blind == ""


def test_what_a_claim_says_already_is_no_news(scene):
    said = {
        "type": "Provisioned",
        "status": "False",
        "reason": "EIPLost",
        "message": "eip-1 (198.18.0.1) does not exist any more; it was the user's, and none is ordered",
    }
    lost = numbered(1, conditions=(said,))
    lost = replace(lost, address=replace(lost.address, owned=False))
    known = [lost, *(numbered(number) for number in range(2, 6))]
    scene.hide(1)

    assert (scene.mend(*known), scene.mend(*known)) == (0, 0)
    assert scene.written == []


@pytest.mark.parametrize("refusal", [errors.ConflictError("changed"), errors.NotFoundError("gone")])
def test_a_claim_that_changed_meanwhile_is_told_of_by_a_later_pass(scene, refusal):
    known = [numbered(number) for number in range(6)]
    scene.hide(1)
    scene.refusal = refusal

    assert (scene.mend(*known), scene.mend(*known)) == (0, 0)
    assert scene.told == []
    scene.refusal = None
    assert scene.mend(*known) == 1


def test_nothing_is_written_by_who_does_not_lead(scene):
    known = [numbered(number) for number in range(6)]
    scene.hide(1)
    scene.mend(*known)
    scene.leads = False

    with pytest.raises(NotLeaderError):
        scene.mend(*known)
    assert scene.written == []


def test_a_claim_that_is_deleted_gets_no_other_eip(scene):
    known = [numbered(1, deleting=True), *(numbered(number) for number in range(2, 6))]
    scene.hide(1)

    assert (scene.mend(*known), scene.mend(*known)) == (0, 0)


def test_when_all_are_hidden_it_is_told_and_not_believed_nor_when_their_claims_are_deleted(scene):
    known = [numbered(number) for number in range(6)]
    scene.hide(*range(6))

    assert (scene.mend(*known), scene.mend(*known)) == (0, 0)
    assert scene.losses.blind.startswith("the cloud shows 6 EIPs of EIPClaims no more")
    assert {words[:2] for words in scene.said} == {("Warning", "EIPsNotShown")}

    deleted = [replace(claim, deleting=True) for claim in known]
    assert scene.mend(*deleted) == 0
    assert scene.losses.blind, "deleted or not: they are hidden"

    scene.listed = [claims.eip(f"eip-{number}") for number in range(6)]
    assert scene.mend(*deleted) == 0
    assert scene.losses.blind == ""
    assert scene.written == []
