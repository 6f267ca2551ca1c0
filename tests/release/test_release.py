"""A release sets one version everywhere, and gives the open section of CHANGELOG.md its number."""

import datetime as dt
import shutil

import pytest

import ipamd
from testbed import release
from testbed.release import ReleaseError

DAY = dt.date(2026, 12, 24)


@pytest.fixture
def checkout(tmp_path):
    for name in (*release.PLACES, "CHANGELOG.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        shutil.copy(release.ROOT / name, path)
    return tmp_path


def test_every_place_has_the_version_of_the_package():
    assert set(release.versions(release.ROOT).values()) == {ipamd.__version__}


def test_what_reads_the_version_elsewhere_does_not_spell_it_out():
    for name in ("setup.cfg", "Makefile", "pyproject.toml"):
        assert ipamd.__version__ not in (release.ROOT / name).read_text(), name


def test_a_release_writes_every_place_and_keeps_the_rest(checkout):
    before = {name: (checkout / name).read_text() for name in release.PLACES}

    release.release(checkout, "9.8.7", DAY)

    assert set(release.versions(checkout).values()) == {"9.8.7"}
    for name, text in before.items():
        assert (checkout / name).read_text() == text.replace(ipamd.__version__, "9.8.7")


def test_what_was_unreleased_gets_version_and_date_below_an_empty_section(checkout):
    before = (checkout / "CHANGELOG.md").read_text()

    release.release(checkout, "9.8.7", DAY)

    text = (checkout / "CHANGELOG.md").read_text()
    assert text == before.replace("## [Unreleased]\n", "## [Unreleased]\n\n## [9.8.7] - 2026-12-24\n")


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3rc1", "01.2.3", ""])
def test_what_is_no_version_is_refused_and_nothing_is_written(checkout, version):
    before = (checkout / "CHANGELOG.md").read_text()

    with pytest.raises(ReleaseError, match=r"MAJOR\.MINOR\.PATCH"):
        release.release(checkout, version, DAY)

    assert (checkout / "CHANGELOG.md").read_text() == before
    assert set(release.versions(checkout).values()) == {ipamd.__version__}


def test_a_version_is_released_once(checkout):
    release.release(checkout, "9.8.7", DAY)

    with pytest.raises(ReleaseError, match=r"section 9\.8\.7 already"):
        release.release(checkout, "9.8.7", DAY)


def test_a_changelog_without_an_open_section_is_refused(checkout):
    (checkout / "CHANGELOG.md").write_text("# Changes\n")

    with pytest.raises(ReleaseError, match="Unreleased"):
        release.release(checkout, "9.8.7", DAY)
