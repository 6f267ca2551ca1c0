"""The schema of EIPClaim: the API server drops what it does not name, so it has to name all that we use."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ipamd.core.annotations import address_kinds, eip_attributes
from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.claim import change_status, eipclaim, status
from ipamd.core.claim.eip_change import SetBandwidth
from ipamd.core.claim.eipclaim import ClaimAddress, ClaimBinding, ClaimPod, Phase
from ipamd.core.claim.reason import Reason
from ipamd.core.model import EipOrder
from ipamd.core.timing import timestamps
from tests.deploy import manifests
from tests.testkit.pods import pod_view

(VERSION,) = manifests.one("CustomResourceDefinition", "eipclaims.networking.tke.cloud.tencent.com")["spec"][
    "versions"
]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
NOW = 1_800_000_000.0
REQUEST = EipRequest(
    order=EipOrder(
        charge_type="BANDWIDTH_PACKAGE",
        bandwidth_package_id="bwp-1",
        name="shop",
        address_type="HighQualityEIP",
        egress="center_egress2",
        tags=(("team", "web"),),
    ),
    delete_policy=DeletePolicy.NEVER,
)
BINDING = ClaimBinding(node="n", eni_id="eni-1", private_ip="10.0.1.4", pod_uid="u", sandbox="s")
ADDRESS = ClaimAddress(eip_id="eip-1", public_ip="198.18.0.2", owned=True)


def dropped(value, schema=SCHEMA, path="") -> Iterator[str]:
    """Yield the paths that the API server would drop."""
    if schema.get("type") == "array":
        for item in value:
            yield from dropped(item, schema["items"], f"{path}[]")
    elif isinstance(value, Mapping) and path != ".metadata":
        for name, member in value.items():
            if name not in schema.get("properties", {}):
                yield f"{path}.{name}"
            elif member is not None:
                yield from dropped(member, schema["properties"][name], f"{path}.{name}")


class Asked(Mapping[str, Any]):
    """An object that remembers what it was asked for, whether it has it or not."""

    def __init__(self, members, path, asked):
        self._members, self._path, self._asked = members, path, asked

    def __getitem__(self, name):
        path = f"{self._path}.{name}"
        self._asked.add(path)
        value = self._members[name]
        return Asked(value, path, self._asked) if isinstance(value, Mapping) else value

    def __iter__(self):
        return iter(self._members)

    def __len__(self):
        return len(self._members)


def known(path, schema=SCHEMA) -> bool:
    for name in path.strip(".").split("."):
        if name not in schema.get("properties", {}):
            return False
        schema = schema["properties"][name]
        schema = schema.get("items", schema)
    return True


def claim(**changes):
    return dataclasses.replace(eipclaim.read(eipclaim.new_object(pod_view(nodeName="n"), REQUEST)), **changes)


WRITTEN = {
    "new": lambda: eipclaim.new_object(pod_view(nodeName="n"), REQUEST),
    "serve": lambda: status.serve(claim(), ClaimPod(uid="u", node="n", last_seen=NOW)),
    "begin_attempt": lambda: status.begin_attempt(claim(), 1, NOW),
    "begin_attempt with the Pod": lambda: status.begin_attempt(claim(), 1, NOW, ClaimPod(uid="u", node="n")),
    "provisioned": lambda: status.provisioned(claim(), ADDRESS, Reason.ALLOCATED, NOW),
    "not_provisioned": lambda: status.not_provisioned(
        claim(), Reason.NO_MONEY, "no money", NOW, certain=True
    ),
    "binding_begun": lambda: status.binding_begun(claim(), BINDING, NOW),
    "bound": lambda: status.bound(claim(), BINDING, NOW),
    "unbound": lambda: status.unbound(claim(), Reason.UNBOUND, "gone", NOW),
    "change refused": lambda: change_status.refused(claim(), "no", NOW, for_good=True),
    "change begun": lambda: change_status.begun(claim(), SetBandwidth(mbps=5), NOW),
    "change finished": lambda: change_status.finished(claim(), "so", NOW),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_nothing_that_is_written_is_dropped(written):
    assert list(dropped(WRITTEN[written]())) == []


def test_everything_that_is_read_can_be_there():
    asked: set[str] = set()
    full = {
        "metadata": {"name": "web-0"},
        "spec": eipclaim.new_object(pod_view(nodeName="n"), REQUEST)["spec"],
        "status": {},
    }
    for write in WRITTEN.values():
        changes = write().get("status", {})
        full["status"] |= {name: value for name, value in changes.items() if value is not None}
    obj = {"metadata": full["metadata"]} | {
        part: Asked(full[part], f".{part}", asked) for part in ("spec", "status")
    }

    eipclaim.read(obj)

    assert {".spec.deletePolicy", ".status.address.owned", ".status.binding.sandbox"} <= asked
    assert [path for path in sorted(asked) if not known(path)] == []


def test_phases_and_policies_are_those_of_the_code():
    properties = SCHEMA["properties"]

    assert properties["status"]["properties"]["phase"]["enum"] == [phase.value for phase in Phase]
    assert properties["spec"]["properties"]["deletePolicy"]["enum"] == [
        policy.value for policy in DeletePolicy
    ]


def test_attributes_are_limited_as_annotations_are():
    attributes = SCHEMA["properties"]["spec"]["properties"]["attributes"]["properties"]

    assert attributes["isp"]["enum"] == list(eip_attributes.ISPS)
    assert set(attributes["chargeType"]["enum"]) == set(eip_attributes.CHARGE_TYPES)
    assert attributes["bandwidthMbps"]["maximum"] == max(eip_attributes.MOST_MBPS.values())
    assert attributes["addressType"]["enum"] == list(address_kinds.TYPES)
    assert attributes["anycastZone"]["enum"] == list(address_kinds.ANYCAST_ZONES)
    assert attributes["egress"]["enum"] == list(address_kinds.EGRESSES)
    assert attributes["name"]["maxLength"] == address_kinds.LONGEST_NAME
    assert attributes["tags"]["maxItems"] == address_kinds.MOST_TAGS
    default = eip_attributes.order_of("")
    assert [attributes[name]["default"] for name in ("bandwidthMbps", "isp", "chargeType")] == [
        default.bandwidth_mbps,
        default.isp,
        default.charge_type,
    ]


def test_times_are_written_in_the_format_that_the_schema_asks_for():
    assert timestamps.to_text(NOW).endswith("Z")


def test_every_field_is_described():
    def undescribed(schema, path):
        for name, member in schema.get("properties", {}).items():
            if not member.get("description") and path:
                yield f"{path}.{name}"
            yield from undescribed(member.get("items", member), f"{path}.{name}")

    for part in ("spec", "status"):
        assert list(undescribed(SCHEMA["properties"][part], f".{part}")) == []


def test_kubectl_get_shows_what_people_look_for():
    columns = [c["name"] for c in VERSION["additionalPrinterColumns"] if not c.get("priority")]

    assert columns == ["EIP", "PUBLIC-IP", "PHASE", "READY", "REASON", "NODE", "POLICY", "AGE"]
    for column in VERSION["additionalPrinterColumns"]:
        assert column["jsonPath"].startswith(".metadata.") or known(
            column["jsonPath"].replace('[?(@.type=="Ready")]', "")
        )
