"""`ipamd remove-from-node`: ours goes, what only looks like it stays, and it may be cut off anywhere."""

import json
import socket

import pytest

from ipamd.core import places
from ipamd.core.cni import conflist
from ipamd.net.model import DataPlaneConfig
from ipamd.removal import node
from ipamd.removal.options import RemovalSettings
from tests.net.world import World

OUR_PLUGIN = b"\x7fELF ... TKE_ENI_SOCKET ..."


@pytest.fixture
def world():
    """A node in namespaces of its own, with two ENIs and a Pod."""
    world = World(DataPlaneConfig(link_wait=2.0))
    world.ensure()
    world.add_pod("10.0.1.101", eip=True)
    yield world
    world.close()


@pytest.fixture
def settings(tmp_path):
    """Where a node has our files, all of them there."""
    made = RemovalSettings(
        cni_conf=tmp_path / "net.d" / places.NETWORK_CONFIGURATION,
        cni_bin_dir=tmp_path / "bin",
        trees=tmp_path / "trees",
        state_dir=tmp_path / "state",
        socket=tmp_path / "run" / "ipamd.sock",
    )
    for path in (
        made.cni_conf.parent,
        made.cni_bin_dir,
        made.trees / "0.1.0",
        made.state_dir / "pending-deletes",
    ):
        path.mkdir(parents=True)
    made.socket.parent.mkdir()
    made.cni_conf.write_text(json.dumps({"name": conflist.NAME, "plugins": [{"type": conflist.PLUGIN}]}))
    (made.cni_conf.parent / f"{made.cni_conf.name}.damaged").write_text("{")
    (made.cni_bin_dir / conflist.PLUGIN).write_bytes(OUR_PLUGIN)
    (made.state_dir / "ipamd.db").touch()
    (made.state_dir / "pending-deletes" / "1").touch()
    made.socket.touch()
    return made


def files(settings):
    tops = (
        settings.cni_conf.parent,
        settings.cni_bin_dir,
        settings.trees,
        settings.state_dir,
        settings.socket.parent,
    )
    return sorted(path.name for top in tops for path in top.rglob("*"))


def remove(world, settings):
    return world.on_node(lambda: list(node.remove(settings)))


def test_nothing_of_ours_is_left_in_kernel_and_files(world, settings):
    remove(world, settings)

    assert world.snapshot().empty
    assert files(settings) == []


def test_it_goes_on_where_it_was_cut_off_and_may_be_repeated(world, settings):
    def begin():
        next(iter(node.remove(settings)))

    world.on_node(begin)
    assert not settings.cni_conf.exists()
    assert not world.snapshot().empty

    remove(world, settings)
    again = remove(world, settings)

    assert files(settings) == []
    assert again == ["no link, rule, route and nft table of ours is in the kernel"]


def test_what_is_somebody_elses_stays(world, settings):
    (settings.cni_conf.parent / "00-multus.conf").write_text("{}")
    settings.cni_conf.write_text(json.dumps({"name": "other", "plugins": [{"type": "bridge"}]}))
    (settings.cni_bin_dir / conflist.PLUGIN).write_bytes(b"\x7fELF of TKE")
    (settings.cni_bin_dir / "portmap").touch()

    said = remove(world, settings)

    assert f"{settings.cni_conf} stays: it is not our network" in said
    assert files(settings) == ["00-multus.conf", places.NETWORK_CONFIGURATION, "portmap", conflist.PLUGIN]


def test_while_an_agent_serves_nothing_is_touched(world, settings):
    before = files(settings)
    settings.socket.unlink()
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(settings.socket))
        agent.listen()

        with pytest.raises(node.NodeInUseError, match="end the agent of this node first"):
            remove(world, settings)

    assert files(settings) == before
    assert not world.snapshot().empty
