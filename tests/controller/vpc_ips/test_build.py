"""The work on fixed addresses as it is put together: what its watch shows."""

import contextlib
from types import SimpleNamespace

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.tempo import ReplicaPace
from ipamd.controller.vpc_ips import build as vpc_ips_room
from ipamd.core.eip.orphans import SweepTerms
from ipamd.core.vpc_ip import vpcipclaim
from ipamd.kube.resources import VPCIPCLAIMS
from tests.runtime.manual_clock import ManualClock
from tests.testkit.eventually import eventually
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import KEPT

STATUS = {
    "reserved": {"address": {"ip": "10.0.3.7", "subnetID": "subnet-a", "reservationID": "rsvip-1"}},
    "by-book-0": {"address": {"ip": "10.0.3.8", "subnetID": "subnet-a"}},
    "by-book-1": {"address": {"ip": "10.0.3.9", "subnetID": "subnet-a"}},
    "without": {},
}


def test_claims_are_counted_by_phase_and_those_whose_address_the_vpc_does_not_keep(client):
    with contextlib.ExitStack() as stack:
        for name, status in STATUS.items():
            client.create(VPCIPCLAIMS, vpcipclaim.new_object(pod_view(name=name), KEPT))
            client.patch(VPCIPCLAIMS, name, {"status": status}, "default", subresource="status")
        cluster = ClusterView(client, wake=lambda _: None, outages=Absences(ManualClock().now))
        queue = SimpleNamespace(add=lambda _: None)
        work = vpc_ips_room.build(
            SimpleNamespace(cluster_id="cls-1", sweep=SweepTerms(), rules=None, resync=600.0),
            SimpleNamespace(cluster=cluster, queue=queue),
            SimpleNamespace(live=None),
            SimpleNamespace(teller=None, fence=None),
            client=client,
            cloud=None,
            tempo=ReplicaPace(),
        )
        stack.callback(work.watch.stop, 5.0)
        work.watch.start()
        eventually(lambda: len(work.claims()) == len(STATUS))

        shown = {metric.name: metric.samples for metric in work.watch.metrics()}

    assert shown["tke_eni_vpc_ip_claims_not_reserved"] == {(): 2}
    phases = {phase: count for (phase,), count in shown["tke_eni_vpc_ip_claims"].items() if count}
    assert phases == {"Provisioned": 3, "Pending": 1}
