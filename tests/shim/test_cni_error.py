"""Error objects are valid JSON whatever went into them, in a version that the runtime understands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_plugin import cnierror


@given(st.text(max_size=300), st.text(max_size=300), st.binary(max_size=200))
def test_any_text_and_any_configuration_give_a_valid_object(message, details, config):
    error = cnierror.PluginError(11, message, details)

    decoded = json.loads(cnierror.error_object(error, config))

    assert decoded == {"cniVersion": "1.0.0", "code": 11, "msg": message, "details": details}


def test_lone_surrogates_are_replaced():
    error = cnierror.PluginError(4, "a\udcffb", "")

    assert json.loads(cnierror.error_object(error, b""))["msg"] == "a?b"


@pytest.mark.parametrize(
    ("config", "version"),
    [
        (b'{"cniVersion": "0.3.1"}', "0.3.1"),
        (b'{"cniVersion":"1.1.0","prevResult":{"cniVersion":"0.4.0"}}', "1.1.0"),
        (b'{"name": "x",\n\t"cniVersion"\r\n:\t"0.4.0"', "0.4.0"),
        (b'{"type": "cniVersion", "cniVersion": "1.1.0"}', "1.1.0"),
        (b'{"note": "\\"cniVersion\\": \\"9.9.9\\"", "cniVersion": "0.4.0"}', "0.4.0"),
        (b'{"cniVersion": 1}', "1.0.0"),
        (b'{"cniVersion": ""}', "1.0.0"),
        (b'{"cniVersion": "1.0"}', "1.0.0"),
        (b'{"cniVersion": "1.0.0-rc1"}', "1.0.0"),
        (b'{"cniVersion": "1.0.\\u0030"}', "1.0.0"),
        (b'{"cniVersion": "1.\xd9\xa1.0"}', "1.0.0"),
        (b'{"cniVersion": "1234.0.0"}', "1.0.0"),
        (b'{"cniVersion": "0.3.1', "1.0.0"),
        (b'{"cniVersion": x"0.3.1"}', "1.0.0"),
        (b'"cniVersion"', "1.0.0"),
        (b"not JSON", "1.0.0"),
        (b"", "1.0.0"),
    ],
)
def test_the_version_is_found_or_safely_assumed(config, version):
    assert cnierror.requested_version(config) == version


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_bytes_around_the_key_never_leave_the_version_malformed(before, after):
    version = cnierror.requested_version(before + b'"cniVersion":"' + after)

    assert [number.isdecimal() for number in version.split(".")] == [True] * 3
