"""A round of the kernel's repair: what is listed anew, what has its turn, and who hears of an ENI."""

import pytest

from ipamd.agent.node.kernel_repair import KernelRepair, RoundListing
from ipamd.core.errors import TryAgainError


class Plane:
    """A kernel that is listed, and changes when a test says so."""

    def __init__(self):
        self.changes = 0
        self.listed = 0

    def listing(self):
        self.listed += 1
        return f"listing {self.listed}"


class Node:
    """Those who mend, in the order in which they were asked, and with what they were shown."""

    def __init__(self):
        self.plane = Plane()
        self.turns: list[tuple[str, object]] = []
        self.told: list[str] = []
        self.is_settled, self.takes_off, self.eni_changes, self.defect = True, False, False, None
        self.repair = KernelRepair(
            listing=RoundListing(self.plane),
            ensure_node=lambda seen: self._turn("node", seen),
            intrusions=Mender(lambda seen: self._turn("links", seen) or self.takes_off),
            enis=Mender(lambda seen: self._turn("ENIs", seen) or self.eni_changes),
            recovery=self,
            pods=Mender(lambda seen: self._turn("Pods", seen), lambda: self._turn("ends", None)),
        )
        self.repair.on_eni_change(lambda: self.told.append("first"))
        self.repair.on_eni_change(lambda: self.told.append("second"))

    def _turn(self, name, seen):
        self.turns.append((name, seen))
        if name == self.defect:
            raise TryAgainError("busy")


class Mender:
    def __init__(self, mend, mend_ends=None):
        self.mend, self.mend_ends = mend, mend_ends


@pytest.fixture
def node():
    return Node()


def test_all_see_the_kernel_as_it_was_listed_once(node):
    node.repair.round()

    assert node.turns == [
        ("node", "listing 1"),
        ("links", "listing 1"),
        ("ENIs", "listing 1"),
        ("Pods", "listing 1"),
        ("ends", None),
    ]
    assert node.repair.drift() == []


def test_each_round_lists_the_kernel_anew(node):
    node.repair.round()
    node.repair.round()

    assert node.plane.listed == 2


def test_what_was_listed_before_an_address_was_taken_off_is_not_used_after_it(node):
    node.takes_off = True

    node.repair.begin()

    assert node.turns[1:3] == [("links", "listing 1"), ("ENIs", "listing 2")]


def test_what_was_listed_before_the_data_plane_changed_something_is_not_used_after_it():
    plane = Plane()
    listing = RoundListing(plane)

    first = listing.now()
    plane.changes += 1
    second = listing.now()

    assert second is not first
    assert listing.now() is second
    assert plane.listed == 2


@pytest.mark.parametrize(("changes", "told"), [(True, ["first", "second"]), (False, [])])
def test_an_eni_that_can_or_cannot_carry_pods_by_now_is_told_and_nothing_else(node, changes, told):
    node.eni_changes = changes

    node.repair.round()

    assert node.told == told


def test_pods_are_left_alone_until_the_ledger_can_be_true(node):
    node.is_settled = False

    node.repair.begin()

    assert [name for name, _ in node.turns] == ["node", "links", "ENIs"]


def test_a_part_that_fails_takes_no_other_s_turn_and_is_told_until_it_succeeds(node):
    node.defect = "links"
    node.repair.begin()

    assert [name for name, _ in node.turns] == ["node", "links", "ENIs", "Pods"]
    assert node.repair.drift() == ["busy"]

    node.defect = None
    node.repair.begin()
    assert node.repair.drift() == []
