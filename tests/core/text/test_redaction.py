"""What leaves the node in a bundle has no secrets in it, whatever they stand in."""

import pytest

from ipamd.core.text.redaction import MARK, redacted

KEY = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"Credential={KEY}/2026-01-01/vpc/tc3_request", KEY),
        ('{"TmpSecretKey": "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"}', "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"),
        ("TmpSecretId=abc-def ghi", "abc-def"),
        ("X-TC-Token: 8f3a/bc+d==", "8f3a/bc+d=="),
        ("'token': 'with, comma'", "with, comma"),
        ("Authorization: TC3-HMAC-SHA256 Credential=x, Signature=0123abc", "0123abc"),
        (f"authorization: Bearer {JWT}", JWT),
        (f"get with {JWT} failed", JWT),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("client-key-data: LS0tLS1CRUdJTg==", "LS0tLS1CRUdJTg=="),
        ("password = hunter2000", "hunter2000"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text, secret):
    assert secret not in redacted(text)
    assert MARK in redacted(text)


def test_what_is_known_is_taken_out_wherever_it_is():
    assert redacted("a=plain-secret;plain-secret", ["plain-secret"]) == f"a={MARK};{MARK}"


def test_the_longer_of_two_known_secrets_goes_first():
    assert redacted("abcdef-tail", ["abcdef", "abcdef-tail"]) == MARK


def test_everything_else_stays():
    text = (
        "EIP eip-5xl37vfs (198.18.0.7) is bound to 10.0.1.4 on eni-8wmxd18v, took 0.7 s; RequestId 61fbfdff"
    )
    assert redacted(text, ["", "ab"]) == text
