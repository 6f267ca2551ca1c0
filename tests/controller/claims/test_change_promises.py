"""Which step of a claim's change the cloud has accepted: the last one only, as long as it goes on."""

from ipamd.controller.claims.change_promises import ChangePromises
from ipamd.core.model import AcceptedOrder


def test_the_task_of_the_present_step_is_known_for_each_claim():
    promises = ChangePromises()

    promises.accepted("uid-1", "eip-1", "task-1")
    promises.accepted("uid-2", "eip-2", "task-2")
    promises.accepted("uid-1", "eip-1", "task-3")

    assert promises.of("uid-1") == AcceptedOrder(eip_id="eip-1", task_id="task-3")
    assert promises.of("uid-2") == AcceptedOrder(eip_id="eip-2", task_id="task-2")
    assert promises.of("uid-3") is None


def test_a_step_without_a_task_leaves_nothing_of_the_one_before():
    promises = ChangePromises()
    promises.accepted("uid-1", "eip-1", "task-1")

    promises.accepted("uid-1", "eip-1", "")
    promises.accepted("uid-2", "eip-2", "")

    assert promises.of("uid-1") is None
    assert promises.of("uid-2") is None


def test_what_is_over_is_forgotten_once_and_again():
    promises = ChangePromises()
    promises.accepted("uid-1", "eip-1", "task-1")
    promises.accepted("uid-2", "eip-2", "task-2")

    promises.forget("uid-1")
    promises.forget("uid-1")

    assert promises.of("uid-1") is None
    assert promises.of("uid-2") is not None
