"""Rules for names and keys, with the server's own messages, and names made from a prefix.

Pure. Source: `apimachinery/pkg/api/validation` and "Object Names and IDs" in the Kubernetes documentation.
"""

import re
import secrets
from collections.abc import Callable

NameRule = Callable[[str], list[str]]

_LABEL_FORMAT = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_FORMAT = rf"{_LABEL_FORMAT}(\.{_LABEL_FORMAT})*"
_LABEL = re.compile(_LABEL_FORMAT)
_SUBDOMAIN = re.compile(_SUBDOMAIN_FORMAT)
_QUALIFIED_FORMAT = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_QUALIFIED = re.compile(_QUALIFIED_FORMAT)
# Vowels and look-alikes are left out, so that no word appears by chance.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_GENERATED_LIMIT = 63


def _pattern_message(sentence: str, pattern: str, *examples: str) -> str:
    listing = " or ".join(f"'{example}', " for example in examples)
    return f"{sentence} (e.g. {listing}regex used for validation is '{pattern}')"


def dns_label(name: str) -> list[str]:
    """RFC 1123 label, for example a namespace."""
    errors = ["must be no more than 63 bytes"] if len(name) > 63 else []
    if not _LABEL.fullmatch(name):
        sentence = (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character"
        )
        dotted = bool(_SUBDOMAIN.fullmatch(name))
        message = _pattern_message(sentence, _LABEL_FORMAT, "my-name", "123-abc")
        errors.append("must not contain dots" if dotted else message)
    return errors


def dns_subdomain(name: str) -> list[str]:
    """RFC 1123 subdomain, for example a Pod or a custom resource."""
    errors = ["must be no more than 253 bytes"] if len(name) > 253 else []
    if not _SUBDOMAIN.fullmatch(name):
        sentence = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
            "and must start and end with an alphanumeric character"
        )
        errors.append(_pattern_message(sentence, _SUBDOMAIN_FORMAT, "example.com"))
    return errors


def qualified_name(name: str) -> list[str]:
    """Key of a label or annotation, or a finalizer: an optional DNS prefix, `/`, and a name."""
    prefix, slash, last = name.rpartition("/")
    if "/" in prefix:
        form = "a valid label key must consist of alphanumeric characters, '-', '_' or '.', "
        sentence = form + "and must start and end with an alphanumeric character"
        message = _pattern_message(sentence, _QUALIFIED_FORMAT, "MyName", "my.name", "123-abc")
        return [message + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    errors: list[str] = []
    if slash:
        errors += [
            "prefix part " + text for text in (dns_subdomain(prefix) if prefix else ["must be non-empty"])
        ]
    if not last:
        errors.append("name part must be non-empty")
    if len(last) > 63:
        errors.append("name part must be no more than 63 bytes")
    if not _QUALIFIED.fullmatch(last):
        sentence = (
            "name part must consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character"
        )
        errors.append(_pattern_message(sentence, _QUALIFIED_FORMAT, "MyName", "my.name", "123-abc"))
    return errors


def label_value(value: str) -> list[str]:
    """Value of a label."""
    errors = ["must be no more than 63 bytes"] if len(value) > 63 else []
    if value and not _QUALIFIED.fullmatch(value):
        sentence = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
            "and must start and end with an alphanumeric character"
        )
        pattern = f"({_QUALIFIED_FORMAT})?"
        errors.append(_pattern_message(sentence, pattern, "MyValue", "my_value", "12345"))
    return errors


def generated(base: str) -> str:
    """Make a name from metadata.generateName: a cut base and five random characters."""
    suffix = "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(_SUFFIX_LENGTH))
    return base[: _GENERATED_LIMIT - _SUFFIX_LENGTH] + suffix
