"""What a Pod asks for with all its EIP annotations together."""

import pytest

from ipamd.core.annotations.eip import DeletePolicy, request_of, wants_eip
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.annotation_names import (
    DELETE_POLICY,
    EIP_ATTRIBUTES,
    EIP_ID_LIST,
    EXPIRED_DURATION,
)
from tests.testkit.pods import pod_view


def refusal(annotations):
    with pytest.raises(InvalidInputError) as raised:
        request_of(pod_view(annotations))
    return str(raised.value)


def test_only_never_keeps_the_eip():
    assert request_of(pod_view({DELETE_POLICY: "Never"})).delete_policy is DeletePolicy.NEVER
    assert request_of(pod_view({DELETE_POLICY: ""})).delete_policy is DeletePolicy.DELETE
    message = refusal({DELETE_POLICY: "never"})
    assert DELETE_POLICY in message
    assert '"never"' in message
    assert "Never" in message


def test_a_list_of_eips_wins_over_attributes():
    request = request_of(pod_view({EIP_ID_LIST: "eip-1a2b3c4d, eip-5e6f7g8h", EIP_ATTRIBUTES: "nonsense"}))

    assert request.address_ids == ("eip-1a2b3c4d", "eip-5e6f7g8h")
    assert request.order is None


@pytest.mark.parametrize("around", ["{}\n", " {}", "\t{} \r\n"])
@pytest.mark.parametrize("omitted", [EIP_ATTRIBUTES, EIP_ID_LIST])
def test_white_space_around_a_value_means_nothing(around, omitted):
    plain = {
        EIP_ATTRIBUTES: '{"Bandwidth":5}',
        EIP_ID_LIST: "eip-1a2b3c4d,eip-5e6f7g8h",
        DELETE_POLICY: "Never",
        EXPIRED_DURATION: "24h",
    }
    del plain[omitted]
    padded = {key: around.format(value) for key, value in plain.items()}

    assert request_of(pod_view(padded)) == request_of(pod_view(plain))


@pytest.mark.parametrize("annotation", [EIP_ATTRIBUTES, DELETE_POLICY, EXPIRED_DURATION])
def test_white_space_alone_is_an_empty_value(annotation):
    assert request_of(pod_view({annotation: " \n"})) == request_of(pod_view({annotation: ""}))


def test_an_empty_list_is_never_answered_with_a_new_eip():
    message = refusal({EIP_ID_LIST: " ", EIP_ATTRIBUTES: "{}"})

    assert EIP_ID_LIST in message
    assert "default/web-0" in message
    assert "empty" in message


@pytest.mark.parametrize(("text", "seconds"), [("5m", 300), ("1h", 3600), ("720h", 2592000), ("5m0.4s", 300)])
def test_how_long_a_claim_outlives_its_pod_is_said_as_go_does(text, seconds):
    assert request_of(pod_view({EXPIRED_DURATION: text})).expire_after == seconds


@pytest.mark.parametrize("text", ["4m59s", "0", "1d", "soon", "-5m", "900000h", "5"])
def test_a_wrong_expiry_is_named_with_what_is_allowed(text):
    message = refusal({DELETE_POLICY: "Never", EXPIRED_DURATION: text})

    assert EXPIRED_DURATION in message
    assert text in message
    assert "5m" in message
    assert "create the Pod again" in message


def test_a_claim_says_nothing_of_its_expiry_unless_it_is_asked_for():
    assert request_of(pod_view({DELETE_POLICY: "Never", EXPIRED_DURATION: ""})).expire_after is None


@pytest.mark.parametrize(
    ("asking", "wants"),
    [
        (pod_view({EIP_ATTRIBUTES: ""}), True),
        (pod_view({EIP_ID_LIST: "eip-1"}), True),
        (pod_view(resource="1"), True),
        (pod_view(resource="0"), False),
        (pod_view(), False),
        (pod_view({DELETE_POLICY: "Never"}), False),
        (pod_view({"other.io/eip-attributes": "{}"}), False),
        (pod_view({EIP_ATTRIBUTES: "{}"}, resource="1", hostNetwork=True), False),
    ],
)
def test_which_pods_want_an_eip(asking, wants):
    assert wants_eip(asking) is wants


def test_a_trimmed_pod_wants_what_the_whole_one_wanted():
    whole = {
        "metadata": {
            "namespace": "a",
            "name": "b",
            "uid": "c",
            "annotations": {EIP_ATTRIBUTES: "{}", "x": "y"},
        },
        "spec": {
            "nodeName": "n",
            "initContainers": [{"resources": {"limits": {"tke.cloud.tencent.com/eip": "1"}}}],
            "containers": [{"name": "main"}],
        },
        "status": {"phase": "Running"},
    }

    assert pods.view(pods.trim(whole)) == pods.view(whole)
    assert pods.view(whole).requests_eip
