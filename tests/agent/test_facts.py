"""Who the node is: asked until it is told, and remembered for a start while the cloud is away."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ipamd.agent import facts
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.store.database import Database
from tests.testkit.node_facts import NODE_FACTS


class Away:
    """A cloud that answers nothing, with a metadata service that says who this is after some attempts."""

    def __init__(self, *, instance_id="ins-1", silent=0):
        self.instance = instance_id
        self.silent = silent
        self.asked = 0

    def region(self):
        self.asked += 1
        raise cloud_error("metadata", "ClientNetworkError", "no answer")

    def instance_id(self):
        if self.asked <= self.silent:
            raise cloud_error("metadata", "ClientNetworkError", "no answer")
        return self.instance


@pytest.fixture
def store(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield database


def _api_of(region) -> Any:
    return f"the API of {region}"


def gather(store, away, *, attempts=20, same_boot=False):
    """Ask as often as that at most; no time passes between."""
    waits: list[float] = []
    stopping = SimpleNamespace(is_set=lambda: len(waits) >= attempts, wait=waits.append)
    asking = facts.MetadataRetry(
        metadata=away,
        cloud_of=_api_of,
        monotonic=lambda: 0.0,
        stopping=stopping,
        same_boot=same_boot,
    )
    return facts.gather(asking, store)


def test_what_is_remembered_of_this_boot_is_believed_at_once(store):
    facts.remember(NODE_FACTS, store)
    away = Away()

    assert gather(store, away, same_boot=True) == (NODE_FACTS, "the API of ap-guangzhou")
    assert away.asked == 0


def test_a_node_that_was_known_before_the_boot_starts_after_some_attempts(store):
    facts.remember(NODE_FACTS, store)
    away = Away()

    assert gather(store, away) == (NODE_FACTS, "the API of ap-guangzhou")
    assert away.asked == 3


def test_it_starts_also_when_the_metadata_service_comes_later_than_that(store):
    facts.remember(NODE_FACTS, store)
    away = Away(silent=7)

    assert gather(store, away) == (NODE_FACTS, "the API of ap-guangzhou")
    assert away.asked == 8


@pytest.mark.parametrize("same_boot", [True, False])
def test_a_node_that_was_never_known_waits_until_it_is_stopped(store, same_boot):
    away = Away()

    assert gather(store, away, same_boot=same_boot) is None
    assert away.asked == 20


def test_a_disk_of_another_cvm_is_not_believed(store):
    facts.remember(NODE_FACTS, store)

    assert gather(store, Away(instance_id="ins-2")) is None
    assert facts.is_of_another(store, "ins-2")
    assert not facts.is_of_another(store, "ins-1")


def test_what_has_changed_is_remembered(store):
    facts.remember(NODE_FACTS, store)
    larger = replace(NODE_FACTS, limits=model.EniLimits(enis=8, ips_per_eni=20))
    facts.remember(larger, store)

    assert gather(store, Away(), same_boot=True)[0] == larger
