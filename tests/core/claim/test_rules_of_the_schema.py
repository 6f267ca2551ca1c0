"""The rules of the CRD that API servers before 1.25 do not check hold in the controller all the same.

What a claim says against one of them is refused when it is read, with the field, so that nothing is ordered.
A rule that is added to the CRD needs its example here.
"""

import re
from typing import Any

import pytest
import yaml

from ipamd.core.claim import eipclaim
from tests.deploy.manifests import DEPLOY

GOOD = {"isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR", "bandwidthMbps": 5}
PACKAGE = {**GOOD, "chargeType": "BANDWIDTH_PACKAGE", "bandwidthPackageID": "bwp-12345678"}
ONE_SOURCE = (
    "[has(self.attributes), has(self.addressIDs), has(self.selector), has(self.pool)]"
    ".filter(x, x).size() == 1"
)
AGAINST: dict[str, list[dict[str, Any]]] = {
    ONE_SOURCE: [
        {"attributes": GOOD, "addressIDs": ["eip-aaaa1111"]},
        {"attributes": GOOD, "pool": "web"},
        {"selector": {"names": ["web"]}, "addressIDs": ["eip-aaaa1111"]},
        {},
    ],
    "[has(self.tags), has(self.names), has(self.publicIPs)].filter(x, x).size() == 1": [
        {"selector": {"names": ["web"], "publicIPs": ["203.0.113.5"]}},
        {"selector": {}},
    ],
    "self.chargeType == 'BANDWIDTH_PACKAGE' || self.bandwidthMbps <= 100": [
        {"attributes": {**GOOD, "bandwidthMbps": 101}}
    ],
    "(self.chargeType == 'BANDWIDTH_PACKAGE') == has(self.bandwidthPackageID)": [
        {"attributes": {**GOOD, "bandwidthPackageID": "bwp-12345678"}},
        {"attributes": {key: value for key, value in PACKAGE.items() if key != "bandwidthPackageID"}},
    ],
    "self.all(x, self.exists_one(y, y == x))": [{"addressIDs": ["eip-aaaa1111", "eip-aaaa1111"]}],
    "duration(self) >= duration('5m')": [{"attributes": GOOD, "expireAfter": "4m59s"}],
}
"""What breaks each rule."""


def claim(spec):
    return eipclaim.read({"metadata": {"name": "web-0", "namespace": "default"}, "spec": spec})


def rules():
    """The rules of the schema, without those that compare with what was before."""
    text = (DEPLOY / "crd.yaml").read_text()
    found: set[str] = set()

    def walk(node):
        if isinstance(node, dict):
            found.update(entry["rule"] for entry in node.get("x-kubernetes-validations", ()))
            node = list(node.values())
        if isinstance(node, list):
            for one in node:
                walk(one)

    for document in yaml.safe_load_all(text):
        walk(document)
    return {rule for rule in found if "oldSelf" not in rule}


@pytest.mark.parametrize(
    ("rule", "spec"), [(rule, spec) for rule, specs in AGAINST.items() for spec in specs], ids=str
)
def test_a_claim_against_a_rule_is_refused_with_its_field(rule, spec):
    read = claim(spec)

    assert read.request is None, rule
    assert re.match(r"spec(\.\w+)*", read.problem), read.problem


def test_each_rule_of_the_schema_has_its_example():
    assert rules() == set(AGAINST)


@pytest.mark.parametrize(
    "spec", [{"attributes": GOOD}, {"attributes": PACKAGE}, {"addressIDs": ["eip-aaaa1111"]}], ids=str
)
def test_what_keeps_to_them_is_read(spec):
    assert claim(spec).request is not None
