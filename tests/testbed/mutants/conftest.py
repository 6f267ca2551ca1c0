"""The small project that mutants are tried in."""

import pytest

from tests.testbed.mutants.project import write_project


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one module, and tests that notice some of what may be wrong with it; and its record."""
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    return tmp_path
