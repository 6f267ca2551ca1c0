"""The threads that work the queue: whatever a round meets, its key comes again."""

from ipamd.controller.queueing import WorkQueue
from ipamd.controller.rests import Rest
from ipamd.controller.workers import Workers
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.leases import NotLeaderError
from tests.testkit.eventually import eventually

WEB = ("default", "web-0")


def test_what_met_a_lease_that_is_renewed_late_comes_again_and_not_with_the_next_resync():
    queue: WorkQueue[tuple[str, str]] = WorkQueue(backoff=Backoff(first=0.01, longest=0.02))
    rounds = []

    def reconcile(key):
        rounds.append(key)
        if len(rounds) == 1:
            raise NotLeaderError("the Lease is not believed in just now")
        return Rest()

    workers = Workers(queue, reconcile, number=1, keys=lambda: [WEB], resync=600.0)
    workers.start()

    eventually(lambda: rounds == [WEB, WEB])
    assert workers.stop(10)
