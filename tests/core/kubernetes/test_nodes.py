"""What is read of a Node: whether it is ready, and what tells one outage from the next."""

import pytest

from ipamd.core.kubernetes import nodes

SINCE = "2026-01-01T00:00:00Z"


def node(*conditions, provider="qcloud:///800002/ins-0123abcd"):
    return {
        "metadata": {"name": "node-a"},
        "spec": {"providerID": provider},
        "status": {"conditions": [*conditions, {"type": "MemoryPressure", "status": "True"}]},
    }


def ready(status):
    return {"type": "Ready", "status": status, "lastTransitionTime": SINCE}


@pytest.mark.parametrize(
    ("conditions", "is_ready", "outage"),
    [
        ((ready("True"),), True, ""),
        ((ready("False"),), False, SINCE),
        ((ready("Unknown"),), False, SINCE),
        ((), False, ""),
    ],
)
def test_an_outage_is_known_by_the_time_that_the_api_server_gives_it(conditions, is_ready, outage):
    view = nodes.view(node(*conditions))

    assert (view.ready, view.outage) == (is_ready, outage)
    assert nodes.view(nodes.trim(node(*conditions))) == view


@pytest.mark.parametrize(
    ("provider", "instance_id"),
    [
        ("qcloud:///800002/ins-0123abcd", "ins-0123abcd"),
        ("ins-0123abcd", "ins-0123abcd"),
        ("aws:///zone/i-0123", ""),
        ("qcloud:///800002/ins-0123abcd/more", ""),
        (None, ""),
    ],
)
def test_the_cvm_is_the_last_part_of_the_provider_id(provider, instance_id):
    assert nodes.view(node(provider=provider)).instance_id == instance_id
