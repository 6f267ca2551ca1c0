"""Whatever a runtime sends, parsing ends in a request or in a CniError that can be printed."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ipamd.core.cni import requests
from ipamd.core.cni.errors import SUPPORTED_VERSIONS, CniError

PARSERS = st.sampled_from(
    [requests.parse_add, requests.parse_del, requests.parse_check, requests.parse_gc, requests.parse_status]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {"cniVersion": st.sampled_from(SUPPORTED_VERSIONS) | JSON, "name": st.just("tke-eni") | JSON},
    optional={
        "prevResult": st.fixed_dictionaries({}, optional={"ips": JSON, "interfaces": JSON}) | JSON,
        "cni.dev/valid-attachments": st.lists(
            st.fixed_dictionaries({"containerID": JSON, "ifname": JSON}), max_size=3
        )
        | JSON,
        "type": JSON,
    },
)
VARIABLES = st.lists(
    st.binary(max_size=40)
    | st.tuples(
        st.sampled_from(
            [b"CNI_COMMAND", b"CNI_CONTAINERID", b"CNI_NETNS", b"CNI_IFNAME", b"CNI_ARGS", b"CNI_X"]
        ),
        st.binary(max_size=60)
        | st.sampled_from([b"ADD", b"abc", b"/run/netns/x", b"eth0", b"K8S_POD_NAME=a"]),
    ).map(b"=".join),
    max_size=12,
)


def check(parse, environment, stdin):
    refusal = None
    try:
        parse(environment, stdin)
    except CniError as e:
        refusal = e.encoded()
    assert refusal is None or set(json.loads(refusal)) >= {"cniVersion", "code", "msg"}


@settings(deadline=None)  # other tests share the CPU
@given(PARSERS, VARIABLES, st.binary())
def test_any_bytes_on_stdin(parse, environment, stdin):
    check(parse, environment, stdin)


@settings(deadline=None)  # other tests share the CPU
@given(PARSERS, VARIABLES, FIELDS)
def test_any_json_in_the_fields_that_are_read(parse, environment, fields):
    check(parse, environment, json.dumps(fields).encode())
