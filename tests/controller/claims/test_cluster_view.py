"""What the controller sees by its watches: who is to be looked at for which change, and in which order."""

import contextlib
import itertools

import pytest

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import ClusterView
from ipamd.core.claim.reason import Reason
from ipamd.core.kubernetes import nodes
from ipamd.kube.resources import EIPCLAIMS, NODES, PODS
from ipamd.runtime.work_queue import Turn
from tests.runtime.manual_clock import ManualClock
from tests.testkit import kubernetes_objects as objects
from tests.testkit.eventually import eventually

PREFIX = "tke.cloud.tencent.com/"
LIST = {f"{PREFIX}eip-id-list": "eip-aaaaaaaa,eip-bbbbbbbb"}
ORDER = {f"{PREFIX}eip-attributes": ""}
SINCE = "2026-01-01T00:00:00Z"


class Watched:
    """A cluster, and a view that watches it."""

    def __init__(self, client):
        self.client = client
        self.woken: list[tuple[str, str]] = []
        self.nodes_told: list[str] = []
        self._numbers = itertools.count()
        self.view = ClusterView(client, wake=self.woken.append, outages=Absences(ManualClock().now))
        self.view.on_node(self.nodes_told.append)

    def pod(self, name, annotations=None, **metadata):
        obj = objects.pod(name, node="node-a", namespace="default", annotations=annotations or {}, **metadata)
        created = self.client.create(PODS, obj)
        eventually(lambda: self.view.pod(("default", name)), name)
        return created

    def claim(self, name, *, never=False, status=None, address_ids=(), pool="", **metadata):
        obj = objects.claim(name, namespace="default", **metadata)
        obj["spec"]["deletePolicy"] = "Never" if never else "Delete"
        if address_ids:
            obj["spec"] = {"deletePolicy": obj["spec"]["deletePolicy"], "addressIDs": list(address_ids)}
        if pool:
            obj["spec"] = {"deletePolicy": obj["spec"]["deletePolicy"], "pool": pool}
        self.client.create(EIPCLAIMS, obj)
        if status:
            self.client.patch(EIPCLAIMS, name, {"status": status}, "default", subresource="status")
        version = self.client.get(EIPCLAIMS, name, "default")["metadata"]["resourceVersion"]
        eventually(lambda: self.version_of(name) == version)

    def version_of(self, name):
        claim = self.view.claim(("default", name))
        return claim and claim.resource_version

    def node(self, name="node-a", *, ready="True", agent=""):
        status = {"conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": SINCE}]}
        annotations = {nodes.AGENT: agent} if agent else {}
        obj = {"metadata": {"name": name, "annotations": annotations}, "status": status}
        self.client.create(NODES, {"apiVersion": "v1", "kind": "Node", **obj})
        return eventually(lambda: self.view.node(name))

    def wakes(self, change):
        """Return whom a change wakes: an object of each kind that comes after it shows that it was seen."""
        self.woken.clear()
        change()
        marker = f"marker-{next(self._numbers)}"
        self.pod(marker, ORDER)
        self.claim(f"{marker}-c")
        self.node(marker)
        eventually(lambda: {("default", marker), ("default", f"{marker}-c")} <= set(self.woken))
        eventually(lambda: marker in self.nodes_told)
        return {name for _, name in self.woken if not name.startswith("marker")}


@pytest.fixture
def watched(client):
    with contextlib.ExitStack() as stack:
        watched = Watched(client)
        watched.view.start()
        stack.callback(watched.view.stop)
        assert watched.view.wait_synced(20)
        yield watched


def has(eip_id, *, owned=True):
    return {"address": {"id": eip_id, "ip": "198.18.0.1", "owned": owned}}


def refused(since, reason="QuotaExceeded"):
    told = {"type": "Provisioned", "status": "False", "reason": reason, "lastTransitionTime": since}
    return {"conditions": [{**told, "message": "no"}]}


def test_holders_of_an_eip_are_the_claims_that_record_it(watched):
    watched.claim("web-0", status=has("eip-aaaaaaaa"))
    watched.claim("web-1", status=has("eip-bbbbbbbb"))
    watched.claim("web-2", address_ids=["eip-aaaaaaaa"])

    assert [claim.name for claim in watched.view.holders("eip-aaaaaaaa")] == ["web-0"]
    assert watched.view.holders("eip-cccccccc") == []


def test_those_that_wait_longest_for_quota_come_first_and_no_others(watched):
    watched.claim("late", status=refused("2026-01-02T00:00:00Z"))
    watched.claim("early", status=refused("2026-01-01T00:00:00Z"))
    watched.claim("middle", status=refused("2026-01-01T12:00:00Z"))
    watched.claim("poor", status=refused("2025-01-01T00:00:00Z", "NoMoney"))
    watched.claim("well", status={**refused("2025-01-01T00:00:00Z"), **has("eip-aaaaaaaa")})
    watched.claim("leaving", status=refused("2025-01-01T00:00:00Z"), finalizers=["test/held"])
    watched.client.delete(EIPCLAIMS, "leaving", "default")
    eventually(lambda: watched.view.claim(("default", "leaving")).deleting)

    waiting = [name for _, name in watched.view.waiting_for_quota(9)]

    assert waiting == ["early", "middle", "late"]
    assert [name for _, name in watched.view.waiting_for_quota(1)] == ["early"]


def turn(watched, name):
    return watched.view.turn_of(("default", name))


def test_what_gives_back_comes_first(watched):
    watched.pod("web-0", ORDER)
    watched.claim("web-0")
    watched.claim("alone")
    watched.claim("kept", never=True)
    watched.pod("leaving", ORDER)
    watched.claim("leaving", finalizers=["test/held"])
    watched.client.delete(EIPCLAIMS, "leaving", "default")
    eventually(lambda: watched.view.claim(("default", "leaving")).deleting)

    assert turn(watched, "web-0") is Turn.ORDINARY
    assert turn(watched, "alone") is Turn.FIRST
    assert turn(watched, "kept") is Turn.ORDINARY
    assert turn(watched, "leaving") is Turn.FIRST
    assert turn(watched, "nothing") is Turn.ORDINARY


def test_whoever_waits_for_an_eip_of_a_list_that_others_hold_waits_patiently(watched):
    watched.claim("holder-a", never=True, status=has("eip-aaaaaaaa", owned=False))
    watched.pod("web-x", LIST)
    watched.pod("order-x", ORDER)
    assert turn(watched, "web-x") is Turn.ORDINARY, "one of the list is free"

    watched.claim("holder-b", never=True, status=has("eip-bbbbbbbb", owned=False))
    eventually(lambda: turn(watched, "web-x") is Turn.PATIENT)
    assert turn(watched, "order-x") is Turn.ORDINARY

    watched.claim("web-x", address_ids=["eip-aaaaaaaa"])
    assert turn(watched, "web-x") is Turn.PATIENT
    watched.client.patch(EIPCLAIMS, "web-x", {"status": has("eip-aaaaaaaa")}, "default", subresource="status")
    eventually(lambda: turn(watched, "web-x") is Turn.ORDINARY)


def set_ready(watched, status, name="node-a"):
    condition = {"type": "Ready", "status": status, "lastTransitionTime": SINCE}
    watched.client.patch(NODES, name, {"status": {"conditions": [condition]}}, subresource="status")
    eventually(lambda: watched.view.node(name).ready is (status == "True"))


def test_a_node_that_stops_goes_or_has_another_agent_wakes_its_claims(watched):
    watched.node()
    watched.node("node-b")
    watched.pod("web-0", ORDER)
    watched.claim("web-0", status={"pod": {"uid": "u", "node": "node-a"}, **refused(SINCE)})

    def label(value):
        watched.client.patch(NODES, "node-a", {"metadata": {"labels": {nodes.INSTANCE_TYPE: value}}})
        eventually(lambda: watched.view.node("node-a").instance_type == value)

    def agent():
        watched.client.patch(NODES, "node-a", {"metadata": {"annotations": {nodes.AGENT: "kube-system/a"}}})
        eventually(lambda: watched.view.node("node-a").agent)

    def goes():
        watched.client.delete(NODES, "node-a")
        eventually(lambda: watched.view.node("node-a") is None)

    assert "web-0" not in watched.wakes(lambda: label("S5.LARGE8"))
    assert "web-0" in watched.wakes(agent)
    assert "web-0" in watched.wakes(lambda: set_ready(watched, "False"))
    assert "web-0" not in watched.wakes(lambda: set_ready(watched, "False", "node-b"))
    set_ready(watched, "True")
    assert "web-0" in watched.wakes(goes)
    assert {"node-a", "node-b"} <= set(watched.nodes_told)


def test_conditions_wake_nobody_and_a_changed_address_does(watched):
    watched.pod("web-0", ORDER)
    watched.claim("web-0", status=refused(SINCE))

    def write(status):
        watched.client.patch(EIPCLAIMS, "web-0", {"status": status}, "default", subresource="status")
        version = watched.client.get(EIPCLAIMS, "web-0", "default")["metadata"]["resourceVersion"]
        eventually(lambda: watched.version_of("web-0") == version)

    assert watched.wakes(lambda: write(refused("2026-02-02T00:00:00Z"))) == set()
    assert "web-0" in watched.wakes(lambda: write(has("eip-aaaaaaaa")))


def test_an_eip_of_a_user_that_comes_free_wakes_whoever_lists_it_and_one_of_ours_does_not(watched):
    watched.claim("holder", never=True, status=has("eip-aaaaaaaa", owned=False))
    watched.claim("owner", never=True, status=has("eip-bbbbbbbb", owned=True))
    watched.pod("web-x", LIST)
    watched.claim("web-x", address_ids=["eip-aaaaaaaa", "eip-bbbbbbbb"])

    def goes(name):
        watched.client.delete(EIPCLAIMS, name, "default")
        eventually(lambda: watched.view.claim(("default", name)) is None)

    assert watched.wakes(lambda: goes("owner")) == {"owner"}
    assert watched.wakes(lambda: goes("holder")) == {"holder", "web-x"}


def test_a_pool_that_comes_or_changes_wakes_whoever_wants_an_eip_of_it(watched):
    watched.claim("wants", pool="web")
    watched.claim("has", pool="web", status=has("eip-aaaaaaaa", owned=False))
    watched.claim("other", pool="db")

    assert watched.wakes(lambda: watched.view.wake_who_wants_of("web")) == {"wants"}


def test_only_pods_that_want_an_eip_or_have_a_claim_wake_and_are_known_by_key(watched):
    assert watched.wakes(lambda: watched.pod("plain")) == set()
    assert "wants" in watched.wakes(lambda: watched.pod("wants", ORDER))
    watched.claim("alone", never=True)

    keys = watched.view.keys()
    assert {name for _, name in keys if not name.startswith("marker")} == {"wants", "alone"}


POOL = {f"{PREFIX}eip-pool": "web"}


def in_line(watched, name, uid, pool="web"):
    status = {**refused(SINCE, "PoolExhausted"), "pod": {"uid": uid, "node": "node-a"}}
    watched.claim(name, pool=pool, status=status)


def test_the_line_of_a_pool_has_the_claims_whose_own_pods_are_there(watched):
    for name in ("web-0", "web-1"):
        in_line(watched, name, watched.pod(name, POOL)["metadata"]["uid"])
    in_line(watched, "alone", "gone")
    watched.pod("again", POOL)
    in_line(watched, "again", "the one before")
    in_line(watched, "other", watched.pod("other", POOL)["metadata"]["uid"], pool="db")
    leaving = watched.pod("leaving", POOL, finalizers=["test/held"])["metadata"]["uid"]
    in_line(watched, "leaving", leaving)
    watched.client.delete(PODS, "leaving", "default")
    eventually(lambda: watched.view.pod(("default", "leaving")).deleting)

    assert [claim.name for claim in watched.view.line("web")] == ["web-0", "web-1"]
    assert [claim.name for claim in watched.view.line("db")] == ["other"]
    assert watched.view.line("none") == []


@pytest.mark.parametrize(
    ("agent", "reason"), [("", Reason.NODE_NOT_SERVED), ("no-pod", None), ("default/gone", Reason.AGENT_GONE)]
)
def test_a_pod_can_have_an_eip_where_an_agent_is(watched, agent, reason):
    watched.node(agent=agent)
    watched.pod("web-0", ORDER)

    obstacle = watched.view.obstacle(watched.view.pod(("default", "web-0")), early=False)

    assert (obstacle and obstacle.reason) == reason


def test_a_claim_is_read_once_for_each_of_its_versions(watched):
    watched.claim("web-0")
    first = watched.view.claim(("default", "web-0"))
    assert watched.view.claim(("default", "web-0")) is first

    watched.client.patch(EIPCLAIMS, "web-0", {"metadata": {"labels": {"a": "b"}}}, "default")

    second = eventually(lambda: (now := watched.view.claim(("default", "web-0"))) is not first and now)
    assert watched.view.claim(("default", "web-0")) is second
