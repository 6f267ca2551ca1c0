"""What a configured endpoint means for the host of each product."""

import pytest

from ipamd.cloud import endpoints
from ipamd.core.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "scheme", "host"),
    [
        ("", "https", "vpc.tencentcloudapi.com"),
        ("internal", "https", "vpc.internal.tencentcloudapi.com"),
        ("tencentcloudapi.example.cn", "https", "vpc.tencentcloudapi.example.cn"),
        ("http://169.254.0.95:80", "http", "169.254.0.95:80"),
        ("https://api.example.cn/", "https", "api.example.cn"),
        ("  http://127.0.0.1:8080  ", "http", "127.0.0.1:8080"),
    ],
)
def test_a_product_is_a_host_below_a_domain_or_the_one_address(text, scheme, host):
    parsed = endpoints.parse(text)
    assert (parsed.scheme, parsed.host("vpc")) == (scheme, host)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "vpc.tencentcloudapi.com:443"),
        ("http://api.example.cn", "api.example.cn:80"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
    ],
)
def test_where_a_product_is_asked_has_its_port(text, place):
    assert endpoints.parse(text).place("vpc") == place


@pytest.mark.parametrize(
    "text",
    [
        "ftp://x.cn",
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://host/path",
        "http://u:p@host",
        "localhost",
        "a b.c",
        "https://x.cn?q=1",
    ],
)
def test_what_is_no_endpoint_is_refused_with_what_is_allowed(text):
    with pytest.raises(InvalidInputError, match="is not understood") as caught:
        endpoints.parse(text)
    assert "http(s)://host:port" in caught.value.advice
