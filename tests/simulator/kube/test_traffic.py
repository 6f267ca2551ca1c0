"""Requests are counted by verb, resource and user agent."""

from simulator.kube.traffic import Traffic
from tests.testkit.kubernetes_objects import config_map

PATH = "/api/v1/namespaces/default/configmaps"


def test_requests_are_counted_by_who_and_what(server, connect):
    agent = connect(server.url, agent="tke-eni-agent/1.0")
    other = connect(server.url, agent="kubelet")
    agent.create(PATH, config_map("a"))
    agent.patch(f"{PATH}/a", {"data": {}})
    agent.get(PATH)
    other.get(f"{PATH}/a")
    other.get(f"{PATH}/none")
    agent.patch("/api/v1/nodes/n/status", {})
    assert server.traffic.count(user_agent="tke-eni-agent") == 4
    assert server.traffic.count(verb="get", resource="configmaps") == 2
    assert server.traffic.count(verb="patch", resource="nodes/status") == 1
    counted = server.traffic.as_json()
    assert {
        "verb": "list",
        "resource": "configmaps",
        "userAgent": "tke-eni-agent/1.0",
        "count": 1,
    } in counted["requests"]
    assert counted["codes"] == {"200": 3, "201": 1, "404": 2}
    server.traffic.reset()
    assert server.traffic.count() == 0


def test_the_busiest_second_is_found():
    now = [0.0]
    traffic = Traffic(monotonic=lambda: now[0])
    for at in (0.0, 0.5, 0.9, 1.6, 1.7, 1.8, 2.5, 9.0):
        now[0] = at
        traffic.record("get", "pods", "agent")
        traffic.record("get", "pods", "someone else")
    assert traffic.busiest_second("agent") == 4
    assert traffic.busiest_second("nobody") == 0
    assert traffic.as_json()["busiestSecond"] == {"agent": 4, "someone else": 4}
