"""Where the programs of the cluster come from."""

import pytest

from testbed.go_build import MissingProgramError
from testbed.kubernetes import programs


def test_what_kubebuilder_assets_has_is_taken_from_there(tmp_path):
    (tmp_path / "kube-apiserver").touch()

    found = programs.locate("kube-apiserver", {"KUBEBUILDER_ASSETS": str(tmp_path)})

    assert found == tmp_path / "kube-apiserver"


def test_what_kubebuilder_assets_never_has_is_not_looked_for_there(tmp_path):
    (tmp_path / "kubelet").touch()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/kubelet").touch()

    found = programs.locate("kubelet", {"KUBEBUILDER_ASSETS": str(tmp_path)}, cache=tmp_path / "cache")

    assert found == tmp_path / "cache/kubelet"


def test_a_program_of_debian_is_found_in_the_path():
    assert programs.locate("sh", {}).exists()


def test_what_is_nowhere_is_named_with_what_makes_it(tmp_path):
    with pytest.raises(MissingProgramError, match=r"kubelet is missing: run `make kubernetes`"):
        programs.locate("kubelet", {}, cache=tmp_path)
    with pytest.raises(MissingProgramError, match="no-such-program is not in PATH"):
        programs.locate("no-such-program", {})
