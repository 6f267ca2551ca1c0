"""Scenes of verbs, on a cluster that `cluster` of the test's file makes."""

import pytest

from tests.chaos.pod_lives import Kind
from tests.chaos.verbs import Scene


@pytest.fixture
def scene(cluster):
    scene = Scene(cluster, Kind.PLAIN)
    yield scene
    scene.end()


@pytest.fixture
def with_eip(cluster):
    scene = Scene(cluster, Kind.EIP)
    yield scene
    scene.end()
