"""Takes secrets out of text that goes to other people: known ones, and what looks like one. Pure."""

import re
from collections.abc import Iterable

MARK = "[redacted]"
_SHORTEST = 6
"""Characters; a shorter known value would be found in innocent words."""

_LOOKS_SECRET = (
    # Ids of keys of Tencent Cloud; they begin so.
    re.compile(r"AKID[A-Za-z0-9_\-]{8,}"),
    # JSON Web Tokens, as Kubernetes gives to service accounts.
    re.compile(r"eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
)
_NAMED_SECRET = re.compile(
    r"""(?ix)
    ( ["']? [\w\-]* (?: secret_?id | secret_?key | password | token | client-key-data ) ["']? \s* [:=] \s* )
    ( "[^"\n]*" | '[^'\n]*' | [^\s,;}"']+ )"""
)
_AUTHORIZATION = re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)[^\n\"']+")
_BEARER = re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._\-]+")


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """Return the text without the known secrets, and without what has the form or the name of one."""
    for secret in sorted({value for value in known if len(value) >= _SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, MARK)
    for pattern in _LOOKS_SECRET:
        text = pattern.sub(MARK, text)
    for pattern in (_AUTHORIZATION, _BEARER):
        text = pattern.sub(rf"\g<1>{MARK}", text)
    return _NAMED_SECRET.sub(rf"\g<1>{MARK}", text)
