"""EIPPools on a simulated region and cluster: EIPs are taken, handed over, ordered and given back."""

import pytest

from ipamd.core import tags
from ipamd.kube import errors
from ipamd.kube.resources import EIPPOOLS
from tests.controller.world import CLUSTER

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
    pools.create(
        attributes={"bandwidthMbps": 10, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}, min=1, max=2
    )
    pools.wait(total=1, free=1)

    for name in ("a", "b", "c"):
        pools.pod(f"web-{name}")

    pools.wait(total=2, bound=2, waiting=1)
    uid = pools.obj()["metadata"]["uid"]
    assert {tuple(sorted(eip["tags"].items())) for eip in world.eips().values()} == {
        tuple(sorted(tags.of_pool(CLUSTER, uid).items()))
    }
    assert world.orders() == 2


def test_what_is_free_for_long_is_released_down_to_min(world, pools):
    world.start_controller()
    attributes = {"bandwidthMbps": 10, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}
    pools.create(attributes=attributes, min=1, max=3, releaseAfter="1m")
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
    attributes = {"bandwidthMbps": 10, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}
    pools.create(attributes=attributes, min=2, max=3)
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
