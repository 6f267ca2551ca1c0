"""ip-masq-agent on the node and a Pod with an EIP: who an internet host sees."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed import masquerade
from testbed.bed import Bed
from testbed.http_json import JsonEndpoint
from testbed.probes import SourceReporter, seen_source

pytestmark = [pytest.mark.scenario, pytest.mark.netns]

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/ip-masq-agent-config"


@pytest.fixture
def bed(tmp_path) -> Iterator[Bed]:
    with Bed(tmp_path) as bed:
        bed.start_region()
        masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"])
        yield bed


def findings(bed: Bed, code: str) -> list[dict[str, Any]]:
    return [finding for finding in bed.ctl("check")["findings"] if finding["code"] == code]


def test_an_ip_masq_agent_that_does_nothing_is_told_once_a_pod_needs_it(bed: Bed):
    bed.start_controller()
    bed.start_agent()
    bed.wait_until_ready()
    masquerade.empty(bed.node.netns)
    assert findings(bed, "Unmasqueraded") == []
    sandbox, outcome = bed.add_pod("plain")

    with SourceReporter(bed.internet_netns):
        assert seen_source(sandbox.netns, bed.internet_hosts[0], seconds=1.0) == ""
        (finding,) = findings(bed, "Unmasqueraded")
        assert finding["severity"] == "info"
        assert f"default/plain: it leaves by eth0 as {outcome.ip()}" in finding["text"]

        masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"])
        assert seen_source(sandbox.netns, bed.internet_hosts[0]) == bed.node.public_ip
        assert findings(bed, "Unmasqueraded") == []
    bed.delete_pod(sandbox)


def test_left_to_ip_masq_agent_the_eip_is_used_once_its_configuration_names_the_pod(bed: Bed):
    config = {"NonMasqueradeCIDRs": ["10.0.0.0/16"], "ResyncInterval": "1m0s"}
    api = JsonEndpoint(bed.endpoints.kube)
    api.post(
        CONFIG_MAP.rpartition("/")[0],
        {"metadata": {"name": "ip-masq-agent-config"}, "data": {"config": json.dumps(config)}},
    )

    def entries() -> list[str]:
        text = api.get(CONFIG_MAP)["data"]["config"]
        return list(json.loads(text).get("NonMasqueradeSrcCIDRs", []))

    bed.start_controller(options=["--ip-masq-agent-config", "keep"])
    bed.start_agent(options=["--no-eip-source-nat-exemption"])
    bed.wait_until_ready()
    sandbox, outcome = bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)
    [claim] = bed.workloads.claims()
    eip = claim["status"]["address"]["ip"]

    with SourceReporter(bed.internet_netns):
        outside = bed.internet_hosts[0]
        assert seen_source(sandbox.netns, outside, seconds=1.0) != eip
        (finding,) = findings(bed, "EipMasqueraded")
        assert (finding["severity"], finding["pods"]) == ("error", ["default/web-0"])
        assert f"not as {outcome.ip()}" in finding["text"]

        bed.wait_until("the Pod in the ConfigMap", lambda: entries() == [f"{outcome.ip()}/32"])
        masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"], sources=entries())

        assert seen_source(sandbox.netns, outside) == eip
        assert findings(bed, "EipMasqueraded") == []

    bed.delete_pod(sandbox)
    bed.wait_until("the Pod out of the ConfigMap", lambda: entries() == [])
    api.close()
