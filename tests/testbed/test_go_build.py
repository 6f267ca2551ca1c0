"""Programs that are built from the Go module proxy: which release, and why they cannot be built."""

import pytest

from testbed.go_build import GoBuild, MissingProgramError, required_version

GO_MOD = """\
module example.invalid/programs

go 99.1

require example.invalid/one v1.2.3

require (
	example.invalid/two v0.4.0
	example.invalid/two/more v0.5.0 // indirect
)
"""


@pytest.fixture
def build(tmp_path):
    (tmp_path / "go.mod").write_text(GO_MOD)
    return GoBuild(
        title="One 1.2.3",
        module=tmp_path,
        directory=tmp_path / "cache" / "v1.2.3",
        packages={"one": "example.invalid/one"},
        target="one",
    )


def test_the_release_is_the_one_that_go_mod_requires(build):
    assert required_version(build.module, "example.invalid/one") == "v1.2.3"
    assert required_version(build.module, "example.invalid/two") == "v0.4.0"
    with pytest.raises(ValueError, match="does not require example"):
        required_version(build.module, "example.invalid/three")


def test_what_is_built_is_not_built_again(build, capfd):
    build.directory.mkdir(parents=True)
    (build.directory / "one").touch()

    assert build.main() == 0
    assert build.path("one") == build.directory / "one"
    assert "One 1.2.3" in capfd.readouterr().out


def test_a_missing_program_is_named_with_what_makes_it(build):
    with pytest.raises(MissingProgramError, match=r"one is missing: run `make one`"):
        build.path("one")


def test_a_go_that_is_too_old_is_named(build, capfd):
    assert build.main() == 1
    assert "Go 99.1 or newer is needed to build One 1.2.3" in capfd.readouterr().err
