"""One simulated node with all processes of the product, for the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.bed import PLUGIN, Bed


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    if not PLUGIN.exists():
        pytest.fail(f"{PLUGIN} is missing: run `make shim`")
    with Bed(tmp_path_factory.mktemp("bed")) as bed:
        bed.start()
        yield bed


@pytest.fixture
def namespaces_before() -> set[str]:
    return {path.name for path in Path("/run/netns").glob("*")}
