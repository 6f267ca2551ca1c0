"""Which step of a claim's change the cloud has accepted: the last one only, as long as it goes on."""

from ipamd.controller.claims.changes_in_flight import ChangesInFlight
from ipamd.core.model import AcceptedOrder


def test_the_task_of_the_present_step_is_known_for_each_claim():
    in_flight = ChangesInFlight()

    in_flight.accepted("uid-1", "eip-1", "task-1")
    in_flight.accepted("uid-2", "eip-2", "task-2")
    in_flight.accepted("uid-1", "eip-1", "task-3")

    assert in_flight.of("uid-1") == AcceptedOrder(eip_id="eip-1", task_id="task-3")
    assert in_flight.of("uid-2") == AcceptedOrder(eip_id="eip-2", task_id="task-2")
    assert in_flight.of("uid-3") is None


def test_a_step_without_a_task_leaves_nothing_of_the_one_before():
    in_flight = ChangesInFlight()
    in_flight.accepted("uid-1", "eip-1", "task-1")

    in_flight.accepted("uid-1", "eip-1", "")
    in_flight.accepted("uid-2", "eip-2", "")

    assert in_flight.of("uid-1") is None
    assert in_flight.of("uid-2") is None


def test_what_is_over_is_forgotten_once_and_again():
    in_flight = ChangesInFlight()
    in_flight.accepted("uid-1", "eip-1", "task-1")
    in_flight.accepted("uid-2", "eip-2", "task-2")

    in_flight.forget("uid-1")
    in_flight.forget("uid-1")

    assert in_flight.of("uid-1") is None
    assert in_flight.of("uid-2") is not None
