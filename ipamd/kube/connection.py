"""What is needed to reach one API server: where it is, whom we trust, and who we are to it."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit


def _nobody() -> str:
    return ""


def _indifferent() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach one API server. Immutable; its functions may be called from any thread."""

    server: str
    """Base URL without a slash at its end."""
    authorization: Callable[[], str] = _nobody
    """Gives the value of the Authorization header, empty for none; asked before each request."""
    refused: Callable[[], None] = _indifferent
    """Takes note that the server did not accept it (401)."""
    impersonation: tuple[tuple[str, str], ...] = ()
    """Headers that say on whose behalf we act ("User impersonation" of the Kubernetes documentation)."""
    ca_file: str = ""
    """Empty: the system's certificate authorities."""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True
    tls_server_name: str = ""
    proxy: str = ""
    """URL without credentials."""
    proxy_authorization: str = ""
    kept: tuple[object, ...] = ()
    """What has to live as long as the connection: files in memory."""


def fault_of_url(url: str, *, path: bool = True) -> str:
    """Return what makes this no base URL of an API server or proxy; empty if nothing does.

    Credentials that it may hold are not repeated.
    """
    if any(c <= " " or c > "~" for c in url):
        return "has a blank, a line feed or another character that no URL has"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "has no valid host and port"
    if parts.scheme not in ("http", "https") or not host:
        return "does not begin with http:// or https:// and a host"
    if parts.query or parts.fragment or (not path and parts.path.strip("/")):
        return "has more than scheme, host and port" if not path else "has a query or a fragment"
    return ""
