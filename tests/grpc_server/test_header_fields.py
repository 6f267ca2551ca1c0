"""Header fields, by an example of RFC 7541 and beside the plugin's decoder, which is another program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_plugin import hpack as plugin_hpack
from ipamd.grpc_server import header_fields


def decoded(decoder, *blocks):
    return [decoder.decode(bytes.fromhex(block)) for block in blocks]


def test_requests_of_appendix_c_3():
    assert decoded(
        header_fields.HeaderDecoder(),
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
    )[1] == [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"www.example.com"),
        (b"cache-control", b"no-cache"),
    ]


STRINGS = st.binary(max_size=30).map(lambda text: bytes((len(text),)) + text)
FIELDS = st.one_of(
    st.integers(0, 70).map(lambda index: bytes((0x80 | index,))),
    st.builds(lambda name, value: b"\x40" + name + value, STRINGS, STRINGS),
    st.builds(lambda index, value: bytes((0x40 | index,)) + value, st.integers(1, 62), STRINGS),
    st.builds(lambda index, value: bytes((index,)) + value, st.integers(1, 14), STRINGS),
    st.binary(max_size=6),
)
BLOCKS = st.builds(
    lambda update, fields: update + b"".join(fields),
    st.sampled_from([b"", b"\x20", b"\x3e", b"\x3f\xe1\x01", b"\x3f\xff\xff\x01"]),
    st.lists(FIELDS, max_size=8),
)


@given(st.lists(BLOCKS, max_size=5))
def test_both_sides_of_the_wire_read_the_same(blocks):
    ours, plugins = header_fields.HeaderDecoder(), plugin_hpack.Decoder()
    for block in blocks:
        try:
            expected = plugins.decode(block)
        except plugin_hpack.HpackError:
            with pytest.raises(header_fields.HeaderCompressionError):
                ours.decode(block)
            return
        assert ours.decode(block) == expected


@given(st.binary(max_size=9).filter(bool), st.binary(max_size=400))
def test_what_is_written_is_read(name, value):
    assert header_fields.HeaderDecoder().decode(header_fields.literal(name, value)) == [(name, value)]


def test_fields_larger_than_the_limit_are_dropped_and_the_table_stays_right():
    decoder = header_fields.HeaderDecoder()
    assert decoder.decode(b"\x40\x01b\x01c") == [(b"b", b"c")]

    assert decoder.decode(b"\xbe" * 600) is None

    assert decoder.decode(b"\xbe") == [(b"b", b"c")]


def test_a_block_that_unfolds_to_far_more_ends_the_connection():
    decoder = header_fields.HeaderDecoder()
    decoder.decode(b"\x40\x01b\x7f\x81\x17" + b"c" * 3072)

    with pytest.raises(header_fields.HeaderCompressionError):
        decoder.decode(b"\xbe" * 600)


def test_why_a_block_cannot_be_read_is_told_without_addresses_of_memory():
    with pytest.raises(header_fields.HeaderCompressionError) as refused:
        header_fields.HeaderDecoder().decode(b"\xff" * 50)

    assert str(refused.value) == "Variable integer representation is too long"
