"""Each alert fires for what it is for and for nothing that is near it, by promtool; its texts lead on."""

import re
from pathlib import Path

import pytest
import yaml

from tests.monitoring import promtool
from tests.monitoring.promtool import ALERTS

# All as text: 0x10 is ten times 0, and no hexadecimal number.
CASES = yaml.load((Path(__file__).parent / "cases.yaml").read_text(), yaml.CBaseLoader)
FIRING = [(name, case) for name, cases in CASES.items() for case in cases["fires"]]
QUIET = [(name, case) for name, cases in CASES.items() for case in cases["quiet"]]
NEXT_STEP = re.compile(r"`|deploy/|console|--pod-subnets")
"""A command, a file or a place to look at."""
RUNBOOKS = "https://github.com/tke-eni/tke-eni/blob/main/docs/runbooks/"


def told(found):
    return found if isinstance(found, str) else found["of"]


def test_promtool_reads_the_rules(tmp_path):
    assert promtool.check(tmp_path) == ""


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    assert set(CASES) == set(ALERTS)
    assert [name for name, cases in CASES.items() if not (cases["fires"] and cases["quiet"])] == []


@pytest.mark.parametrize(("name", "case"), FIRING, ids=told)
def test_an_alert_fires(tmp_path, name, case):
    expected = promtool.firing(name, case["labels"], case.get("value", ""))

    assert promtool.differences(tmp_path, case, {name: [expected]}) == ""


@pytest.mark.parametrize(("name", "case"), QUIET, ids=told)
def test_an_alert_does_not_fire(tmp_path, name, case):
    assert promtool.differences(tmp_path, case, {name: []}) == ""


def test_a_full_node_pages_nobody(tmp_path):
    """Its Pods run, Pods that come are answered with 11 for as long as they come, and nothing can be had."""
    agent = 'job="tke-eni-agent",node="n1",pod="x"'
    series = {
        'tke_eni_leader{job="tke-eni-ipamd",node="n2",pod="a"}': "1x130",
        f"up{{{agent}}}": "1x130",
        f"tke_eni_ready{{{agent}}}": "1x130",
        f"tke_eni_node_available{{{agent}}}": "1x130",
        f"tke_eni_node_problems{{{agent}}}": "1x130",
        f'tke_eni_addresses{{{agent},state="warm"}}': "0x130",
        f'tke_eni_addresses{{{agent},state="assigned"}}': "60x130",
        f"tke_eni_pool_room{{{agent}}}": "0x130",
        f"tke_eni_pool_missing{{{agent}}}": "0x130",
        f'tke_eni_component_troubles{{{agent},component="pool"}}': "1x130",
        f'tke_eni_component_troubles{{{agent},component="kernel"}}': "0x130",
        f'tke_eni_cni_requests_total{{{agent},verb="ADD",code="11"}}': "0+3x130",
        f'tke_eni_cni_request_seconds_bucket{{{agent},verb="ADD",le="25.0"}}': "0x130",
        f'tke_eni_cni_request_seconds_bucket{{{agent},verb="ADD",le="50.0"}}': "0+3x130",
        f'tke_eni_cni_request_seconds_bucket{{{agent},verb="ADD",le="+Inf"}}': "0+3x130",
    }
    case = {"series": series, "at": "2h"}

    assert promtool.differences(tmp_path, case, {name: [] for name in ALERTS}) == ""


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_grave_it_is_what_is_wrong_and_what_to_do(name):
    rule = ALERTS[name]
    annotations = rule["annotations"]

    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"] == f"{RUNBOOKS}{name}.md"
    assert len(annotations["summary"]) < 100
    assert NEXT_STEP.search(annotations["description"])
