import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import errors
from ipamd.net.marks import KUBE_PROXY, KUBE_ROUTER, MarkMask
from ipamd.net.model import DataPlaneConfig

MASKS = st.tuples(st.integers(2, 9), st.integers(0, 30)).map(lambda t: ((1 << t[0]) - 1) << t[1])
USABLE = MASKS.filter(lambda mask: mask <= 0xFFFFFFFF and not mask & KUBE_PROXY)


@pytest.mark.parametrize(
    "mask", [0, -1, 1, 0x10000, 0x50000, 0x4000, 0xC000, 0x1FF000, 1 << 32, 0x3F00000000]
)
def test_masks_that_are_not_ours_to_take_are_refused(mask):
    with pytest.raises(errors.InvalidInputError, match="mark_mask"):
        MarkMask(mask)


@given(USABLE)
def test_every_mark_lies_in_the_mask_and_no_two_are_alike(mask):
    marks = MarkMask(mask)
    taken = {marks.primary}
    while len(taken) < min(mask // marks.primary, 40):
        taken.add(marks.free(taken))

    assert all(mark and mark & ~mask == 0 for mark in taken)


@given(USABLE)
def test_when_all_are_taken_the_error_says_how_many_there_are(mask):
    marks = MarkMask(mask)
    step = marks.primary
    with pytest.raises(errors.InvalidInputError, match=f"room for {mask // step} ENIs"):
        marks.free(range(step, mask + step, step))


def test_a_mark_that_became_free_is_used_again():
    marks = MarkMask(0x3F0000)

    assert marks.free({0x10000, 0x20000, 0x40000}) == 0x30000


def test_our_bits_are_none_of_kube_proxy_s_kube_router_s_and_tailscale_s():
    """What others let pass by their own bits must not be opened or closed by ours."""
    assert DataPlaneConfig().mark_mask & (KUBE_PROXY | KUBE_ROUTER | 0xFF0000) == 0
