"""The Huffman code of HPACK (RFC 7541, appendix B), decoding only.

The code is canonical, so the lengths say everything: codes of one length count up in the order of the
symbols. Loaded with the first string that is coded so: the plugin codes none.
"""

from typing import Final

_SYMBOLS: Final[dict[int, bytes]] = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: bytes((92, 195, 208)),
    20: bytes((128, 130, 131, 162, 184, 194, 224, 226)),
    21: bytes((153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230)),
    22: bytes.fromhex("8184858688929a9ca0a3a4a9aaadb2b5b9babbbdbec4c6e4e8e9"),
    23: bytes.fromhex("0187898a8b8c8d8f93959697989b9d9ea5a6a8aeafb4b6b7bcbfc5e7ef"),
    24: bytes((9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237)),
    25: bytes((199, 207, 234, 235)),
    26: bytes.fromhex("c0c1c8c9cacdd2d5dadbeef0f2f3ff"),
    27: bytes.fromhex("cbccd3d4d6dddedff1f4f5f6f7f8fafbfcfdfe"),
    28: bytes((*range(2, 9), 11, 12, *range(14, 22), *range(23, 32), 127, 220, 249)),
    30: bytes((10, 13, 22)),
}
"""The symbols by the length of their codes. EOS, the last code of 30 bits, is in no string and not here."""
_MOST_PADDING: Final = 7


class HuffmanCodeError(Exception):
    """The bits are no Huffman-coded string."""


def decode(data: bytes) -> bytes:
    """Return one string. Raises: HuffmanCodeError, also for padding that is not all ones."""
    out = bytearray()
    code, find = 1, _BY_CODE.get
    for octet in data:
        for shift in (7, 6, 5, 4, 3, 2, 1, 0):
            code = code << 1 | octet >> shift & 1
            symbol = find(code)
            if symbol is not None:
                out.append(symbol)
                code = 1
        if code >> 32:
            raise HuffmanCodeError("a code of more than 30 bits")
    padding = code.bit_length() - 1
    if padding > _MOST_PADDING or code != (1 << padding + 1) - 1:
        raise HuffmanCodeError("the padding is not a few ones")
    return bytes(out)


def _canonical() -> dict[int, int]:
    """Return the symbols by their codes, each with a one in front that keeps leading zeros."""
    codes: dict[int, int] = {}
    code = previous = 0
    for length, symbols in _SYMBOLS.items():
        code <<= length - previous
        previous = length
        for symbol in symbols:
            codes[1 << length | code] = symbol
            code += 1
    return codes


_BY_CODE: Final = _canonical()
