"""Header decompression against the examples of RFC 7541 and against an encoder that may do all it allows."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni_plugin import hpack, huffman

# Appendix C.5 and C.6 are for a table of 256 octets: what a peer announces by this size update.
TABLE_OF_256 = bytes.fromhex("3fe101")
DATE_21 = (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT")
DATE_22 = (b"date", b"Mon, 21 Oct 2013 20:13:22 GMT")
LOCATION = (b"location", b"https://www.example.com")
COOKIE = (b"set-cookie", b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1")
REQUESTS = [
    [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")],
    [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"www.example.com"),
        (b"cache-control", b"no-cache"),
    ],
    [
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":path", b"/index.html"),
        (b":authority", b"www.example.com"),
        (b"custom-key", b"custom-value"),
    ],
]
RESPONSES = [
    [(b":status", b"302"), (b"cache-control", b"private"), DATE_21, LOCATION],
    [(b":status", b"307"), (b"cache-control", b"private"), DATE_21, LOCATION],
    [
        (b":status", b"200"),
        (b"cache-control", b"private"),
        DATE_22,
        LOCATION,
        (b"content-encoding", b"gzip"),
        COOKIE,
    ],
]


@pytest.mark.parametrize(
    ("block", "header"),
    [
        (
            "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
            (b"custom-key", b"custom-header"),
        ),
        ("040c 2f73 616d 706c 652f 7061 7468", (b":path", b"/sample/path")),
        ("1008 7061 7373 776f 7264 0673 6563 7265 74", (b"password", b"secret")),
        ("82", (b":method", b"GET")),
    ],
    ids=["C.2.1 literal with indexing", "C.2.2 without", "C.2.3 never indexed", "C.2.4 indexed"],
)
def test_the_representations_of_a_field(block, header):
    assert hpack.Decoder().decode(bytes.fromhex(block)) == [header]


@pytest.mark.parametrize(
    "blocks",
    [
        [
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            "8286 84be 5808 6e6f 2d63 6163 6865",
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        ],
        [
            "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
            "8286 84be 5886 a8eb 1064 9cbf",
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
        ],
    ],
    ids=["C.3 plain", "C.4 Huffman"],
)
def test_requests_of_one_connection_share_the_table(blocks):
    decoder = hpack.Decoder()

    assert [decoder.decode(bytes.fromhex(block)) for block in blocks] == REQUESTS


@pytest.mark.parametrize(
    "blocks",
    [
        [
            (
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a"
                "3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d"
            ),
            "4803 3330 37c1 c0bf",
            (
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04"
                "677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49"
                "553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31"
            ),
        ],
        [
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e"
                "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3"
            ),
            "4883 640e ffc1 c0bf",
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7"
                "821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed"
                "4ee5 b106 3d50 07"
            ),
        ],
    ],
    ids=["C.5 plain", "C.6 Huffman"],
)
def test_responses_of_one_connection_push_old_entries_out(blocks):
    decoder = hpack.Decoder()
    first, second, third = map(bytes.fromhex, blocks)

    assert [decoder.decode(TABLE_OF_256 + first), decoder.decode(second), decoder.decode(third)] == RESPONSES
    # By then three entries of 98, 52 and 65 octets are left.
    assert decoder.decode(b"\xbe\xbf\xc0") == [COOKIE, (b"content-encoding", b"gzip"), DATE_22]
    with pytest.raises(hpack.HpackError, match="no table entry 65"):
        decoder.decode(b"\xc1")


def test_an_entry_larger_than_the_table_empties_it():
    decoder = hpack.Decoder()
    decoder.decode(b"\x40\x01a\x01b")

    large = b"\x40\x01n\x7f" + bytes([0x80 + (4100 - 127) % 128, (4100 - 127) // 128]) + b"v" * 4100
    assert decoder.decode(large) == [(b"n", b"v" * 4100)]

    with pytest.raises(hpack.HpackError, match="no table entry 62"):
        decoder.decode(b"\xbe")


def test_a_table_of_size_zero_holds_nothing():
    decoder = hpack.Decoder()

    assert decoder.decode(b"\x20\x40\x01a\x01b") == [(b"a", b"b")]
    with pytest.raises(hpack.HpackError, match="no table entry"):
        decoder.decode(b"\xbe")


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("80", "no table entry 0"),
        ("be", "no table entry 62"),
        ("40", "ends inside a field"),
        ("00 05 61", "ends inside a string"),
        ("ff", "ends inside a field"),
        ("ff 80 80 80 80 80 01", "an integer of more than five octets"),
        ("00 7f ff ff ff ff ff", "an integer of more than five octets"),
        ("3f e2 1f", "a table of 4097 octets, 4096 are allowed"),
        ("82 20", "a table size update after a header field"),
        ("00 01 61 81 00", "Huffman: wrong padding"),
        ("00 01 61 82 1f ff", "Huffman: wrong padding"),
        ("00 01 61 84 ff ff ff ff", "Huffman: EOS inside a string"),
    ],
)
def test_what_is_no_header_block_is_refused(block, complaint):
    with pytest.raises(hpack.HpackError, match=complaint):
        hpack.Decoder().decode(bytes.fromhex(block))


def test_few_octets_cannot_become_many():
    decoder = hpack.Decoder()
    decoder.decode(b"\x40\x01n\x7f\x81\x1e" + b"v" * 3968)

    with pytest.raises(hpack.HpackError, match="more than 65536 octets of headers"):
        decoder.decode(b"\xbe" * 20)


@given(st.binary(max_size=300))
def test_any_bytes_give_headers_or_the_one_error(block):
    try:
        headers = hpack.Decoder().decode(block)
    except hpack.HpackError:
        return
    assert sum(32 + len(name) + len(value) for name, value in headers) <= hpack.LARGEST_LIST


@pytest.mark.parametrize(
    ("symbol", "code", "length"),
    # One of each length, as appendix B of the RFC prints it.
    [
        (ord("0"), 0x0, 5),
        (ord(" "), 0x14, 6),
        (ord(":"), 0x5C, 7),
        (ord("X"), 0xFC, 8),
        (ord("!"), 0x3F8, 10),
        (ord("|"), 0x7FC, 11),
        (ord("#"), 0xFFA, 12),
        (0, 0x1FF8, 13),
        (ord("^"), 0x3FFC, 14),
        (ord("<"), 0x7FFC, 15),
        (92, 0x7FFF0, 19),
        (128, 0xFFFE6, 20),
        (153, 0x1FFFDC, 21),
        (129, 0x3FFFD2, 22),
        (1, 0x7FFFD8, 23),
        (9, 0xFFFFEA, 24),
        (199, 0x1FFFFEC, 25),
        (255, 0x3FFFFEE, 26),
        (254, 0x7FFFFF0, 27),
        (249, 0xFFFFFFE, 28),
        (22, 0x3FFFFFFE, 30),
    ],
)
def test_a_symbol_has_the_code_of_the_rfc(symbol, code, length):
    # Two of them and padding by ones up to the next octet.
    bits = (f"{code:0{length}b}" * 2).ljust(-(-2 * length // 8) * 8, "1")

    assert huffman.decode(int(bits, 2).to_bytes(len(bits) // 8, "big")) == bytes((symbol, symbol))


@dataclasses.dataclass
class Encoder:
    """A peer that keeps its table by the letter of the RFC and writes a field in the way it is told."""

    maximum: int = hpack.TABLE_SIZE
    table: list[tuple[bytes, bytes]] = dataclasses.field(default_factory=list)

    def resize(self, maximum):
        self.maximum = maximum
        self.evict()
        return integer(maximum, 5, 0x20)

    def field(self, name, value, how):
        names = [entry[0] for entry in self.table]
        if how == "indexed" and (name, value) in self.table:
            return integer(62 + self.table.index((name, value)), 7, 0x80)
        bits, mark = (6, 0x40) if how == "indexed" else (4, 0x10 if how == "never" else 0)
        index = 62 + names.index(name) if name in names else 0
        encoded = integer(index, bits, mark) + (b"" if index else string(name)) + string(value)
        if how == "indexed":
            self.table.insert(0, (name, value))
            self.evict()
        return encoded

    def evict(self):
        while sum(32 + len(name) + len(value) for name, value in self.table) > self.maximum:
            self.table.pop()


def integer(value, bits, mark):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((mark | value,))
    out = [mark | limit]
    value -= limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes((*out, value))


def string(text):
    return integer(len(text), 7, 0) + text


fields = st.tuples(
    st.sampled_from([b"grpc-status", b"x", b"long-" * 30]),
    st.sampled_from([b"", b"0", b"v" * 200, b"w" * 1500]),
    st.sampled_from(["indexed", "plain", "never"]),
)
blocks = st.tuples(st.none() | st.integers(0, hpack.TABLE_SIZE), st.lists(fields, max_size=8))


@given(st.lists(blocks, max_size=8))
def test_the_decoder_keeps_its_table_as_the_encoder_does(script):
    encoder, decoder = Encoder(), hpack.Decoder()
    for maximum, headers in script:
        block = b"" if maximum is None else encoder.resize(maximum)
        block += b"".join(encoder.field(*field) for field in headers)

        assert decoder.decode(block) == [(name, value) for name, value, _ in headers]
