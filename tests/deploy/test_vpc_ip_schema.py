"""The schemas of VpcIPClaim and VpcIP: the API server drops what they do not name."""

import pytest

from ipamd.core.annotations.vpc_ip import MOST_SUBNETS, VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import ClaimPod, Phase
from ipamd.core.vpc_ip import status, vpcip, vpcipclaim
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.status import MOST_REFUSED
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder
from tests.deploy import manifests
from tests.deploy.test_claim_schema import Asked, dropped, known
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, BINDING, OWN_ENI, fixed_claim


def version(plural):
    crd = manifests.one("CustomResourceDefinition", f"{plural}.networking.tke.cloud.tencent.com")
    (found,) = crd["spec"]["versions"]
    return found


CLAIM, LINE = (version(name)["schema"]["openAPIV3Schema"] for name in ("vpcipclaims", "vpcips"))
NOW = 1_800_000_000.0
REQUEST = VpcIpRequest(
    delete_policy=VpcIpPolicy.NEVER,
    expire_after=600.0,
    nominated_ip="10.0.3.7",
    subnet_ids=("subnet-aaaaaaaa",),
    exclusive=True,
)
HAS = fixed_claim(address=ADDRESS)
NEW = vpcipclaim.new_object(pod_view(nodeName="n"), REQUEST)
WRITTEN = {
    "new": NEW,
    "serve": status.serve(HAS, ClaimPod(uid="u", node="n", last_seen=NOW)),
    "begin_order": status.begin_order(
        HAS, AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", ip="10.0.3.7", started=NOW)
    ),
    "end_order": status.end_order(HAS),
    "provisioned": status.provisioned(HAS, ADDRESS, VpcIpReason.RESERVED, "r", NOW),
    "provisioned_eni": status.provisioned(HAS, OWN_ENI, VpcIpReason.RESERVED, "r", NOW),
    "not_provisioned": status.not_provisioned(HAS, VpcIpReason.SUBNET_FULL, "full", NOW),
    "not_reserved": status.not_reserved(HAS, VpcIpReason.NOT_SUPPORTED, "no", NOW),
    "refuse_address": status.refuse_address(HAS, "taken", NOW),
    "assigning": status.assigning(HAS, BINDING, NOW),
    "assigned": status.assigned(HAS, BINDING, NOW),
    "assign_failed": status.assign_failed(HAS, VpcIpReason.ASSIGN_FAILED, "no", NOW),
    "address_in_use": status.address_in_use(HAS, "taken", NOW),
    "unassigned": status.unassigned(HAS, VpcIpReason.UNASSIGNED, "gone", NOW),
}
BOOK = {
    "new": vpcip.new_object(HAS, ADDRESS),
    "status": vpcip.status_patch(vpcip.read(vpcip.new_object(HAS, ADDRESS)), HAS),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_nothing_that_is_written_into_a_claim_is_dropped(written):
    assert list(dropped(WRITTEN[written], CLAIM)) == []


@pytest.mark.parametrize("written", BOOK)
def test_nothing_that_is_written_into_the_book_is_dropped(written):
    assert list(dropped(BOOK[written], LINE)) == []


def test_everything_that_is_read_can_be_there():
    asked: set[str] = set()
    whole = {"spec": NEW["spec"], "status": {}}
    for patch in (*WRITTEN.values(), WRITTEN["provisioned"]):
        changes = patch.get("status", {})
        whole["status"] |= {name: value for name, value in changes.items() if value is not None}

    vpcipclaim.read(
        {"metadata": {"name": "web-0"}}
        | {part: Asked(whole[part], f".{part}", asked) for part in ("spec", "status")}
    )

    assert {".spec.nominatedIP", ".status.address.reservationID", ".status.binding.eniID"} <= asked
    assert [path for path in sorted(asked) if not known(path, CLAIM)] == []


def test_words_and_numbers_are_those_of_the_code():
    spec, said = (CLAIM["properties"][part]["properties"] for part in ("spec", "status"))

    assert said["phase"]["enum"] == [phase.value for phase in Phase]
    assert spec["deletePolicy"]["enum"] == [policy.value for policy in VpcIpPolicy]
    assert spec["subnetIDs"]["maxItems"] == MOST_SUBNETS
    assert said["refusedIPs"]["maxItems"] == MOST_REFUSED


@pytest.mark.parametrize("schema", [CLAIM, LINE], ids=["VpcIPClaim", "VpcIP"])
def test_every_field_is_described(schema):
    def undescribed(part, path):
        for name, member in part.get("properties", {}).items():
            if not member.get("description"):
                yield f"{path}.{name}"
            yield from undescribed(member.get("items", member), f"{path}.{name}")

    for part in ("spec", "status"):
        assert list(undescribed(schema["properties"][part], f".{part}")) == []


@pytest.mark.parametrize(("plural", "schema"), [("vpcipclaims", CLAIM), ("vpcips", LINE)])
def test_columns_show_fields_that_there_are(plural, schema):
    for column in version(plural)["additionalPrinterColumns"]:
        path = column["jsonPath"].replace('[?(@.type=="Ready")]', "").replace('[?(@.type=="Reserved")]', "")
        assert path.startswith(".metadata.") or known(path, schema)
