"""An address that moves from one sandbox of a Pod to the next: two links side by side, then one."""

import pytest

from ipamd.core import errors, names
from tests.testkit.eventually import eventually

pytestmark = pytest.mark.netns

POD = "10.0.1.100"


def newer(world, **changes):
    """How the newer sandbox of the same address is to be wired."""
    end = names.host_end("newer", "eth0")
    return world.wiring(world.sandbox(), POD, host_veth=end.name, host_mac=end.mac, **changes)


def differences(world, wiring):
    return world.on_node(lambda: world.dataplane.check_pod(wiring))


def take_over(world, wiring):
    def swap():
        with world.dataplane.prepared_pod(wiring) as made:
            world.dataplane.swap_pod(wiring, made)

    world.on_node(swap)


def test_prepared_link_changes_nothing_of_the_one_that_the_address_has(world):
    world.add_pod(POD, eip=True)
    old, new = world.pods[POD], newer(world)

    def look():
        with world.dataplane.prepared_pod(new):
            return world.dataplane.check_pod(old), world.dataplane.snapshot().links

    found, links = world.on_node(look)

    assert found == []
    assert {link.name for link in links} == {old.host_veth, new.host_veth}


def test_address_leads_to_the_new_link_after_the_swap_and_the_old_one_can_go(world):
    world.add_pod(POD, eip=True)
    old, new = world.pods[POD], newer(world, eip=True)

    take_over(world, new)
    assert differences(world, new) == []
    world.on_node(lambda: world.dataplane.drop_link(old.host_end))

    eventually(lambda: [link.name for link in world.snapshot().links] == [new.host_veth])
    assert differences(world, new) == []


def test_attempt_that_fails_takes_its_own_link_away_and_nothing_else(world):
    world.add_pod(POD, eip=True)
    old, new = world.pods[POD], newer(world)

    def fail():
        with world.dataplane.prepared_pod(new):
            raise errors.TryAgainError("the disk is full")

    with pytest.raises(errors.TryAgainError):
        world.on_node(fail)

    assert [link.name for link in world.snapshot().links] == [old.host_veth]
    assert differences(world, old) == []


def test_namespace_that_is_gone_is_refused_and_the_older_sandbox_is_whole(world):
    world.add_pod(POD)
    old = world.pods[POD]
    gone = world.wiring(world.sandbox(), POD, host_veth=names.host_veth("newer", "eth0"))
    world.node.run("ip", "netns", "delete", gone.netns_path.rpartition("/")[2])

    with pytest.raises(errors.NetnsError):
        take_over(world, gone)

    assert differences(world, old) == []


def test_second_sandbox_in_the_same_namespace_is_refused_and_the_first_is_whole(world):
    sandbox = world.add_pod(POD)
    old = world.pods[POD]
    same = world.wiring(sandbox, POD, host_veth=names.host_veth("newer", "eth0"))

    with pytest.raises(errors.InvalidInputError, match="exists already"):
        take_over(world, same)

    assert differences(world, old) == []


def test_number_of_a_namespace_is_the_same_by_every_path(world):
    path = world.sandbox().path
    number = world.dataplane.namespace_of(path)

    assert number is not None
    assert world.dataplane.namespace_of(f"/run/../run/netns/{path.rpartition('/')[2]}") == number
    assert world.dataplane.namespace_of(world.sandbox().path) != number
    assert world.dataplane.namespace_of("/run/netns/of-nobody") is None
