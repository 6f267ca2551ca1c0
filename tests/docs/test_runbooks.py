"""Each alert leads to a page that says what to do, and no page is left without its alert."""

import pytest

from tests.deploy import manifests
from tests.docs.project import DOCS

RUNBOOKS = DOCS / "runbooks"
RULES = {
    rule["alert"]: rule
    for group in manifests.read("components/monitoring/alerts.yaml")["spec"]["groups"]
    for rule in group["rules"]
}
PARTS = ("## What it breaks", "## Look", "## Do", "## It is over when")


def test_each_alert_has_a_runbook_and_each_runbook_an_alert():
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == set(RULES)


@pytest.mark.parametrize("alert", sorted(RULES))
def test_an_alert_names_its_runbook_and_that_says_what_to_do(alert):
    rule, text = RULES[alert], (RUNBOOKS / f"{alert}.md").read_text()

    assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{alert}.md")
    assert f"Severity {rule['labels']['severity']}." in text
    places = [text.index(part) for part in PARTS]
    assert places == sorted(places)
    assert "```console\n$ " in text, "there is a command to look with"
    assert "\n1. " in text[places[2] :]


def test_the_list_of_runbooks_names_all_of_them():
    text = (RUNBOOKS / "README.md").read_text()
    assert [alert for alert in RULES if f"({alert}.md)" not in text] == []
