"""Bringing the plugin to a node: whole at every moment, and nothing is taken from one that still runs."""

import itertools
import os
import shutil
import subprocess
import threading

import pytest

from ipamd.__main__ import main
from ipamd.core.errors import InvalidInputError
from ipamd.installation import plugin
from tests.shim.conftest import INTERPRETER, build_plugin

NOW = 5000.0
"""Seconds since the boot."""


class Node:
    def __init__(self, root):
        self.bin, self.trees = root / "opt/cni/bin", root / "opt/tke-eni"

    def install(self, source, now=NOW, boot="b1"):
        now = plugin.Moment(boot, now)
        plugin.install(source, bin_directory=self.bin, trees=self.trees, now=now)

    def install_earlier_release(self, tree="0.1.0-aa"):
        """Put there what the releases before did: a plugin whose first line names its own interpreter."""
        (self.trees / tree / "bin").mkdir(parents=True)
        shutil.copy(INTERPRETER, self.trees / tree / "bin/python3.11")
        self.bin.mkdir(parents=True, exist_ok=True)
        line = f"#!{self.trees}/{tree}/bin/python3.11 -ISuc"
        (self.bin / plugin.NAME).write_text(f"{line}print(input('?'))\n")
        (self.bin / plugin.NAME).chmod(0o755)

    @property
    def installed(self):
        return (self.bin / plugin.NAME).read_bytes()

    def tree_names(self):
        return sorted(path.name for path in self.trees.iterdir() if path.is_dir())


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path / "host")


def source(directory, text):
    """A source such as the image has."""
    directory.mkdir()
    (directory / plugin.NAME).write_bytes(b"\x7fELF" + text)
    return directory


@pytest.fixture
def old(tmp_path):
    return source(tmp_path / "old", b"old")


@pytest.fixture
def new(tmp_path):
    return source(tmp_path / "new", b"new")


def test_a_fresh_node_gets_the_plugin_and_nothing_else(node, old):
    node.install(old)

    assert node.installed == (old / plugin.NAME).read_bytes()
    assert (node.bin / plugin.NAME).stat().st_mode & 0o7777 == 0o755
    assert [path.name for path in node.bin.iterdir()] == [plugin.NAME]
    assert not node.trees.exists()


def test_a_node_that_has_it_already_is_left_as_it_is(node, old):
    node.install(old)
    before = (node.bin / plugin.NAME).stat()

    node.install(old, NOW + 1)

    after = (node.bin / plugin.NAME).stat()
    assert (after.st_ino, after.st_mtime) == (before.st_ino, before.st_mtime)


def test_another_one_replaces_it_and_back(node, old, new):
    node.install(old)

    node.install(new)
    assert node.installed.endswith(b"new")
    node.install(old)
    assert node.installed.endswith(b"old")


def test_what_a_killed_installation_left_aside_is_replaced(node, old):
    node.bin.mkdir(parents=True)
    (node.bin / f".{plugin.NAME}.new").write_text("half")

    node.install(old)

    assert sorted(path.name for path in node.bin.iterdir()) == [plugin.NAME]


def test_the_interpreter_of_an_earlier_release_stays_for_an_hour(node, new):
    node.install_earlier_release()

    node.install(new, NOW)
    assert node.tree_names() == ["0.1.0-aa"]
    assert node.installed.endswith(b"new")

    node.install(new, NOW + plugin.KEPT_SECONDS - 1)
    assert node.tree_names() == ["0.1.0-aa"]

    node.install(new, NOW + plugin.KEPT_SECONDS + 1)
    assert list(node.trees.iterdir()) == []


def test_a_plugin_of_an_earlier_release_that_runs_is_not_disturbed(node, new):
    """It was started before the upgrade, and answers after it, even when the interpreter has been removed."""
    node.install_earlier_release()
    running = subprocess.Popen([node.bin / plugin.NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert running.stdout.read(1) == b"?"

    node.install(new, NOW)
    node.install(new, NOW + plugin.KEPT_SECONDS)

    assert node.tree_names() == []
    assert running.communicate(b"answer\n", timeout=30)[0] == b"answer\n"
    assert running.returncode == 0


@pytest.mark.parametrize("date", [0.0, 4e9])
def test_dates_of_files_decide_nothing(node, new, date):
    """The wall clock may be wrong, or was when the tree was installed."""
    node.install_earlier_release()
    os.utime(node.trees / "0.1.0-aa", (date, date))

    node.install(new, NOW)
    assert node.tree_names() == ["0.1.0-aa"]

    os.utime(node.trees / "0.1.0-aa", (date, date))
    node.install(new, NOW + plugin.KEPT_SECONDS + 1)
    assert node.tree_names() == []


def test_no_plugin_outlives_the_boot(node, new):
    node.install_earlier_release()
    node.install(new)

    node.install(new, 10.0, boot="b2")

    assert node.tree_names() == []


def test_a_tree_that_an_earlier_release_has_replaced_itself_keeps_its_time(node, new):
    node.install_earlier_release("0.0.9-99")
    node.install_earlier_release()
    (node.trees / ".0.0.9-99.replaced").write_text(f"b1 {NOW - 3000:.0f}")

    node.install(new, NOW)
    assert node.tree_names() == ["0.0.9-99", "0.1.0-aa"]

    node.install(new, NOW + 700)
    assert node.tree_names() == ["0.1.0-aa"]


def test_a_tree_that_is_half_written_is_removed_at_once(node, new):
    (node.trees / ".0.1.0-aa.new/lib").mkdir(parents=True)

    node.install(new)

    assert node.tree_names() == []


def test_the_plugin_can_be_executed_at_every_moment_of_an_upgrade(tmp_path):
    """In a root of its own, executed all the while: it always answers, by the one version or the other."""
    sources = [tmp_path / "1.0", tmp_path / "1.1"]
    for timeout, directory in enumerate(sources, start=50):
        build_plugin(directory / plugin.NAME, "--timeout", str(timeout))
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


@pytest.mark.parametrize("content", [None, b"", b"#!/usr/bin/python3.11 -IS\n"])
def test_a_source_that_is_no_program_is_refused(node, tmp_path, content):
    if content is not None:
        (tmp_path / plugin.NAME).write_bytes(content)
    node.install_earlier_release()
    before = node.installed

    with pytest.raises(InvalidInputError, match="tke-route-eni is not the program that it should be"):
        node.install(tmp_path)

    assert node.installed == before
    assert [path.name for path in node.trees.iterdir()] == ["0.1.0-aa"]


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
