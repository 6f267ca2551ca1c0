"""The agent does not start where somebody else could exchange its socket, its store or its queue."""

import os

import pytest

from ipamd.agent import trusted_directories
from ipamd.core.errors import InvalidInputError

NOBODY = 65534


def refused(directory):
    with pytest.raises(InvalidInputError) as caught:
        trusted_directories.ensure(directory, "--socket")
    return str(caught.value)


def test_a_directory_is_made_for_root_alone(tmp_path):
    trusted_directories.ensure(tmp_path / "a" / "b", "--socket")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    trusted_directories.ensure(tmp_path / "a" / "b", "--socket")


def test_a_mode_that_lets_others_only_look_is_as_others_have_made_it(tmp_path):
    """A hostPath of kubelet's has 0755."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o755)
    trusted_directories.ensure(tmp_path / "run", "--socket")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777])
def test_one_that_others_may_write_to_is_refused(tmp_path, mode):
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(mode)
    said = refused(tmp_path / "run")
    assert "--socket" in said
    assert f"{mode:04o}" in said
    assert "chmod" in said


def test_one_of_another_user_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", NOBODY, NOBODY)
    assert f"belongs to user {NOBODY}" in refused(tmp_path / "run")


def test_a_place_above_that_others_may_write_to_is_refused_unless_it_is_sticky(tmp_path):
    (tmp_path / "open" / "run").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    assert f"above {tmp_path}/open/run" in refused(tmp_path / "open" / "run")
    (tmp_path / "open").chmod(0o1777)
    trusted_directories.ensure(tmp_path / "open" / "run", "--socket")


def test_a_link_is_followed_to_where_it_really_is(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert f"{tmp_path}/open" in refused(tmp_path / "link")


def test_what_is_no_directory_is_said_so(tmp_path):
    (tmp_path / "file").touch()
    assert "--socket" in refused(tmp_path / "file")
