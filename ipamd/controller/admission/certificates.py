"""The webhook's own certificate authority and serving certificate, and when each is made anew.

All replicas serve with what stands in one Secret. The API server trusts the authorities of `ca.crt`: the
present one and, for as long as it is valid, the one before, so that a replica that still serves with an older
certificate is believed. The authority lives ten years; in practice only the serving certificate changes.
Pure but for the random keys; `now` is an argument.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITIES = "ca.crt"
AUTHORITY_KEY = "ca.key"
CERTIFICATE = "tls.crt"
KEY = "tls.key"

AUTHORITY_LIFE = dt.timedelta(days=3650)
CERTIFICATE_LIFE = dt.timedelta(days=365)
_RENEW_CERTIFICATE = CERTIFICATE_LIFE / 3
"""With less than this left it is made anew: four months of failures would have to pass unseen."""
_RENEW_AUTHORITY = 2 * CERTIFICATE_LIFE
"""Longer than a serving certificate lives, so that none outlives its authority."""
_SKEW = dt.timedelta(hours=1)
"""How far the API server's clock may be behind."""
_MOST_AUTHORITIES = 3


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keyring:
    """What stands in the Secret, decoded. Invariant: the first authority has signed the certificate."""

    authorities: tuple[x509.Certificate, ...]
    authority_key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def ca_bundle(self) -> bytes:
        """What the API server is to trust, as PEM."""
        return b"".join(map(_pem, self.authorities))

    @property
    def expires(self) -> dt.datetime:
        """When the serving certificate ends."""
        return self.certificate.not_valid_after_utc

    def __repr__(self) -> str:
        return f"Keyring(serial={self.certificate.serial_number:x}, expires={self.expires})"

    def data(self) -> dict[str, bytes]:
        """Return the data of the Secret."""
        return {
            AUTHORITIES: self.ca_bundle,
            AUTHORITY_KEY: _key_pem(self.authority_key),
            CERTIFICATE: _pem(self.certificate),
            KEY: _key_pem(self.key),
        }


def read(data: Mapping[str, bytes]) -> Keyring | None:
    """Return what the Secret holds; None when it holds nothing usable, for whatever reason."""
    try:
        authorities = x509.load_pem_x509_certificates(data[AUTHORITIES])
        certificate = x509.load_pem_x509_certificate(data[CERTIFICATE])
        authority_key, key = (_private_key(data[name]) for name in (AUTHORITY_KEY, KEY))
        certificate.verify_directly_issued_by(authorities[0])
    except (KeyError, ValueError, TypeError, InvalidSignature):
        return None
    belongs = authorities[0].public_key() == authority_key.public_key()
    if not belongs or certificate.public_key() != key.public_key():
        return None
    return Keyring(
        authorities=tuple(authorities), authority_key=authority_key, certificate=certificate, key=key
    )


def renewed(keyring: Keyring | None, names: Sequence[str], now: dt.datetime) -> Keyring:
    """Return a keyring that is good for `names` and for long; the same one when it is that already."""
    if keyring is None:
        return _new(names, now)
    if keyring.authorities[0].not_valid_after_utc - now < _RENEW_AUTHORITY:
        fresh = _new(names, now)
        valid = [old for old in keyring.authorities if old.not_valid_after_utc > now]
        return Keyring(
            authorities=(*fresh.authorities, *valid)[:_MOST_AUTHORITIES],
            authority_key=fresh.authority_key,
            certificate=fresh.certificate,
            key=fresh.key,
        )
    if keyring.expires - now >= _RENEW_CERTIFICATE and _names(keyring.certificate) == list(names):
        return keyring
    certificate, key = _serving(keyring.authorities[0], keyring.authority_key, names, now)
    return Keyring(
        authorities=keyring.authorities,
        authority_key=keyring.authority_key,
        certificate=certificate,
        key=key,
    )


def _new(names: Sequence[str], now: dt.datetime) -> Keyring:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("tke-eni admission")
    authority = (
        _builder(subject, subject, key, now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, serving_key = _serving(authority, key, names, now)
    return Keyring(authorities=(authority,), authority_key=key, certificate=certificate, key=serving_key)


def _serving(
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    now: dt.datetime,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    certificate = (
        _builder(_name("tke-eni-ipamd"), authority.subject, key, now, CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .add_extension(alternatives, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return certificate, key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return extension.value.get_values_for_type(x509.DNSName)


def _private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("not a key of an elliptic curve")
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
