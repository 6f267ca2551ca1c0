"""Which place a claim has in the line of its pool."""

from dataclasses import replace

from ipamd.core.claim import eipclaim
from ipamd.core.claim.eip_line import WaitingLine
from tests.testkit import kubernetes_objects as objects


def claim(name, created):
    return replace(eipclaim.read(objects.claim(name, namespace="default")), created=created)


OLD, MIDDLE, YOUNG = claim("z", 1.0), claim("y", 2.0), claim("x", 2.5)


def test_the_oldest_is_first_whoever_is_told_first():
    line = WaitingLine.of([YOUNG, OLD, MIDDLE])
    assert [line.before(c) for c in (OLD, MIDDLE, YOUNG)] == [(0, 2), (1, 2), (2, 2)]


def test_who_is_not_in_it_yet_has_its_place_by_age():
    line = WaitingLine.of([OLD, YOUNG])
    assert line.before(MIDDLE) == (1, 2)
    assert WaitingLine.of([]).before(OLD) == (0, 0)


def test_of_one_age_the_name_decides():
    first, second = claim("a", 3.0), claim("b", 3.0)
    assert WaitingLine.of([second, first]).before(second) == (1, 1)
