"""Bringing the plugin to a node: whole at every moment, and nothing is taken from one that still runs."""

import itertools
import os
import subprocess
import threading

import pytest

from ipamd.__main__ import main
from ipamd.core.errors import InvalidInputError
from ipamd.installation import plugin
from tests.shim.conftest import make_tree

NOW = 5000.0
"""Seconds since the boot."""


def build(directory, tree, text):
    """A source such as the image has, with a shell in the interpreter's place."""
    (directory / tree / "bin").mkdir(parents=True)
    (directory / tree / "bin/python3.11").write_text("an interpreter")
    (directory / tree / "lib").mkdir()
    (directory / tree / "lib/libc.so.6").write_text("a library")
    (directory / plugin.NAME).write_text(f"#!/opt/tke-eni/{tree}/bin/python3.11 -IS\n{text}\n")
    return directory


class Node:
    def __init__(self, root):
        self.bin, self.trees = root / "opt/cni/bin", root / "opt/tke-eni"

    def install(self, source, now=NOW, boot="b1"):
        now = plugin.Moment(boot, now)
        plugin.install(source, bin_directory=self.bin, trees=self.trees, now=now)

    @property
    def installed(self):
        return (self.bin / plugin.NAME).read_text()

    def tree_names(self):
        return sorted(path.name for path in self.trees.iterdir() if path.is_dir())


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path / "host")


@pytest.fixture
def old(tmp_path):
    return build(tmp_path / "old", "1.0-aa", "old")


@pytest.fixture
def new(tmp_path):
    return build(tmp_path / "new", "1.1-bb", "new")


def test_a_fresh_node_gets_plugin_and_tree(node, old):
    node.install(old)

    assert node.installed == (old / plugin.NAME).read_text()
    assert (node.bin / plugin.NAME).stat().st_mode & 0o777 == 0o755
    assert (node.trees / "1.0-aa/bin/python3.11").read_text() == "an interpreter"
    assert (node.trees / "1.0-aa/lib/libc.so.6").exists()


def test_a_node_that_has_it_already_is_left_as_it_is(node, old):
    node.install(old)
    before = [path.stat() for path in (node.bin / plugin.NAME, node.trees / "1.0-aa")]

    node.install(old, NOW + 1)

    after = [path.stat() for path in (node.bin / plugin.NAME, node.trees / "1.0-aa")]
    assert [(s.st_ino, s.st_mtime) for s in after] == [(s.st_ino, s.st_mtime) for s in before]


def test_an_upgrade_keeps_the_replaced_tree_for_an_hour(node, old, new):
    node.install(old, NOW - 4000)

    node.install(new, NOW)
    assert node.tree_names() == ["1.0-aa", "1.1-bb"]
    assert "new" in node.installed

    node.install(new, NOW + plugin.KEPT_SECONDS - 1)
    assert node.tree_names() == ["1.0-aa", "1.1-bb"]

    node.install(new, NOW + plugin.KEPT_SECONDS + 1)
    assert node.tree_names() == ["1.1-bb"]
    assert [path.name for path in node.trees.iterdir()] == ["1.1-bb"]


@pytest.mark.parametrize("date", [0.0, 4e9])
def test_dates_of_files_decide_nothing(node, old, new, date):
    """The wall clock may be wrong, or was when the tree was installed."""
    node.install(old)
    os.utime(node.trees / "1.0-aa", (date, date))

    node.install(new, NOW)
    assert node.tree_names() == ["1.0-aa", "1.1-bb"]

    os.utime(node.trees / "1.0-aa", (date, date))
    node.install(new, NOW + plugin.KEPT_SECONDS + 1)
    assert node.tree_names() == ["1.1-bb"]


def test_no_plugin_outlives_the_boot(node, old, new):
    node.install(old)
    node.install(new)

    node.install(new, 10.0, boot="b2")

    assert node.tree_names() == ["1.1-bb"]


def test_a_tree_that_nobody_has_dated_is_kept_for_an_hour_from_now(node, old, new):
    """An earlier release has replaced it."""
    node.install(old)
    node.install(new)
    for note in node.trees.glob(".*.replaced"):
        note.unlink()

    node.install(new, NOW + 9000)
    assert node.tree_names() == ["1.0-aa", "1.1-bb"]

    node.install(new, NOW + 9000 + plugin.KEPT_SECONDS)
    assert node.tree_names() == ["1.1-bb"]


def test_a_roll_back_installs_the_old_one_again(node, old, new):
    node.install(old)
    node.install(new)

    node.install(old, NOW + 10)

    assert "old" in node.installed
    assert "1.0-aa" in node.tree_names()


def test_what_a_killed_installation_left_aside_is_replaced(node, old):
    half = node.trees / ".1.0-aa.new"
    half.mkdir(parents=True)
    (half / "rubbish").write_text("")
    node.bin.mkdir(parents=True)
    (node.bin / f".{plugin.NAME}.new").write_text("half")

    node.install(old)

    assert node.tree_names() == ["1.0-aa"]
    assert not (node.trees / "1.0-aa/rubbish").exists()
    assert sorted(path.name for path in node.bin.iterdir()) == [plugin.NAME]


def test_the_plugin_can_be_executed_at_every_moment_of_an_upgrade(tmp_path):
    """In a root of its own, executed all the while: it always answers, by the one version or the other."""
    sources = [make_tree(tmp_path / version, version).parent for version in ("1.0", "1.1")]
    node = Node(tmp_path / "root")
    node.install(sources[0])
    command = ["/usr/sbin/chroot", tmp_path / "root", f"/opt/cni/bin/{plugin.NAME}"]
    outcomes, stop = [], threading.Event()

    def execute():
        while not stop.is_set():
            done = subprocess.run(command, env={"CNI_COMMAND": "VERSION"}, capture_output=True, check=False)
            outcomes.append((done.returncode, done.stderr))

    runtime = threading.Thread(target=execute)
    runtime.start()
    try:
        for turn in itertools.count(1):
            node.install(sources[turn % 2], NOW + turn)
            if turn >= 60 and len(outcomes) >= 30:
                break
    finally:
        stop.set()
        runtime.join()

    assert set(outcomes) == {(0, b"")}


def test_a_plugin_of_another_kind_is_replaced(node, old):
    node.bin.mkdir(parents=True)
    (node.bin / plugin.NAME).write_bytes(b"\x7fELF" + bytes(200))

    node.install(old)

    assert "old" in node.installed


def test_a_source_without_its_own_interpreter_is_refused(node, tmp_path):
    (tmp_path / plugin.NAME).write_text("#!/usr/bin/python3.11 -IS\n")

    with pytest.raises(InvalidInputError, match="does not name an interpreter under /opt/tke-eni"):
        node.install(tmp_path)

    assert not node.bin.exists()


def test_a_directory_that_cannot_be_written_is_named(old, tmp_path, capsys):
    (tmp_path / "file").write_text("")

    code = main(
        [
            "install-plugin",
            f"--source={old}",
            f"--bin-dir={tmp_path / 'file'}",
            f"--trees={tmp_path / 'trees'}",
        ]
    )

    assert code == 2
    assert str(tmp_path / "file") in capsys.readouterr().err
