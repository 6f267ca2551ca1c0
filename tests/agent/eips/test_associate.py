"""A bind whose Pod goes meanwhile ends at once, unless the cloud has accepted it: then it is seen through."""

import time
from types import SimpleNamespace

import pytest

from ipamd.agent.eips.associate import Association
from ipamd.agent.eips.confirm import EipConfirmation
from ipamd.agent.eips.record import EipRecord
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.polling import EipWatch
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.eip.binding_plan import Associate
from ipamd.core.ledger import acquisition, ledger
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Unbinding
from ipamd.core.model import EipStatus, SandboxKey
from ipamd.store.database import Database
from tests.testkit.claims import OWN, claim
from tests.testkit.eips import listed_eip
from tests.testkit.pods import pod_ref

IP, ENI, NODE, COOLDOWN = "10.0.1.5", "eni-a", "node-a", 30.0
POD, KEY = pod_ref(uid="pod-1"), SandboxKey(container_id="c1", ifname="eth0")


class Cloud:
    """Binds, and shows that some looks later; or refuses. Its Pod goes when it is asked."""

    def __init__(self, meanwhile):
        self.meanwhile = meanwhile
        self.refuses = False
        self.asked = 0
        self.looks = 0

    def associate_eip(self, _eip_id, _eni_id, _ip, deadline):
        self.asked += 1
        self.meanwhile()
        if self.refuses:
            assert deadline.expired, "it would be repeated until then"
            raise cloud_error("AssociateAddress", "RequestLimitExceeded", "too many")
        return "1"

    def describe_eips(self, *, eip_ids, deadline):
        self.looks += 1
        return [self.bound if self.looks >= 4 else listed_eip(OWN.eip_id)]

    @property
    def bound(self):
        return listed_eip(OWN.eip_id, EipStatus.BIND, eni_id=ENI, private_ip=IP)


class Scene:
    def __init__(self, database, watch_of):
        self.shared_ledger = SharedLedger(database, Ledger())
        self.cloud = Cloud(self.pod_goes)
        self.told: list[str] = []
        locks = PodLocks()
        self.association = Association(
            NODE,
            cloud=self.cloud,
            confirmation=EipConfirmation(self.cloud, watch_of(self.cloud)),
            record=EipRecord(self.shared_ledger, SimpleNamespace(), locks, cooldown=COOLDOWN),
            announcer=SimpleNamespace(
                begin=lambda claim, *_: claim, bound=lambda *_: self.told.append("bound")
            ),
            monotonic=time.monotonic,
        )
        now = self.shared_ledger.now()
        self.shared_ledger.apply(lambda current: ledger.adopt(current, ENI, [IP], now))
        attachment = acquisition.Attachment(key=KEY, pod=POD)
        self.shared_ledger.apply(lambda current: acquisition.acquire(current, attachment, COOLDOWN, now))

    @property
    def address(self):
        return self.shared_ledger.current.addresses[IP]

    def pod_goes(self):
        now = self.shared_ledger.now()
        self.shared_ledger.apply(lambda current: ledger.release(current, KEY, None, COOLDOWN, now))

    def associate(self):
        self.association.associate(Associate(address=self.address, claim=claim(address=OWN), pod=POD))


@pytest.fixture
def scene(tmp_path):
    watches = []

    def watch_of(cloud):
        watches.append(EipWatch(cloud))
        return watches[-1]

    with Database(tmp_path / "ipamd.db") as database:
        yield Scene(database, watch_of)
    for watch in watches:
        watch.close()


def test_what_was_accepted_is_seen_through_though_lists_do_not_show_it_yet(scene):
    """Who unbinds it next would be told by such a list that there is nothing to unbind."""
    scene.associate()

    assert isinstance(scene.address.state, Unbinding)
    assert scene.cloud.looks >= 4, "until it was shown"
    assert scene.address.eip.eip_id == OWN.eip_id, "it is unbound next"


def test_what_is_refused_is_not_asked_for_again(scene):
    scene.cloud.refuses = True

    scene.associate()

    assert (scene.cloud.asked, scene.cloud.looks, scene.told) == (1, 0, [])
    assert scene.address.eip.eip_id == OWN.eip_id, "it may be bound by an earlier request"
