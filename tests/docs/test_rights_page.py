"""docs/rights.md names whatever deploy/rbac.yaml gives to agents and controller."""

import pytest

from tests.deploy import manifests
from tests.docs.project import DOCS

PAGE = (DOCS / "rights.md").read_text().lower().partition("## what the controller may do")


@pytest.mark.parametrize(("account", "part"), [("tke-eni-agent", PAGE[0]), ("tke-eni-ipamd", PAGE[2])])
def test_every_resource_of_the_role_is_named(account, part):
    role = manifests.one("ClusterRole", account, "rbac.yaml")
    resources = {name.partition("/")[0] for rule in role["rules"] for name in rule["resources"]}

    assert len(resources) > 4
    # Nodes' and Pods' rows have them in the singular too.
    assert {name for name in resources if name.removesuffix("s") not in part} == set()
