import gc

import pytest

from ipamd.runtime import collector


@pytest.fixture(autouse=True)
def nothing_stays_frozen():
    yield
    gc.unfreeze()


def is_looked_at(found):
    return any(known is found for known in gc.get_objects())


def test_what_is_made_in_the_block_is_never_looked_at_and_the_rest_is_again():
    with collector.kept_off():
        assert not gc.isenabled()
        stays = [object]
        assert is_looked_at(stays)
    assert gc.isenabled()
    assert not is_looked_at(stays)
    later = [stays]
    assert is_looked_at(later)


def test_a_block_that_fails_leaves_the_collector_on():
    with pytest.raises(ImportError), collector.kept_off():
        raise ImportError
    assert gc.isenabled()


def test_one_that_was_off_stays_off():
    gc.disable()
    try:
        with collector.kept_off():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
