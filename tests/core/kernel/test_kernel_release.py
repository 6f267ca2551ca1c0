"""A kernel on which Services would fail silently is refused, and no other."""

import pytest

from ipamd.core.errors import InvalidInputError
from ipamd.core.kernel.kernel_release import check


@pytest.mark.parametrize("release", ["3.10.0-1160.el7.x86_64", "4.14.105-19-0024", "4.17.19"])
def test_one_that_is_too_old_is_refused_with_what_to_do(release):
    with pytest.raises(InvalidInputError) as refused:
        check(release)
    assert release in refused.value.message
    assert "4.18" in refused.value.message
    assert refused.value.advice


@pytest.mark.parametrize(
    "release",
    ["4.18.0-553.el8_10.x86_64", "4.19.12", "5.4.119-19-0009.11", "6.18.44", "10.0.1", "?", ""],
)
def test_every_other_one_is_accepted(release):
    check(release)
