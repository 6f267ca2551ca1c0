"""Where the API of each product is: public, internal, or one address for all.

A CVM without a way to the internet reaches the API by the internal domain, which every VPC resolves. A single
address serves a proxy, a private cloud, or a simulated region.
"""

import re
import urllib.parse
from dataclasses import dataclass

from ipamd.core import errors

PUBLIC_DOMAIN = "tencentcloudapi.com"
INTERNAL_DOMAIN = "internal.tencentcloudapi.com"

_PORTS = {"http": 80, "https": 443}
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """How a product's name becomes a host; immutable."""

    scheme: str = "https"
    domain: str = PUBLIC_DOMAIN
    """Products are hosts below it: `vpc.<domain>`. Unused when `address` is set."""
    address: str = ""
    """`host:port` of one endpoint for all products."""

    def host(self, product: str) -> str:
        """Return the host, with its port if any, that answers for `product` (vpc, cvm)."""
        return self.address or f"{product}.{self.domain}"

    def place(self, product: str) -> str:
        """Return host:port that answers for `product`, for people."""
        host = self.host(product)
        named = urllib.parse.urlsplit(f"//{host}").port
        return host if named else f"{host}:{_PORTS[self.scheme]}"


def parse(text: str) -> Endpoints:
    """Return what a configured endpoint means.

    Empty is the public domain, `internal` the internal one; else a root domain, or `http(s)://host[:port]`.
    """
    text = text.strip()
    if not text:
        return Endpoints()
    if text == "internal":
        return Endpoints(domain=INTERNAL_DOMAIN)
    if _DOMAIN.fullmatch(text):
        return Endpoints(domain=text)
    try:
        url = urllib.parse.urlsplit(text)
        well_formed = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        well_formed = False
    if not well_formed or url.path.strip("/") or url.query or url.fragment or "@" in url.netloc:
        raise errors.InvalidInputError(
            f"cloud endpoint {text!r} is not understood",
            advice="give nothing, 'internal', a root domain such as tencentcloudapi.com, or http(s)://host:port",
        )
    return Endpoints(scheme=url.scheme, address=url.netloc)
