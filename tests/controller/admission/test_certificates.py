"""The webhook's certificates over the years: what verifies, and what is made anew when."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ipamd.controller.admission.certificates import (
    AUTHORITY_LIFE,
    CERTIFICATE_LIFE,
    Keyring,
    read,
    renewed,
)

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
NAMES = ["tke-eni-admission.kube-system.svc", "tke-eni-admission.kube-system.svc.cluster.local"]
DAY = dt.timedelta(days=1)


def trusts(bundle: bytes, certificate: x509.Certificate, at: dt.datetime, name: str = NAMES[0]) -> bool:
    """What the API server decides: does the certificate of `name` lead to an authority of the bundle."""
    store = Store(x509.load_pem_x509_certificates(bundle))
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(certificate, [])
    except VerificationError:
        return False
    return True


def made(at=NOW) -> Keyring:
    return renewed(None, NAMES, at)


@pytest.mark.parametrize("name", NAMES)
def test_a_new_certificate_is_trusted_for_the_services_names(name):
    keyring = made()
    assert trusts(keyring.ca_bundle, keyring.certificate, NOW, name)
    assert not trusts(keyring.ca_bundle, keyring.certificate, NOW, "another.kube-system.svc")


def test_a_clock_that_is_behind_is_borne():
    keyring = made()
    assert trusts(keyring.ca_bundle, keyring.certificate, NOW - dt.timedelta(minutes=30))


def test_a_certificate_that_is_good_for_long_is_kept():
    keyring = made()
    assert renewed(keyring, NAMES, NOW + 200 * DAY) is keyring


def test_a_certificate_is_replaced_months_before_it_ends_and_the_authority_stays():
    keyring = made()

    fresh = renewed(keyring, NAMES, NOW + 250 * DAY)

    assert fresh.certificate != keyring.certificate
    assert fresh.ca_bundle == keyring.ca_bundle
    assert trusts(keyring.ca_bundle, fresh.certificate, NOW + 500 * DAY)


def test_other_names_need_another_certificate():
    fresh = renewed(made(), ["tke-eni-admission.other.svc"], NOW)
    assert trusts(fresh.ca_bundle, fresh.certificate, NOW, "tke-eni-admission.other.svc")


def test_a_certificate_never_outlives_its_authority():
    keyring = made()
    at = NOW
    while at < NOW + 2 * AUTHORITY_LIFE:
        at += 30 * DAY
        keyring = renewed(keyring, NAMES, at)
        assert keyring.authorities[0].not_valid_after_utc >= keyring.expires
        assert keyring.expires - at > CERTIFICATE_LIFE / 4


def test_while_the_authority_changes_old_and_new_certificates_are_trusted():
    old = made()
    at = NOW + AUTHORITY_LIFE - 2 * CERTIFICATE_LIFE + DAY
    last = renewed(old, NAMES, at - 2 * DAY)

    fresh = renewed(last, NAMES, at)

    assert len(fresh.authorities) == 2
    assert trusts(fresh.ca_bundle, last.certificate, at)
    assert trusts(fresh.ca_bundle, fresh.certificate, at)
    assert not trusts(last.ca_bundle, fresh.certificate, at)


def test_of_two_authorities_the_new_one_signs():
    at = NOW + AUTHORITY_LIFE - 2 * CERTIFICATE_LIFE + DAY
    both = renewed(made(), NAMES, at)
    assert len(both.authorities) == 2
    new, old = (
        Keyring(
            authorities=(one,), authority_key=both.authority_key, certificate=both.certificate, key=both.key
        )
        for one in both.authorities
    )

    fresh = renewed(both, ["tke-eni-admission.other.svc"], at)

    assert fresh.authorities == both.authorities
    assert trusts(new.ca_bundle, fresh.certificate, at, "tke-eni-admission.other.svc")
    assert not trusts(old.ca_bundle, fresh.certificate, at, "tke-eni-admission.other.svc")


def test_an_authority_that_has_ended_is_dropped():
    fresh = renewed(made(), NAMES, NOW + AUTHORITY_LIFE + DAY)
    assert len(fresh.authorities) == 1


def test_what_was_stored_is_read_back():
    keyring = made()
    assert read(keyring.data()) == keyring or read(keyring.data()).data() == keyring.data()


@pytest.mark.parametrize("name", ["ca.crt", "ca.key", "tls.crt", "tls.key"])
@pytest.mark.parametrize("damage", [None, b"", b"nonsense", "another"])
def test_a_damaged_secret_is_as_good_as_none(name, damage):
    data = made().data()
    if damage is None:
        del data[name]
    else:
        data[name] = made().data()[name] if damage == "another" else damage
    assert read(data) is None


def test_no_secret_is_shown():
    keyring = made()
    key = keyring.data()["tls.key"].decode().splitlines()[1]
    assert "PRIVATE" not in repr(keyring)
    assert key not in repr(keyring)


def critical(certificate: x509.Certificate) -> set[str]:
    """What a verifier has to understand, or to refuse the certificate."""
    return {type(extension.value).__name__ for extension in certificate.extensions if extension.critical}


def uses(certificate: x509.Certificate) -> set[str]:
    """What the key may be used for."""
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
    )
    return {name for name in names if getattr(usage, name)}


def test_the_authority_signs_certificates_of_servers_and_no_further_authority():
    (authority,) = made().authorities
    limits = authority.extensions.get_extension_for_class(x509.BasicConstraints).value

    assert (limits.ca, limits.path_length) == (True, 0)
    assert uses(authority) == {"key_cert_sign", "crl_sign"}
    assert critical(authority) == {"BasicConstraints", "KeyUsage"}


def test_the_certificate_serves_and_signs_nothing():
    certificate = made().certificate
    limits = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert not limits.ca
    assert uses(certificate) == {"digital_signature"}
    assert [purpose.dotted_string for purpose in purposes] == ["1.3.6.1.5.5.7.3.1"], "of a TLS server"
    assert critical(certificate) == {"BasicConstraints", "KeyUsage"}
