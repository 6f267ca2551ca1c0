"""Random writes over HTTP: a watcher that applies its events has what a list shows, whatever it selects."""

import json
import random

import pytest

from tests.testkit.kubernetes_objects import claim

CLAIMS = "/apis/networking.tke.cloud.tencent.com/v1/namespaces/default/eipclaims"
SELECTORS = ["", "node=n1", "node in (n1,n2)", "!node", "node!=n1"]


def write_at_random(api, chance: random.Random, steps: int) -> None:
    for _ in range(steps):
        name = f"c{chance.randrange(5)}"
        node = chance.choice(["n1", "n2", "n3", None])
        match chance.randrange(5):
            case 0:
                finalizers = ["example.com/f"] if chance.random() < 0.3 else []
                labels = {"node": node} if node else {}
                api.create(CLAIMS, claim(name, labels=labels, finalizers=finalizers))
            case 1:
                api.patch(f"{CLAIMS}/{name}", {"metadata": {"labels": {"node": node}}})
            case 2:
                api.patch(f"{CLAIMS}/{name}/status", {"status": {"step": chance.randrange(3)}})
            case 3:
                api.delete(f"{CLAIMS}/{name}")
            case _:
                api.patch(f"{CLAIMS}/{name}", {"metadata": {"finalizers": None}})


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("seed", range(4))
def test_a_watcher_has_what_a_list_shows(api, seed, selector):
    chance = random.Random(seed)
    write_at_random(api, chance, 30)
    listed = api.get(CLAIMS, labelSelector=selector)
    state = {item["metadata"]["name"]: item for item in listed.body["items"]}
    start = listed.version
    write_at_random(api, chance, 120)
    last = api.get(CLAIMS, labelSelector=selector)
    query = {"resourceVersion": start, "labelSelector": selector, "allowWatchBookmarks": "true"}
    with api.watch(CLAIMS, **query) as events:
        seen = events.until(last.version)
    version = int(start)
    for kind, obj in seen:
        name = obj["metadata"]["name"]
        assert int(obj["metadata"]["resourceVersion"]) > version
        version = int(obj["metadata"]["resourceVersion"])
        assert (name in state) is (kind != "ADDED")
        if kind == "DELETED":
            del state[name]
        else:
            state[name] = obj
    now = {item["metadata"]["name"]: item for item in last.body["items"]}
    assert json.dumps(state, sort_keys=True) == json.dumps(now, sort_keys=True)
