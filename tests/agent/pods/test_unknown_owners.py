"""After the store was lost, the kernel tells who has which address; names may come from the API server."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.pods.unknown_owners import UnknownOwners
from ipamd.agent.pods.wiring import wiring
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.kubernetes import pods
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Assigned, Occupied
from ipamd.store.database import Database
from tests.agent.pods.test_wiring import IP, KEY, LINK, assigned, found, kernel
from tests.runtime.manual_clock import ManualClock
from tests.testkit.pods import pod_ref

MY_POD = {"namespace": "default", "name": "web-0", "uid": "u1"}
WIRED = found(wiring(assigned(pod_ref()), LINK))


class Seen:
    """What the kernel shows, and the Pods of the node; `waits` has how long somebody waited for them."""

    def __init__(self, database):
        self.shared_ledger = SharedLedger(database, Ledger(), clock=ManualClock().now)
        self.kernel = kernel()
        self.pods: list[pods.PodView] = []
        self.waits: list[float] = []

    def knows(self, *addresses):
        self.shared_ledger.apply(lambda current: current.changed(*addresses))

    def find(self):
        source = SimpleNamespace(wait_synced=self.waits.append, all=lambda: self.pods)
        plane = SimpleNamespace(snapshot=lambda: self.kernel)
        return UnknownOwners(shared_ledger=self.shared_ledger, dataplane=plane, pods=source).find()


@pytest.fixture
def seen(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Seen(database)


def test_a_wired_address_that_the_store_does_not_know_has_the_owner_that_its_link_names(seen):
    seen.kernel = kernel(WIRED)

    found_owners = seen.find()

    assert list(found_owners) == [IP]
    assert isinstance(found_owners[IP], Assigned)
    assert (found_owners[IP].key, found_owners[IP].pod, found_owners[IP].since) == (KEY, pod_ref(), 1000.0)


@pytest.mark.parametrize("eip_pods", [frozenset(), frozenset({IP})])
def test_one_that_leaves_by_its_own_address_goes_on_to_do_so(seen, eip_pods):
    seen.kernel = replace(kernel(WIRED), eip_pods=eip_pods)

    assert seen.find()[IP].awaits_eip == bool(eip_pods)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_links_of_an_address_the_one_that_its_route_leads_to_has_it(seen, order):
    before = replace(WIRED, name="eni-before", mac="0a:e2:00:00:00:77", ifindex=8)
    links = [before, WIRED][::order]
    seen.kernel = kernel(*links, routes=[(f"{IP}/32", WIRED.ifindex)])

    assert seen.find()[IP].host_interface == WIRED.name


def test_a_known_address_has_its_owner_already_and_no_pods_are_waited_for(seen):
    seen.knows(assigned(pod_ref()))
    seen.kernel = kernel(WIRED)

    assert seen.find() == {}
    assert seen.waits == []


def test_who_is_not_named_beside_the_link_is_looked_for_among_the_pods_by_the_address(seen):
    seen.kernel = kernel(found(wiring(assigned(pod_ref()), LINK), alias=""), routes=[(f"{IP}/32", 9)])
    seen.pods = [pods.view({"metadata": MY_POD, "status": {"podIP": IP}})]

    (owner,) = seen.find().values()

    assert owner == Occupied(host_interface=WIRED.name, host_mac=WIRED.mac, pod=pod_ref(), since=1000.0)
    assert seen.waits == [10.0]
