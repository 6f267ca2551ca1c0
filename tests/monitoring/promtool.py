"""Alerts by promtool: what is firing at a moment, given what was scraped until then."""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from testbed.monitoring import PROMETHEUS
from tests.deploy import manifests

RULES = manifests.read("components/monitoring/alerts.yaml")["spec"]
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]
}
_FIELD = re.compile(r"{{ \$labels\.(\w+) }}")
_VALUE = re.compile(r"{{ \$value( \| \w+)? }}")
_MINUTE = "1m"


def check(directory: Path) -> str:
    """Return what promtool says against the rules."""
    done = subprocess.run(
        [PROMETHEUS.path("promtool"), "check", "rules", _rules(directory)],
        check=False,
        capture_output=True,
        text=True,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def differences(directory: Path, case: dict[str, Any], expected: dict[str, list[dict[str, Any]]]) -> str:
    """Return in promtool's words what fires other than expected; empty when nothing does.

    `case` has the series, their values one a minute, and the moment; `expected` alerts by name.
    """
    series = [{"series": name, "values": str(values)} for name, values in (case["series"] or {}).items()]
    test = {
        "rule_files": [str(_rules(directory))],
        "evaluation_interval": _MINUTE,
        "tests": [
            {
                "interval": _MINUTE,
                "input_series": series,
                "alert_rule_test": [
                    {"eval_time": case["at"], "alertname": name, "exp_alerts": alerts}
                    for name, alerts in expected.items()
                ],
            }
        ],
    }
    path = directory / "test.yaml"
    path.write_text(yaml.safe_dump(test, sort_keys=False))
    done = subprocess.run(
        [PROMETHEUS.path("promtool"), "test", "rules", path], check=False, capture_output=True, text=True
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def firing(name: str, labels: dict[str, str], value: str) -> dict[str, Any]:
    """Return how an alert looks when it fires for these labels; `value` is how its texts show its value."""
    rule = ALERTS[name]
    return {
        "exp_labels": {**labels, **rule["labels"]},
        "exp_annotations": {key: _shown(text, labels, value) for key, text in rule["annotations"].items()},
    }


def _shown(text: str, labels: dict[str, str], value: str) -> str:
    """Render a template with the few things that ours use; KeyError for a label that the alert has not."""
    text = re.sub(
        r"{{ with \$labels\.(\w+) }}(.*?){{ \. }}{{ else }}(.*?){{ end }}",
        lambda found: f"{found[2]}{labels[found[1]]}" if labels.get(found[1]) else found[3],
        text,
    )
    return _VALUE.sub(lambda _: value, _FIELD.sub(lambda found: labels[found[1]], text))


def _rules(directory: Path) -> Path:
    path = directory / "rules.yaml"
    path.write_text(yaml.safe_dump(RULES, sort_keys=False))
    return path
