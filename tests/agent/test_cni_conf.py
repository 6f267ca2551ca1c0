"""The runtime's network configuration."""

import json

import pytest

from ipamd.agent import cni_conf
from ipamd.core import netconf
from ipamd.core.errors import InvalidInputError


def test_it_is_written_whole_and_only_when_it_differs(tmp_path):
    path = tmp_path / "net.d/10-tke-eni.conflist"
    cni_conf.write(path)
    first = path.stat()
    cni_conf.write(path)

    assert path.stat().st_ino == first.st_ino
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o644


def test_it_is_what_the_agent_understands_as_the_runtime_hands_it_on(tmp_path):
    path = tmp_path / "10-tke-eni.conflist"
    cni_conf.write(path)
    network = json.loads(path.read_bytes())

    # A runtime puts name and version of the list into the configuration of each plugin.
    (entry,) = network["plugins"]
    handed = {**entry, "name": network["name"], "cniVersion": network["cniVersion"]}
    parsed = netconf.parse(json.dumps(handed).encode())

    assert (parsed.name, parsed.version) == ("tke-eni", "1.0.0")
    assert network["cniVersion"] in network["cniVersions"]


def test_what_somebody_changed_is_put_right(tmp_path):
    path = tmp_path / "10-tke-eni.conflist"
    path.write_text("{}")

    cni_conf.write(path)

    assert json.loads(path.read_bytes()) == cni_conf.NETWORK


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InvalidInputError, match="--cni-conf"):
        cni_conf.write(tmp_path / "file/10-tke-eni.conflist")
