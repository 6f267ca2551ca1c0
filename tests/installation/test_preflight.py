"""What is in the way of an installation is told, or refused, before anything is put onto the node."""

import pytest

from ipamd.__main__ import main

OURS = b"\x7fELF with TKE_ENI_SOCKET"
STRANGER = b"\x7fELF of somebody else"


class Node:
    def __init__(self, root):
        self.source, self.bin, self.conf = root / "image", root / "bin", root / "net.d"
        for directory in (self.source, self.bin, self.conf):
            directory.mkdir()
        self.plugin = self.bin / "tke-route-eni"
        (self.source / "tke-route-eni").write_bytes(OURS)
        self.flags = [f"--source={self.source}", f"--bin-dir={self.bin}", f"--conf-dir={self.conf}"]
        self.flags.append(f"--trees={root / 'trees'}")

    def install(self, *flags):
        return main(["install-plugin", *self.flags, *flags])


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


def test_a_node_with_nothing_or_with_ours_is_clear(node):
    for _ in range(2):
        assert node.install("--preflight=refuse") == 0

    assert node.plugin.read_bytes() == OURS


def test_a_stranger_s_plugin_is_not_replaced_when_it_is_to_be_refused(node, capsys):
    node.plugin.write_bytes(STRANGER)

    assert node.install("--preflight=refuse") == 1

    assert node.plugin.read_bytes() == STRANGER
    assert "PluginOwner file/opt/cni/bin/tke-route-eni: a plugin of the same name" in capsys.readouterr().err


def test_another_network_that_comes_first_is_refused_and_goes_on_when_it_is_gone(node, capsys):
    other = node.conf / "05-cilium.conflist"
    other.write_text('{"plugins": [{"type": "cilium-cni"}]}')

    assert node.install("--preflight=refuse") == 1
    assert "05-cilium.conflist" in capsys.readouterr().err
    assert not node.plugin.exists()

    other.unlink()
    assert node.install("--preflight=refuse") == 0


def test_without_a_word_it_is_told_and_installed(node, capsys):
    node.plugin.write_bytes(STRANGER)

    assert node.install() == 0

    assert node.plugin.read_bytes() == OURS
    assert "preflight: PluginOwner" in capsys.readouterr().err


def test_it_can_be_switched_off(node, capsys):
    node.plugin.write_bytes(STRANGER)

    assert node.install("--preflight=off") == 0

    assert "preflight" not in capsys.readouterr().err
