"""Which keys of annotations are taken for slips of the pen."""

import pytest

from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.annotation_names import (
    DELETE_POLICY,
    EIP_ATTRIBUTES,
    EIP_ID,
    EIP_ID_LIST,
    EIP_PUBLIC_IP,
    EXPIRED_DURATION,
    NETWORKS,
    PREFIX,
    WISHES,
    meant,
)


@pytest.mark.parametrize(
    ("key", "wish"),
    [
        (PREFIX + "eip-attribute", EIP_ATTRIBUTES),
        (PREFIX + "eip-atributes", EIP_ATTRIBUTES),
        (PREFIX + "eip-attributess", EIP_ATTRIBUTES),
        (PREFIX + "EIP-Attributes", EIP_ATTRIBUTES),
        (PREFIX + "eip-idlist", EIP_ID_LIST),
        (PREFIX + "eip-ids-list", EIP_ID_LIST),
        (PREFIX + "eip-claim-deletepolicy", DELETE_POLICY),
        (PREFIX + "claim-expire-duration", EXPIRED_DURATION),
        ("eks." + EIP_ATTRIBUTES, EIP_ATTRIBUTES),
        ("cloud.tencent.com/eip-id-list", EIP_ID_LIST),
        ("eip-attributes", EIP_ATTRIBUTES),
    ],
)
def test_a_slip_is_known_for_what_was_meant(key, wish):
    assert meant(key) == wish


@pytest.mark.parametrize(
    "key",
    [
        *WISHES,
        EIP_ID,
        EIP_PUBLIC_IP,
        NETWORKS,
        PREFIX + "vpc-ip-claim-delete-policy",
        PREFIX + "enable-static-ip",
        "other.io/eip-attribute",
        "eip",
        "",
    ],
)
def test_other_annotations_are_none(key):
    assert meant(key) == ""


def test_a_cache_keeps_what_was_meant_otherwise():
    slip, foreign = PREFIX + "eip-attribute", "eks." + EIP_ATTRIBUTES
    annotations = {slip: "{}", foreign: "long " * 100, "other.io/x": "y"}
    whole = {"metadata": {"namespace": "a", "name": "b", "uid": "c", "annotations": annotations}}

    trimmed = pods.trim(whole)

    assert trimmed["metadata"]["annotations"] == {slip: "{}", foreign: ""}
    assert pods.view(trimmed) == pods.view(whole)
    assert pods.view(whole).strays == (slip, foreign)
