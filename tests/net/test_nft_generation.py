"""A list of nftables is made once as long as nothing changes there, and anew after any change of anybody."""

import json
import os
import subprocess
from collections import deque
from functools import partial
from types import SimpleNamespace

import pytest

from ipamd.net import nft_generation, nft_table, table_listing
from ipamd.net.nft_generation import GenerationCache
from ipamd.runtime import failpoints
from simulator.fabric import netns as namespaces
from tests.net.world import DIRECT, GATEWAY, PRIMARY_MAC, SECONDARY_MAC

pytestmark = pytest.mark.netns
CHANGES = (
    "add table ip theirs",
    "flush chain ip tke_eni postrouting",
    "add element ip tke_eni eip_pods { 10.0.1.9 }",
)


def test_the_generation_stays_until_something_changes(world):
    before = world.on_node(nft_generation.current)
    assert world.on_node(nft_generation.current) == before
    for change in CHANGES:
        world.node.run("nft", change)
        after = world.on_node(nft_generation.current)
        assert after != before
        before = after


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_remembered_is_what_there_is(world, change):
    remembered = GenerationCache(nft_table.listed)
    first = world.on_node(remembered)
    assert world.on_node(remembered) is first, "it has to be listed once only"

    world.node.run("nft", change)

    assert world.on_node(remembered) == world.on_node(nft_table.listed)


def test_a_table_that_is_not_there_is_noticed_when_it_comes(bare_world):
    remembered = GenerationCache(nft_table.listed)
    assert bare_world.on_node(remembered) is None
    bare_world.ensure()

    assert table_listing.chains(bare_world.on_node(remembered))


def test_a_change_while_it_is_listed_is_not_remembered(world):
    def listed_late():
        found = world.node.run("nft", "-j", "list", "tables")
        world.node.run("nft", "add", "table", "ip", f"late{len(json.loads(found)['nftables'])}")
        return found

    remembered = GenerationCache(listed_late)

    assert world.on_node(remembered) != world.on_node(remembered)


@pytest.fixture
def namespace():
    """Makes network namespaces, one at a time; returns the kernel's number of each."""
    name = f"generation{os.getpid()}"

    def make():
        namespaces.delete(name)
        namespaces.create(name)
        return namespaces.run_in(name, nft_generation.current_namespace)

    yield SimpleNamespace(make=make, run=lambda call: namespaces.run_in(name, call))
    namespaces.delete(name)


def test_a_namespace_that_gets_the_number_of_one_that_is_gone_has_no_generations_of_ours(namespace):
    def write(table="a"):
        with nft_generation.own_write():
            subprocess.run(["nft", "add", "table", "ip", table], check=True)
        return nft_generation.current()

    # Tests beside this one take numbers too: any of the newest namespaces may be the one that comes again.
    formers: deque[int] = deque(maxlen=16)
    for _ in range(500):
        former = namespace.make()
        if former in formers:
            break
        written = [namespace.run(partial(write, table)) for table in "abc"]
        assert len(set(written)) == 3
        assert all(nft_generation.is_own(generation, former) for generation in written)
        formers.append(former)
    else:
        pytest.fail("the kernel gives no number a second time: is_own could be simpler")

    first = namespace.run(write)

    assert nft_generation.is_own(first, former)
    assert not nft_generation.is_own(first + 1, former)


class Lists:
    """Counts how often our table is listed."""

    def __init__(self):
        self.count = 0

    def before(self, step):
        self.count += step == "nft.list_table"

    def after(self, step, seconds, error):
        pass


def test_a_repair_round_lists_the_table_once_whatever_number_of_enis(world):
    world.attach_eni("p4", "eth2", "20:90:6f:00:00:12")
    macs = (SECONDARY_MAC, "20:90:6f:00:00:12")

    def repair_round():
        world.dataplane.ensure_node(PRIMARY_MAC, DIRECT)
        for mac in macs:
            world.dataplane.ensure_eni(mac, GATEWAY)
        world.dataplane.snapshot()

    world.on_node(repair_round)
    world.node.run("nft", "add", "table", "ip", "theirs")
    lists = Lists()
    leave = failpoints.listen(lists)
    try:
        world.on_node(repair_round)
        assert lists.count == 1
        world.on_node(repair_round)
        assert lists.count == 1, "nothing has changed"
    finally:
        leave()
