"""How a replica behaves in time: each kind of work has a back-off of its own, unless one is given for all."""

from ipamd.controller.tempo import ReplicaPace
from ipamd.core.timing.backoff import Backoff

USUAL, GIVEN = Backoff(first=2.0, longest=300.0), Backoff(first=0.1, longest=1.0)


def test_work_keeps_its_own_back_off_unless_one_is_given_for_all():
    assert ReplicaPace().after_failures(USUAL) is USUAL
    assert ReplicaPace(backoff=GIVEN).after_failures(USUAL) is GIVEN
