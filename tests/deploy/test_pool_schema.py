"""The schema of EIPPool: the API server drops what it does not name, so it has to name all that we use."""

import pytest

from ipamd.core.annotations import eip_selector
from ipamd.core.eip_pool import eippool, status
from ipamd.core.eip_pool.eippool import MOST
from ipamd.core.eip_pool.status import PoolEipState, PoolSight
from ipamd.core.model import Eip, EipStatus
from tests.deploy import manifests
from tests.deploy.test_claim_schema import SCHEMA as CLAIM
from tests.deploy.test_claim_schema import dropped

(VERSION,) = manifests.one("CustomResourceDefinition", "eippools.networking.tke.cloud.tencent.com")["spec"][
    "versions"
]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]["properties"]
NOW = 1_800_000_000.0
POOL = eippool.read(
    {
        "metadata": {"name": "web", "uid": "u", "resourceVersion": "1"},
        "spec": {"addressIDs": ["eip-aaaaaaaa"]},
    }
)
EIPS = {
    "eip-1": Eip(eip_id="eip-1", public_ip="198.18.0.1", status=EipStatus.BIND, instance_id="ins-1"),
    "eip-2": Eip(eip_id="eip-2", public_ip="198.18.0.2", status=EipStatus.UNBIND),
}
SIGHT = PoolSight(eips=EIPS, holders={"eip-2": "default/web-0"}, line=("default/web-1",))
WRITTEN = {
    "patch": status.patch(POOL, SIGHT, NOW),
    "begin_order": status.begin_order(POOL, 1, NOW),
    "order_accepted": status.order_accepted(POOL, "eip-1", "7"),
    "end_order": status.end_order(POOL, failed=True),
    "with_lists": status.with_lists(POOL, created=["eip-1"], releasing=["eip-1"]),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_nothing_that_is_written_is_dropped(written):
    assert list(dropped(WRITTEN[written], SCHEMA)) == []


def test_what_an_eip_is_created_by_is_what_a_claim_has():
    claims = CLAIM["properties"]["spec"]["properties"]["attributes"]
    rules = "x-kubernetes-validations"
    # What an EIP cannot become any more concerns one that is there, and not those that a pool will create.
    of_orders = [rule for rule in claims[rules] if "oldSelf" not in rule["rule"]]
    kept = {"description": SPEC["attributes"]["description"], rules: of_orders}
    assert SPEC["attributes"] == {**claims, **kept}


@pytest.mark.parametrize("schema", [SCHEMA, CLAIM], ids=["EIPPool", "EIPClaim"])
def test_selectors_are_limited_as_annotations_are(schema):
    selector = schema["properties"]["spec"]["properties"]["selector"]["properties"]
    assert selector["tags"]["maxProperties"] == eip_selector.MOST_TAGS
    assert {field: selector[field]["maxItems"] for field in eip_selector.MOST_ENTRIES} == dict(
        eip_selector.MOST_ENTRIES
    )


def test_numbers_and_states_are_those_of_the_code():
    assert SPEC["min"]["maximum"] == SPEC["max"]["maximum"] == SPEC["addressIDs"]["maxItems"] == MOST
    addresses = SCHEMA["properties"]["status"]["properties"]["addresses"]["items"]["properties"]
    assert addresses["state"]["enum"] == [state.value for state in PoolEipState]
    waiting = SCHEMA["properties"]["status"]["properties"]["waitingClaims"]
    assert waiting["maxItems"] == status.MOST_WAITING
