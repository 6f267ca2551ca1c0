"""What an agent makes of its Node: the last good configuration stays, whatever the Node says, or does not."""

import json

import pytest

from ipamd.agent.pool.node_config import NodeConfig
from ipamd.core.kubernetes import nodes
from ipamd.core.node_config import fields, layers
from ipamd.store.database import Database

FLAGS = layers.layer({"minWarmTarget": 5, "maxWarmTarget": 5}, "flags")
TKE = fields.TKE


@pytest.fixture
def database(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield database


def node(**annotations):
    return {"metadata": {"name": "n1", "annotations": annotations}}


def noted(**values):
    entries = {name: [value, "NodeENIConfig a"] for name, value in values.items()}
    return {nodes.ENI_CONFIG: json.dumps(entries)}


def warm(config):
    return config.current.min_warm, config.current.max_warm


def test_each_change_is_told_once(database):
    config, heard = NodeConfig(FLAGS, database), []
    config.on_change(lambda: heard.append(warm(config)))

    config.told(node())
    for least in (1, 1, 2):
        config.told(node(**noted(minWarmTarget=least)))

    assert heard == [(1, 5), (2, 5)]


def test_what_is_wrong_leaves_the_last_good_one_and_is_told_until_it_is_right(database):
    config = NodeConfig(FLAGS, database)
    config.told(node(**noted(minWarmTarget=1)))

    config.told(node(**noted(minWarmTarget=1), **{TKE + "route-eni-ip-max-warm-target": "0"}))

    assert warm(config) == (1, 5)
    [sentence] = config.refused()
    assert "maxWarmTarget is 0 by annotation" in sentence
    assert "and minWarmTarget 1 by NodeENIConfig a" in sentence
    [entry] = config.entries()
    assert (entry.reason, entry.weight.name) == ("ConfigRefused", "WARNING")
    config.told(node(**noted(minWarmTarget=1)))
    assert config.refused() == []


def test_a_node_that_was_made_anew_takes_nothing_back_until_the_controller_says_so(database):
    config = NodeConfig(FLAGS, database)
    config.told(node(**noted(minWarmTarget=1)))

    config.told(node())
    assert warm(config) == (1, 5)

    config.told(node(**noted()))
    assert warm(config) == (5, 5)


def test_a_start_without_the_api_server_knows_the_last_good_one(database):
    before = NodeConfig(FLAGS, database)
    before.told(node(**noted(minWarmTarget=1), **{TKE + "route-eni-ip-max-warm-target": "9"}))
    before.told(node(**noted(minWarmTarget=-1)))

    assert warm(NodeConfig(FLAGS, database)) == (1, 9)


def test_what_another_release_remembered_is_not_used(database):
    database.put_fact("node config", {"note": "no json", "annotations": {}})
    assert warm(NodeConfig(FLAGS, database)) == (5, 5)


def test_a_sync_that_is_asked_for_is_told_once(database):
    config, heard = NodeConfig(FLAGS, database), []
    config.on_change(lambda: heard.append(config.is_sync_asked))

    for _ in range(2):
        config.told(node(**{fields.NEED_SYNC: "true"}))
    config.told(node())

    assert heard == [True]
    assert not config.is_sync_asked
