"""Choices between the user's EIPs: who is known to have one, whom it is asked of, for how long that holds."""

from types import SimpleNamespace

import pytest

from ipamd.controller.claims.eip_selection import EipSelection
from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.claim.actions import Choose, MarkNotProvisioned, RecordAddress
from ipamd.core.claim.eipclaim import ClaimAddress
from ipamd.kube import errors
from ipamd.kube.leases import NotLeaderError
from tests.testkit import claims
from tests.testkit.eips import listed_eip

ONE, TWO = "eip-aaaaaaaa", "eip-bbbbbbbb"
WISH = Choose(address_ids=(ONE,))
EITHER = Choose(address_ids=(ONE, TWO))


def wanting(uid, *, name="", has=""):
    """A claim that waits for an EIP of a list, or has one of it."""
    address = ClaimAddress(eip_id=has, public_ip="198.18.0.1", owned=False) if has else None
    request = EipRequest(address_ids=(ONE, TWO), delete_policy=DeletePolicy.DELETE)
    return claims.claim(uid=uid, name=name or f"web-{uid}", request=request, address=address)


class Scene:
    """What the watch shows of claims, what the API server has of them, and which EIPs there are."""

    def __init__(self):
        self.now = 100.0
        self.leads = True
        self.stored: dict[str, object] = {}
        self.shown: dict[str, list[object]] = {}
        self.lacks: set[str] = set()
        self.eips = {eip_id: listed_eip(eip_id) for eip_id in (ONE, TWO)}
        self.looks: list[tuple[str, ...]] = []
        self.reads: list[str] = []
        self.stamped: list[str] = []
        self.refusal: Exception | None = None
        ports = SimpleNamespace(
            steady=lambda: self.now,
            fence=SimpleNamespace(deadline=self._deadline),
            writer=SimpleNamespace(read=self._read, stamp=self._stamp),
        )
        self.selection = EipSelection(
            claims.CLUSTER, sight=self, ports=ports, tagged_only=False, lots=lambda: 0.0
        )

    def _deadline(self):
        if not self.leads:
            raise NotLeaderError("another one leads")

    def _read(self, namespace, name):
        self.reads.append(name)
        return self.stored.get(name)

    def _stamp(self, claim, term):
        assert term
        self.stamped.append(claim.name)
        if claim.name == "gone":
            raise errors.NotFoundError("gone")

    # ---- what is looked at

    def at_claims(self):
        return list(self.stored.values())

    def at_holders(self, eip_ids):
        return {eip_id: self.shown.get(eip_id, []) for eip_id in eip_ids}

    def may_hold(self, claim, eip_id):
        return claim.uid not in self.lacks

    def at_eips(self, eip_ids):
        self.looks.append(tuple(eip_ids))
        return {eip_id: self.eips[eip_id] for eip_id in eip_ids if eip_id in self.eips}

    # ---- what is done

    def choose(self, claim, choice=WISH):
        return self.selection.choose(claim, choice, self._record)

    def _record(self, outcome, claim):
        assert isinstance(outcome, RecordAddress)
        if self.refusal:
            raise self.refusal
        recorded = wanting(claim.uid, name=claim.name, has=outcome.address.eip_id)
        self.stored[claim.name] = recorded
        return recorded


@pytest.fixture
def scene():
    return Scene()


def given(outcome):
    return outcome.address.eip_id


def test_a_free_eip_is_given_to_one_and_refused_to_the_next_without_a_look(scene):
    assert given(scene.choose(wanting("b"))) == ONE
    looks = len(scene.looks)

    for uid in ("a", "c"):  # whatever the order of their UIDs
        refused = scene.choose(wanting(uid))
        assert isinstance(refused, MarkNotProvisioned)
        assert "web-b" in refused.message
    assert len(scene.looks) == looks


def test_a_claim_whose_answer_was_lost_is_not_given_again_what_it_has_and_gets_what_it_has_not(scene):
    """Its copy is older than the record, which would be lost sight of by another one that is refused."""
    scene.choose(wanting("a"))
    assert isinstance(scene.choose(wanting("a")), MarkNotProvisioned)

    scene.stored["web-a"] = wanting("a")
    assert given(scene.choose(wanting("a"))) == ONE


def test_who_has_another_one_by_the_watch_keeps_nobody_waiting(scene):
    scene.choose(wanting("a"))
    scene.lacks.add("a")
    scene.stored["web-a"] = wanting("a")

    assert given(scene.choose(wanting("b"))) == ONE
    assert scene.reads == ["web-a"], "only what this process alone knows of is asked for"


@pytest.mark.parametrize(
    "now_there",
    [
        None,
        wanting("other", name="web-a", has=ONE),
        wanting("a"),
        wanting("a", has=TWO),
    ],
)
def test_an_eip_is_free_again_once_the_claim_that_had_it_is_another_or_has_it_no_more(scene, now_there):
    scene.choose(wanting("a"))
    scene.lacks.add("a")
    scene.stored["web-a"] = now_there

    assert given(scene.choose(wanting("b"))) == ONE


def test_an_eip_is_not_free_while_the_claim_that_was_given_it_still_has_it(scene):
    scene.choose(wanting("a"))
    scene.lacks.add("a")  # the watch is behind

    assert isinstance(scene.choose(wanting("b")), MarkNotProvisioned)
    assert scene.reads == ["web-a"]


def test_whom_the_watch_shows_is_not_asked(scene):
    scene.choose(wanting("z"), Choose(address_ids=(TWO,)))
    scene.shown = {ONE: [wanting("x", has=ONE)]}

    refused = scene.choose(wanting("b"))

    assert isinstance(refused, MarkNotProvisioned)
    assert "web-x" in refused.message
    assert scene.reads == []


def test_the_first_choice_of_a_term_reads_all_claims_and_stamps_those_that_wait_for_an_eip_of_a_list(scene):
    scene.stored = {
        "has": wanting("1", name="has", has=ONE),
        "waits": wanting("2", name="waits"),
        "gone": wanting("3", name="gone"),
        "orders": claims.claim(uid="4", name="orders"),
        "bad": claims.claim(uid="5", name="bad", request=None),
    }

    assert isinstance(scene.choose(wanting("b")), MarkNotProvisioned)
    assert given(scene.choose(wanting("c"), EITHER)) == TWO

    assert scene.stamped == ["waits", "gone"]


def test_one_that_is_decided_on_an_older_claim_leaves_the_eip_free(scene):
    scene.refusal = errors.ConflictError("changed")
    with pytest.raises(errors.ConflictError):
        scene.choose(wanting("a"))
    scene.refusal = None

    assert given(scene.choose(wanting("b"))) == ONE
    assert scene.reads == []


def test_after_an_answer_that_was_lost_the_eip_may_be_given_away(scene):
    scene.choose(wanting("z"), Choose(address_ids=(TWO,)))
    scene.refusal = errors.UnreachableError("no answer")
    with pytest.raises(errors.UnreachableError):
        scene.choose(wanting("a"))
    scene.refusal = None

    assert isinstance(scene.choose(wanting("b")), MarkNotProvisioned)


def test_a_claim_that_gets_another_eip_has_the_first_no_more(scene):
    scene.choose(wanting("a"))
    scene.choose(wanting("a"), Choose(address_ids=(TWO,)))

    assert given(scene.choose(wanting("b"))) == ONE


def test_who_does_not_lead_chooses_and_releases_nothing(scene):
    scene.leads = False

    with pytest.raises(NotLeaderError):
        scene.choose(wanting("a"))
    with pytest.raises(NotLeaderError):
        scene.selection.withdraw(ONE, lambda: None)
    assert scene.looks == []


def test_an_eip_is_withdrawn_unless_a_claim_has_it(scene):
    released: list[str] = []
    scene.choose(wanting("a"))

    holder = scene.selection.withdraw(ONE, lambda: released.append(ONE))
    assert (holder.uid, released) == ("a", [])

    assert scene.selection.withdraw(TWO, lambda: released.append(TWO)) is None
    assert released == [TWO]
