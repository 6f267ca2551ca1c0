"""The dashboard as Grafana reads it: its queries are queries, its panels have a place and a source."""

import itertools
import json
import subprocess

import pytest
import yaml

from testbed.monitoring import PROMETHEUS
from tests.deploy import manifests

FOLDER = "components/monitoring"
DASHBOARD = json.loads((manifests.DEPLOY / FOLDER / "dashboard.json").read_text())
PANELS = DASHBOARD["panels"]
DRAWN = [panel for panel in PANELS if panel["type"] != "row"]


def test_every_query_is_one(tmp_path):
    queries = [
        target["expr"].replace("$__rate_interval", "5m").replace("$node", ".*")
        for panel in DRAWN
        for target in panel["targets"]
    ]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    command = [PROMETHEUS.path("promtool"), "check", "rules", path]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert f"{len(queries)} rules found" in done.stdout


@pytest.mark.parametrize("panel", DRAWN, ids=lambda panel: panel["title"])
def test_a_panel_takes_the_source_that_the_reader_chooses(panel):
    (variable,) = (each for each in DASHBOARD["templating"]["list"] if each["type"] == "datasource")

    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert {source["uid"] for source in sources} == {f"${{{variable['name']}}}"}


def test_no_two_panels_are_in_one_place_or_have_one_number():
    cells = [
        (x, y)
        for panel in PANELS
        for place in [panel["gridPos"]]
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_component_makes_the_config_map_that_grafana_s_sidecar_looks_for():
    (made,) = manifests.read(f"{FOLDER}/kustomization.yaml")["configMapGenerator"]

    assert made["options"]["labels"]["grafana_dashboard"] == "1"
    assert made["files"] == ["tke-eni.json=dashboard.json"]
