"""Scenes of verbs, on a cluster that `cluster` of the test's file makes."""

import pytest

from tests.chaos.pod_lives import Kind
from tests.chaos.verbs import Scene


@pytest.fixture(params=[Kind.PLAIN, Kind.OWN, Kind.FIXED], ids=lambda kind: kind.value)
def scene(cluster, request):
    scene = Scene(cluster, request.param)
    yield scene
    scene.end()


@pytest.fixture
def shared_scene(cluster):
    """Pods with addresses of shared ENIs only: what is theirs alone in the kernel is looked at."""
    scene = Scene(cluster, Kind.PLAIN)
    yield scene
    scene.end()


@pytest.fixture(params=[Kind.EIP, Kind.OWN_EIP], ids=lambda kind: kind.value)
def with_eip(cluster, request):
    scene = Scene(cluster, request.param)
    yield scene
    scene.end()
