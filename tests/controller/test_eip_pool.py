"""EIPPools on a simulated region and cluster: EIPs are taken, handed over, ordered and given back."""

import json
import time

import pytest

from ipamd.core import tags
from ipamd.core.claim import eipclaim
from ipamd.core.model import EipOrder
from ipamd.kube import errors
from ipamd.kube.resources import EIPCLAIMS, EIPPOOLS
from tests.controller.replica import CLUSTER

ATTRIBUTES = {"bandwidthMbps": 10, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}
IPS = ("10.0.1.5", "10.0.1.6", "10.0.1.7", "10.0.1.8")


class Pools:
    """What people do with EIPPools, and see of them."""

    def __init__(self, world):
        self.world = world

    def create(self, name="web", **spec):
        return self.world.client.create(EIPPOOLS, {"metadata": {"name": name}, "spec": spec})

    def delete(self, name="web"):
        self.world.client.delete(EIPPOOLS, name)

    def obj(self, name="web"):
        try:
            return self.world.client.get(EIPPOOLS, name)
        except errors.NotFoundError:
            return {}

    def status(self, name="web"):
        return self.obj(name).get("status", {})

    def ready(self, name="web"):
        conditions = self.status(name).get("conditions") or [{}]
        return conditions[0]

    def wait(self, name="web", **values):
        self.world.wait(lambda: {k: self.status(name).get(k) for k in values} == values)

    def pod(self, name, pool="web", **options):
        return self.world.create_pod(name, {"eip-pool": pool}, **options)


@pytest.fixture
def pools(world):
    return Pools(world)


def test_pods_take_eips_of_a_list_and_give_them_back(world, pools):
    world.start_controller()
    ids = sorted(world.users_eip() for _ in range(2))
    pools.create(addressIDs=ids)

    pools.pod("web-x")
    pools.pod("web-y")

    held = {world.wait_provisioned(name).address.eip_id for name in ("web-x", "web-y")}
    assert held == set(ids)
    pools.wait(total=2, free=0, bound=2, waiting=0)
    world.remove_pod("web-x")
    world.wait_gone("web-x")
    pools.wait(total=2, free=1, bound=1)
    assert set(world.eips()) == set(ids)


def test_who_waits_is_told_its_place_and_who_has_what(world, pools):
    world.start_controller()
    eip_id = world.users_eip()
    pools.create(addressIDs=[eip_id])
    pools.pod("web-a")
    world.wait_provisioned("web-a")

    pools.pod("web-b")
    first = world.wait(lambda: (c := world.condition("web-b")).get("reason") == "PoolExhausted" and c)
    pools.pod("web-c")
    second = world.wait(lambda: (c := world.condition("web-c")).get("reason") == "PoolExhausted" and c)

    assert first["message"].startswith(
        f"place 1 of 1 in the line for EIPPool web: {eip_id} is held by EIPClaim default/web-a"
    )
    assert "place 2 of 2" in second["message"]
    assert "maxSurge: 0" in second["message"]
    pools.wait(waiting=2, waitingClaims=["default/web-b", "default/web-c"])
    assert pools.ready()["reason"] == "Exhausted"
    assert world.wait(lambda: world.events("PoolExhausted"))


def test_the_next_in_the_line_has_the_eip_at_once(world, pools):
    world.start_controller()
    eip_id = world.users_eip()
    pools.create(addressIDs=[eip_id])
    pools.pod("web-a")
    world.wait_provisioned("web-a")
    for name in ("web-b", "web-c"):
        pools.pod(name)
        world.wait(lambda name=name: world.condition(name).get("reason") == "PoolExhausted")

    world.remove_pod("web-a")

    assert world.wait_provisioned("web-b").address.eip_id == eip_id
    assert world.claim("web-c").address is None


def test_eips_are_ordered_as_pods_want_them_and_never_beyond_max(world, pools):
    world.start_controller()
    pools.create(attributes=ATTRIBUTES, min=1, max=2)
    pools.wait(total=1, free=1)

    for name in ("a", "b", "c"):
        pools.pod(f"web-{name}")

    pools.wait(total=2, bound=2, waiting=1)
    uid = pools.obj()["metadata"]["uid"]
    assert {tuple(sorted(eip["tags"].items())) for eip in world.eips().values()} == {
        tuple(sorted(tags.of_pool(CLUSTER, uid).items()))
    }
    assert world.orders() == 2


@pytest.mark.parametrize("name", ["", "web-front"])
def test_an_eip_has_the_name_that_the_pool_gives_or_the_pool_s_own(world, pools, name):
    world.start_controller()
    attributes = {**ATTRIBUTES, **({"name": name} if name else {})}
    uid = pools.create(attributes=attributes, min=1, max=1)["metadata"]["uid"]
    pools.wait(total=1, free=1)

    (eip,) = world.eips().values()
    assert eip["name"] == (name or tags.name_for_pool("web", uid))


def test_what_is_free_for_long_is_released_down_to_min(world, pools):
    world.start_controller()
    pools.create(attributes=ATTRIBUTES, min=1, max=3, releaseAfter="1m")
    for name in ("a", "b"):
        pools.pod(f"web-{name}")
    pools.wait(total=2, bound=2)
    for name in ("a", "b"):
        world.remove_pod(f"web-{name}")
    pools.wait(total=2, free=2)

    world.elapsed += 61
    world.client.patch(EIPPOOLS, "web", {"metadata": {"labels": {"looked": "at"}}})

    pools.wait(total=1, free=1)
    assert len(world.eips()) == 1


def test_a_deleted_pool_releases_what_is_free_and_the_rest_when_it_is(world, pools):
    world.start_controller()
    pools.create(attributes=ATTRIBUTES, min=2, max=3)
    pools.wait(total=2)
    pools.pod("web-a")
    held = world.wait_provisioned("web-a").address.eip_id

    pools.delete()

    world.wait(lambda: set(world.eips()) == {held})
    assert pools.obj()
    world.remove_pod("web-a")
    world.wait(lambda: not pools.obj())
    assert world.eips() == {}


def test_a_deleted_pool_leaves_the_users_eips(world, pools):
    world.start_controller()
    eip_id = world.users_eip()
    pools.create(addressIDs=[eip_id])
    pools.pod("web-a")
    world.wait_provisioned("web-a")

    pools.delete()

    world.wait(lambda: not pools.obj())
    assert world.claim("web-a").address.eip_id == eip_id
    assert set(world.eips()) == {eip_id}


def test_the_next_leader_gives_out_nothing_that_is_held_and_orders_nothing_again(world, pools):
    first = world.start_controller()
    pools.create(attributes=ATTRIBUTES, min=1, max=2)
    pools.pod("web-a")
    held = world.wait_provisioned("web-a").address.eip_id
    world.stop_controller(first)
    pools.pod("web-b")

    world.start_controller()

    assert world.wait_provisioned("web-b").address.eip_id != held
    pools.wait(total=2, bound=2)
    assert world.orders() == 2


def test_a_wrong_pool_is_told_on_itself_and_to_those_who_name_it(world, pools):
    world.start_controller()
    pools.create(attributes=ATTRIBUTES, min=3, max=2)

    pools.pod("web-a")
    pools.pod("api-a", pool="none")

    ready = world.wait(lambda: (c := pools.ready()).get("reason") == "InvalidSpec" and c)
    assert "spec.max is 2; allowed is a whole number from 3 to 100" in ready["message"]
    told = world.wait(lambda: (c := world.condition("web-a")).get("reason") == "PoolRefused" and c)
    assert "spec.max is 2" in told["message"]
    told = world.wait(lambda: (c := world.condition("api-a")).get("reason") == "PoolNotFound" and c)
    assert "there is no EIPPool none" in told["message"]


def test_a_pool_of_some_namespaces_refuses_the_others(world, pools):
    world.start_controller()
    pools.create(addressIDs=[world.users_eip()], namespaces=["shop"])

    pools.pod("web-a")

    told = world.wait(lambda: (c := world.condition("web-a")).get("reason") == "PoolRefused" and c)
    assert "its spec.namespaces has shop" in told["message"]


def test_eips_of_another_cluster_are_left_to_it(world, pools):
    world.start_controller()
    foreign = world.users_eip(**tags.of_pool("cls-other", "uid-1"))
    marked = world.users_eip(**{tags.CLUSTER_ID: "cls-other"})
    pools.create(selector={"tags": {"team": "a"}})

    pools.pod("web-a")

    told = world.wait(lambda: (c := world.condition("web-a")).get("reason") == "PoolExhausted" and c)
    assert f"{foreign} belongs to cluster cls-other" in told["message"]
    assert f"{marked} belongs to cluster cls-other" in told["message"]


def selecting(world, name, selector, **options):
    return world.create_pod(name, {"eip-selector": json.dumps(selector)}, **options)


def test_an_eip_is_found_by_tag_name_and_public_ip(world):
    world.start_controller()
    by_tag, by_ip = world.users_eip(purpose="mail"), world.users_eip()
    order = EipOrder(bandwidth_mbps=1, name="web-front")
    by_name = world.replicas[-1].cloud.allocate_eip(order, {}, "named").eip_id
    world.wait_eip(by_name, "UNBIND")

    selecting(world, "mail", {"tags": {"purpose": "mail", "team": "a"}})
    selecting(world, "web-0", {"names": ["web-front", "web-back"]})
    selecting(world, "api", {"publicIPs": [world.eips()[by_ip]["ip"]]})
    selecting(world, "none", {"tags": {"purpose": "nothing"}})

    assert world.wait_provisioned("mail").address.eip_id == by_tag
    assert world.wait_provisioned("web-0").address.eip_id == by_name
    assert world.wait_provisioned("api").address.eip_id == by_ip
    told = world.wait(lambda: (c := world.condition("none")).get("reason") == "EIPNotFound" and c)
    assert "there is no EIP with tag purpose=nothing in this account" in told["message"]


def test_what_tke_has_kept_serves_who_adopts_it_and_nobody_else(world, pools):
    world.start_controller()
    first, second = (world.users_eip(**tags.of_cluster(CLUSTER)) for _ in range(2))
    world.create_pod("thief", {"eip-id-list": first})
    told = world.wait(lambda: (c := world.condition("thief")).get("reason") == "EIPOfOtherClaim" and c)
    assert first in told["message"]

    world.client.create(
        EIPCLAIMS,
        {
            "metadata": {"namespace": "default", "name": "web-7", "annotations": {eipclaim.ADOPT: "true"}},
            "spec": {"addressIDs": [first], "deletePolicy": "Never"},
        },
    )
    world.create_pod("web-7", never=True)
    pools.create(addressIDs=[second])
    pools.pod("api")

    assert world.wait_provisioned("web-7").address.eip_id == first
    assert world.wait_provisioned("api").address.eip_id == second
    assert not world.claim("web-7").address.owned


def test_what_happens_in_one_pool_has_the_cloud_asked_nothing_about_the_others(world, pools):
    world.start_controller()
    eip_ids = [world.users_eip() for _ in range(20)]
    for number, eip_id in enumerate(eip_ids):
        pools.create(f"pool-{number}", addressIDs=[eip_id])
    for number in range(len(eip_ids)):
        pools.wait(f"pool-{number}", total=1, free=1)
    settled = _asks_at_rest(world)

    pools.pod("web-a", pool="pool-0")
    pools.wait("pool-0", free=0, bound=1)

    assert _asks_at_rest(world) - settled < len(eip_ids) - 1


def _asks_at_rest(world):
    """How often EIPs were asked for, once nobody has for a second."""
    asked = lambda: world.region.audit.calls().get("DescribeAddresses", 0)  # noqa: E731
    before, since = asked(), time.monotonic()

    def is_quiet():
        nonlocal before, since
        if asked() != before:
            before, since = asked(), time.monotonic()
        return time.monotonic() - since > 1.0

    world.wait(is_quiet)
    return before
