"""One comparison of ip-masq-agent's configuration with the claims: what is written, told, and left alone."""

import contextlib
import json
from types import SimpleNamespace
from typing import Any

import pytest

from ipamd.controller.masquerade.sync import MasqueradeConfig
from ipamd.core.eip.masquerade import OURS, MasqueradeMode
from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.resources import CONFIGMAPS
from simulator.kube import KubeServer, Store, listen
from simulator.kube.faults import Fault, FaultKind
from tests.testkit import claims
from tests.testkit.eventually import eventually

NAME, NAMESPACE = "ip-masq-agent-config", "kube-system"
OUR_ENTRY = "10.0.1.5/32"
BOUND = claims.claim(address=claims.OWN, binding=claims.ON_A)
NEXT = 300.0


class Scene:
    """The configuration as a ConfigMap, and one that compares it when it is told to."""

    def __init__(self, kube, client, mode):
        self._kube, self.client = kube, client
        self.claims: list[Any] = []
        self.leads = True
        self._watches = False
        self.told: list[tuple[str, str]] = []
        self.config = MasqueradeConfig(
            client,
            mode,
            claims=lambda: self.claims,
            fence=SimpleNamespace(deadline=self._deadline),
            teller=SimpleNamespace(config_map=self._tell),
        )

    def _deadline(self):
        if not self.leads:
            raise NotLeaderError("another one leads")

    def _tell(self, namespace, name, *, uid, reason, message):
        assert (namespace, name, reason) == (NAMESPACE, NAME, "InvalidIPMasqAgentConfig")
        self.told.append((uid, message))

    def create(self, data, ours=None):
        annotations = {OURS: ours} if ours else None
        metadata = {"name": NAME, "namespace": NAMESPACE, "annotations": annotations}
        return self.client.create(CONFIGMAPS, {"metadata": metadata, "data": data})

    def refuse_writes(self, status):
        self._kube.inject(Fault(kind=FaultKind.STATUS, verb="patch", resource="configmaps", code=status))

    def write(self, data):
        self.client.patch(CONFIGMAPS, NAME, {"data": data}, NAMESPACE)

    def seen(self):
        """Wait until the watch shows what there is now."""
        now = self.client.get(CONFIGMAPS, NAME, NAMESPACE)["metadata"]["resourceVersion"]
        eventually(lambda: self._shown() == now)

    def _shown(self):
        obj = self.config._cache.get(NAMESPACE, NAME)
        return obj and obj["metadata"]["resourceVersion"]

    def keep(self):
        if not self._watches:
            self.config.start_watching()
            self._watches = True
        eventually(lambda: self.config._cache.has_synced)
        return self.config.keep()

    def config_map(self):
        return self.client.get(CONFIGMAPS, NAME, NAMESPACE)

    def entries(self):
        return json.loads(self.config_map()["data"]["config"]).get("NonMasqueradeSrcCIDRs")


@pytest.fixture
def scene(request):
    with (
        KubeServer(Store(), [listen()]) as kube,
        contextlib.closing(KubeClient(Connection(server=kube.url), component="test")) as client,
    ):
        made = Scene(kube, client, getattr(request, "param", MasqueradeMode.KEEP))
        yield made
        made.config.stop(5.0)


clearing = pytest.mark.parametrize("scene", [MasqueradeMode.CLEAR], indirect=True)


def text(*entries):
    return json.dumps({"NonMasqueradeSrcCIDRs": list(entries)})


def test_before_the_first_list_nothing_is_compared(scene):
    scene.claims = [BOUND]

    assert scene.config.keep() == 0.0
    assert scene.told == []


def test_entries_are_written_and_are_ours_and_then_nothing_is_written_for_five_minutes(scene):
    scene.create({"config": text("10.9.0.0/24")})
    scene.claims = [BOUND]

    assert scene.keep() == NEXT
    assert scene.entries() == ["10.9.0.0/24", OUR_ENTRY]
    assert scene.config_map()["metadata"]["annotations"] == {OURS: OUR_ENTRY}

    scene.seen()
    before = scene.config_map()
    assert scene.keep() == NEXT
    assert scene.config_map() == before


@clearing
def test_what_is_ours_is_taken_out_whatever_the_claims_say(scene):
    scene.create({"config": text("10.9.0.0/24", OUR_ENTRY)}, ours=OUR_ENTRY)
    scene.claims = [BOUND]

    assert scene.keep() == NEXT

    assert scene.entries() == ["10.9.0.0/24"]
    assert OURS not in scene.config_map()["metadata"].get("annotations", {})


@clearing
def test_what_somebody_took_out_before_is_ours_no_more(scene):
    scene.create({"config": text("10.9.0.0/24")}, ours=OUR_ENTRY)

    scene.keep()

    assert scene.entries() == ["10.9.0.0/24"]
    assert OURS not in scene.config_map()["metadata"].get("annotations", {})


@pytest.mark.parametrize(("bound", "told"), [(True, 1), (False, 0)])
def test_a_configuration_that_does_not_exist_is_missed_only_where_a_pod_needs_it(scene, bound, told):
    scene.claims = [BOUND] if bound else []

    assert scene.keep() == NEXT

    assert [(uid, "does not exist" in message) for uid, message in scene.told] == [("", True)] * told


@pytest.mark.parametrize("data", [None, {"other": "x"}])
@pytest.mark.parametrize(
    ("bound", "ours", "told"),
    [(True, None, 1), (False, OUR_ENTRY, 1), (True, OUR_ENTRY, 1), (False, None, 0)],
)
def test_a_key_that_does_not_exist_is_missed_where_entries_are_wanted_or_were_ours(
    scene, data, bound, ours, told
):
    uid = scene.create(data, ours)["metadata"]["uid"]
    scene.claims = [BOUND] if bound else []

    assert scene.keep() == NEXT

    assert [(about, "has no key config" in message) for about, message in scene.told] == [(uid, True)] * told


def test_what_is_wrong_is_told_once_until_it_was_right(scene):
    scene.create({"config": "{"})
    scene.claims = [BOUND]
    for _ in range(2):
        assert scene.keep() == NEXT
    assert len(scene.told) == 1

    scene.write({"config": text(OUR_ENTRY)})
    scene.seen()
    scene.keep()
    scene.seen()
    scene.keep()
    scene.write({"config": "{"})
    scene.seen()
    scene.keep()

    assert len(scene.told) == 2


def test_each_other_thing_that_is_wrong_is_told(scene):
    scene.create({"config": "{"})
    scene.claims = [BOUND]
    for data in ({"config": "{"}, {"config": "[]"}, {"config": "{"}):
        scene.write(data)
        scene.keep()
        scene.seen()
        scene.keep()

    assert [message for _, message in scene.told] == [scene.told[0][1], scene.told[1][1], scene.told[0][1]]


def test_one_that_is_immutable_is_told(scene):
    scene.create({"config": text()})
    scene.claims = [BOUND]
    scene.refuse_writes(422)

    assert scene.keep() == NEXT

    assert "is it immutable?" in scene.told[0][1]


@pytest.mark.parametrize("status", [404, 409])
def test_one_that_changes_meanwhile_is_compared_again_at_once_and_told_to_nobody(scene, status):
    scene.create({"config": text()})
    scene.claims = [BOUND]
    scene.refuse_writes(status)

    assert scene.keep() == 0.0

    assert scene.told == []


def test_who_does_not_lead_writes_nothing(scene):
    scene.create({"config": text()})
    scene.claims, scene.leads = [BOUND], False

    with pytest.raises(NotLeaderError):
        scene.keep()

    assert scene.entries() == []
