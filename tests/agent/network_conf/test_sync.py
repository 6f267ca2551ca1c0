"""The runtime's network configuration: written whole, kept, and an operator's part of it left alone."""

import ctypes
import json
import os
import struct
import subprocess
import threading
import time

import pytest

from ipamd.agent.network_conf.plugins import NodePlugins
from ipamd.agent.network_conf.sync import NetworkConfiguration
from ipamd.agent.node.repair_log import RepairLog
from ipamd.core.cni import conflist
from testbed.chain import PLUGINS
from tests.testkit.eventually import eventually

NEVER = 3600.0
"""An interval that no test waits for: what is noticed within it is noticed by inotify."""
TUNING = {"type": "tuning", "sysctl": {"net.core.somaxconn": "500"}}


class Place:
    """A node's two directories, with a portmap that says what it speaks."""

    def __init__(self, root, plugins="bin"):
        self.conf, self.bin = root / "net.d/10-tke-eni.conflist", root / plugins
        self.bin.mkdir(parents=True)
        self.plugin("portmap")
        self.repair_log = RepairLog(clock=time.monotonic)

    def plugin(self, name, *versions):
        answer = json.dumps({"cniVersion": "1.0.0", "supportedVersions": versions or ["1.0.0", "1.1.0"]})
        aside = self.bin / f".{name}"
        aside.write_text(f"#!/bin/sh\n[ $CNI_COMMAND = VERSION ] && echo '{answer}'\n")
        aside.chmod(0o755)
        aside.rename(self.bin / name)

    def keeping(self, *chosen, interval=NEVER):
        chosen = chosen or ("portmap",)
        return NetworkConfiguration(
            self.conf,
            chosen=chosen,
            binaries=NodePlugins(self.bin),
            interval=interval,
            on_repair=self.repair_log.note,
        )

    def counted(self):
        (metric,) = [m for m in self.repair_log.metrics() if m.name == "tke_eni_repairs_by_code"]
        return dict(metric.samples)

    def repairs(self):
        return [str(difference) for difference in self.repair_log.since(0)]

    @property
    def network(self):
        return json.loads(self.conf.read_bytes())

    @property
    def types(self):
        return [plugin["type"] for plugin in self.network["plugins"]]

    def add(self, *plugins):
        """Write the file as an editor does that truncates it."""
        network = self.network
        self.conf.write_text(json.dumps({**network, "plugins": [*network["plugins"], *plugins]}))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def kept(place):
    """The configuration of a running agent."""
    configuration = place.keeping()
    configuration.start()
    yield configuration
    configuration.stop(5)


def says(caplog, *words):
    return any(all(word in record.getMessage() for word in words) for record in caplog.records)


def test_it_is_written_whole_and_only_when_it_differs(place):
    assert place.keeping().look()
    first = place.conf.stat()
    assert not place.keeping().look()

    assert place.conf.stat().st_ino == first.st_ino
    assert [entry.name for entry in place.conf.parent.iterdir()] == [place.conf.name]
    assert first.st_mode & 0o777 == 0o644


def test_an_operator_s_plugin_outlives_a_restart_of_the_agent(place):
    place.keeping().look()
    place.plugin("tuning")
    place.add(TUNING)
    before = place.conf.read_bytes()

    place.keeping().look()

    assert place.conf.read_bytes() == before


def test_a_file_of_an_older_agent_gets_portmap_and_keeps_what_was_added_to_it(place, caplog):
    place.plugin("tuning")
    place.conf.parent.mkdir()
    place.conf.write_text(
        json.dumps({"cniVersion": "1.0.0", "name": "tke-eni", "plugins": [{"type": "tke-route-eni"}, TUNING]})
    )

    place.keeping().look()

    assert place.types == ["tke-route-eni", "tuning", "portmap"]
    assert says(caplog, 'plugins were "tke-route-eni", "tuning" and are "tke-route-eni", "tuning", "portmap"')


def test_what_is_no_json_is_replaced_and_kept_aside_where_no_runtime_reads_it(place, caplog):
    place.conf.parent.mkdir()
    place.conf.write_text('{"plugins": [')

    place.keeping().look()

    assert place.types == ["tke-route-eni", "portmap"]
    (aside,) = [path for path in place.conf.parent.iterdir() if path != place.conf]
    assert aside.read_text() == '{"plugins": ['
    assert not aside.name.endswith(conflist.READ_BY_RUNTIMES)
    assert says(caplog, "was no list of plugins", aside.name)


def test_a_file_that_somebody_is_just_writing_is_let_finish(place):
    place.plugin("tuning")
    place.keeping().look()
    wanted = json.dumps({**place.network, "plugins": [*place.network["plugins"], TUNING]})
    with place.conf.open("w") as file:
        late = threading.Timer(0.05, lambda: (file.write(wanted), file.flush()))
        late.start()
        place.keeping().look()
        late.join()

    assert place.conf.read_text() == wanted
    assert list(place.conf.parent.iterdir()) == [place.conf]


def test_a_file_that_is_written_by_a_new_agent_is_no_repair(place, kept, caplog):
    assert place.conf.exists()
    assert place.repairs() == []

    again = place.keeping()
    again.look()
    assert place.repairs() == []

    place.conf.unlink()
    again.look()
    assert place.repairs() == [f"CniConfiguration node/network-configuration: {place.conf}: it was gone"]
    assert says(caplog, "repaired: CniConfiguration", "it was gone")
    assert place.counted() == {("CniConfiguration",): 1}


def test_what_becomes_of_a_file_that_this_agent_has_written_is_a_repair(place):
    first = place.keeping()
    first.look()
    assert place.repairs() == []

    place.conf.unlink()
    first.look()
    assert place.repairs() == [f"CniConfiguration node/network-configuration: {place.conf}: it was gone"]


def test_a_file_that_is_removed_is_there_again_at_once(place, kept):
    place.conf.unlink()
    eventually(place.conf.exists)
    assert place.types == ["tke-route-eni", "portmap"]


def test_what_an_operator_takes_out_of_it_is_mended_at_once_and_told(place, kept, caplog):
    place.conf.write_text(json.dumps({**place.network, "plugins": [{"type": "tke-route-eni"}]}))

    eventually(lambda: place.types == ["tke-route-eni", "portmap"])
    change = 'plugins were "tke-route-eni" and are "tke-route-eni", "portmap"'
    eventually(lambda: says(caplog, "repaired: CniConfiguration", change))


def test_a_change_that_inotify_does_not_tell_is_mended_in_the_next_interval(place):
    configuration = place.keeping(interval=0.2)
    configuration.start()
    try:
        os.truncate(place.conf, 0)  # a modification without an end: nobody had the file open
        eventually(lambda: place.conf.stat().st_size and place.types == ["tke-route-eni", "portmap"])
    finally:
        configuration.stop(5)


def test_a_portmap_that_is_installed_later_is_chained_then(place, kept):
    (place.bin / "portmap").unlink()
    eventually(lambda: place.types == ["tke-route-eni"])
    eventually(lambda: any("hostPort of Pods does nothing" in lacking for lacking in kept.lacking()))
    assert kept.problems() == []

    place.plugin("portmap")

    eventually(lambda: place.types == ["tke-route-eni", "portmap"])
    eventually(lambda: kept.lacking() == [])


def test_a_portmap_that_may_not_be_executed_is_none_until_it_may(place, kept):
    (place.bin / "portmap").chmod(0o644)
    eventually(lambda: place.types == ["tke-route-eni"])

    (place.bin / "portmap").chmod(0o755)

    eventually(lambda: place.types == ["tke-route-eni", "portmap"])


@pytest.mark.parametrize("away", [1, 2], ids=["its own name", "its parent's"])
def test_a_plugin_directory_that_is_moved_away_and_back_is_followed(tmp_path, away):
    place = Place(tmp_path, plugins="opt/cni/bin")
    moved = place.bin if away == 1 else place.bin.parent
    kept = place.keeping()
    kept.start()
    try:
        moved.rename(tmp_path / "elsewhere")
        eventually(lambda: place.types == ["tke-route-eni"])

        (tmp_path / "elsewhere").rename(moved)
        eventually(lambda: place.types == ["tke-route-eni", "portmap"])

        (place.bin / "portmap").unlink()
        eventually(lambda: place.types == ["tke-route-eni"])
    finally:
        kept.stop(5)


def test_a_configuration_directory_that_is_moved_away_is_made_again_at_once(place, kept):
    place.conf.parent.rename(place.conf.parent.with_name("elsewhere"))
    eventually(place.conf.exists)

    place.conf.unlink()
    eventually(place.conf.exists)


def test_a_portmap_of_another_version_changes_what_is_offered_to_the_runtime(place, kept):
    assert place.network["cniVersions"][-1] == "1.1.0"

    place.plugin("portmap", "0.4.0", "1.0.0")

    eventually(lambda: place.network["cniVersions"] == ["0.4.0", "1.0.0"])


def test_debian_s_plugins_say_what_they_speak():
    assert NodePlugins(PLUGINS).versions(["portmap", "bandwidth", "no-such"]) == {
        "portmap": ("0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0"),
        "bandwidth": ("0.3.0", "0.3.1", "0.4.0", "1.0.0"),
    }


def test_a_plugin_that_cannot_be_asked_is_there_all_the_same(place):
    (place.bin / "broken").write_bytes(b"\x7fELF")
    (place.bin / "broken").chmod(0o755)
    (place.bin / "mute").write_text("#!/bin/sh\n")
    (place.bin / "mute").chmod(0o755)
    (place.bin / "no-program").write_text("")

    found = NodePlugins(place.bin).versions(["broken", "mute", "no-program", "../bin/portmap"])

    assert found == {"broken": None, "mute": None}


def test_a_plugin_that_was_slow_once_is_asked_again(place):
    """On a node that boots everything is slow; STATUS and GC must not be lost for that."""
    slow, answer = place.bin / "slow", json.dumps({"supportedVersions": ["1.0.0", "1.1.0"]})
    first = f"[ -e {place.bin}/warm ] || {{ touch {place.bin}/warm; exec sleep 60; }}"
    slow.write_text(f"#!/bin/sh\n{first}\necho '{answer}'\n")
    slow.chmod(0o755)
    binaries = NodePlugins(place.bin)

    assert binaries.versions(["slow"]) == {"slow": None}
    assert binaries.versions(["slow"]) == {"slow": ("1.0.0", "1.1.0")}


@pytest.mark.parametrize("name", ["00-multus.conf", "10-flannel.conflist"])
def test_a_file_that_the_runtime_prefers_is_told_and_left(place, kept, caplog, name):
    other = place.conf.with_name(name)
    other.write_text("{}")

    eventually(kept.problems)
    (problem,) = kept.problems()
    assert f"{other} comes before 10-tke-eni.conflist" in problem
    assert says(caplog, problem)
    assert other.read_text() == "{}"

    other.unlink()
    eventually(lambda: not kept.problems())


def test_a_file_that_cannot_be_written_is_a_problem_and_no_end(place):
    place.conf.parent.write_text("a file where the directory should be")
    configuration = place.keeping()
    configuration.start()
    try:
        (problem,) = configuration.problems()
        assert problem.startswith(f"{place.conf}: it cannot be read or written")
    finally:
        configuration.stop(5)


@pytest.mark.netns
def test_a_disk_with_too_little_room_leaves_the_file_as_it_was(place):
    """The disk takes the first part of what is written, without an error."""
    place.conf.parent.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place.conf.parent)]
    subprocess.run(command, check=True)
    try:
        long = {"type": "tke-route-eni", "notes": "x" * 6000}
        before = json.dumps({"cniVersion": "1.0.0", "name": "tke-eni", "plugins": [long]})
        place.conf.write_text(before)
        room = os.statvfs(place.conf.parent)
        (place.conf.parent / "filler").write_bytes(b"x" * room.f_bsize * (room.f_bavail - 1))
        configuration = place.keeping()

        configuration.look()

        assert place.conf.read_text() == before
        assert configuration.problems() == [
            f"{place.conf}: it cannot be read or written: No space left on device"
        ]
    finally:
        subprocess.run(["umount", "-l", str(place.conf.parent)], check=True)


@pytest.mark.parametrize(
    "kind", ["\0", "\ud800", "", "..", "x" * 5000], ids=["NUL", "lone surrogate", "empty", "parent", "long"]
)
def test_a_type_that_no_file_can_have_is_a_plugin_that_is_not_there(place, kind):
    place.keeping().look()
    place.add({"type": kind})
    configuration = place.keeping()

    configuration.look()

    (problem,) = configuration.problems()
    assert "which is not there, so that no Pod can start" in problem
    assert problem.isascii()  # `ipamctl status` gets it as a string of protobuf


def test_a_file_before_ours_is_told_whatever_bytes_its_name_has(place):
    configuration = place.keeping()
    configuration.look()
    (place.conf.parent / os.fsdecode(b"00-\xff.conf")).write_text("{}")

    configuration.look()

    assert any("00-\\xff.conf comes before" in problem for problem in configuration.problems())


def test_who_writes_it_again_and_again_is_answered_ever_more_seldom(place, kept):
    """Two programs that each know better must not keep the node busy."""
    answered = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if place.conf.exists():
            place.conf.unlink()
            answered += 1
        time.sleep(0.01)

    assert 2 <= answered < 6


def test_a_new_content_comes_by_a_rename_within_the_directory(place, kept):
    """What containerd loads at; a file that is moved in from elsewhere is a creation, which it ignores."""
    libc = ctypes.CDLL(None)
    inotify = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        libc.inotify_add_watch(inotify, os.fsencode(place.conf.parent), MOVED_FROM | MOVED_TO | CREATE)
        place.conf.unlink()
        eventually(place.conf.exists)
        events = list(inotify_events(os.read(inotify, 4096)))
    finally:
        os.close(inotify)

    (created, aside), moved_from, moved_to = events
    assert created == CREATE
    assert not aside.endswith(conflist.READ_BY_RUNTIMES)
    assert (moved_from, moved_to) == ((MOVED_FROM, aside), (MOVED_TO, place.conf.name))


MOVED_FROM, MOVED_TO, CREATE = 0x40, 0x80, 0x100


def inotify_events(data):
    """Yield kind and name of each event (inotify(7), struct inotify_event)."""
    while data:
        _, mask, _, length = struct.unpack_from("iIII", data)
        yield mask, data[16 : 16 + length].rstrip(b"\0").decode()
        data = data[16 + length :]
