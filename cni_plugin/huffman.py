"""The Huffman code of HPACK (RFC 7541, appendix B), decoding only.

Loaded when the first Huffman-coded string arrives; the grpcio server sends none. The code is canonical, so
the lengths say everything: codes of one length count up in the order of the symbols. No state after import.
"""

# Symbols by the length of their code, as RFC 7541 appendix B lists them; the symbol 256 is EOS.
_SYMBOLS_BY_LENGTH: dict[int, tuple[int, ...]] = {
    5: tuple(b"012aceiost"),
    6: tuple(b" %-./3456789=A_bdfghlmnpru"),
    7: tuple(b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    8: tuple(b"&*,;XZ"),
    10: tuple(b'!"()?'),
    11: tuple(b"'+|"),
    12: tuple(b"#>"),
    13: tuple(b"\x00$@[]~"),
    14: tuple(b"^}"),
    15: tuple(b"<`{"),
    19: (92, 195, 208),
    20: (128, 130, 131, 162, 184, 194, 224, 226),
    21: (153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230),
    22: (
        *(129, 132, 133, 134, 136, 146, 154, 156, 160, 163, 164, 169, 170),
        *(173, 178, 181, 185, 186, 187, 189, 190, 196, 198, 228, 232, 233),
    ),
    23: (
        *(1, 135, 137, 138, 139, 140, 141, 143, 147, 149, 150, 151, 152, 155, 157),
        *(158, 165, 166, 168, 174, 175, 180, 182, 183, 188, 191, 197, 231, 239),
    ),
    24: (9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237),
    25: (199, 207, 234, 235),
    26: (192, 193, 200, 201, 202, 205, 210, 213, 218, 219, 238, 240, 242, 243, 255),
    27: (203, 204, 211, 212, 214, 221, 222, 223, 241, 244, 245, 246, 247, 248, 250, 251, 252, 253, 254),
    28: (*range(2, 9), *range(11, 13), *range(14, 22), *range(23, 32), 127, 220, 249),
    30: (10, 13, 22, 256),
}
_EOS = 256


class HuffmanError(Exception):
    """The bits are no Huffman-coded string."""


def decode(data: bytes) -> bytes:
    """Decode one string; raises HuffmanError for EOS inside it and for padding that is not all ones."""
    out = bytearray()
    code = length = 0
    for byte in data:
        for shift in range(7, -1, -1):
            code = code << 1 | byte >> shift & 1
            length += 1
            symbol = _SYMBOLS.get((length, code))
            if symbol is None:
                continue
            if symbol == _EOS:
                raise HuffmanError("EOS inside a string")
            out.append(symbol)
            code = length = 0
    if length > 7 or code != (1 << length) - 1:
        raise HuffmanError("wrong padding")
    return bytes(out)


def _canonical_codes() -> dict[tuple[int, int], int]:
    """Number the symbols: each length goes on where the shorter ones stopped, shifted."""
    codes = {}
    code = previous = 0
    for length, symbols in _SYMBOLS_BY_LENGTH.items():
        code <<= length - previous
        previous = length
        for symbol in symbols:
            codes[length, code] = symbol
            code += 1
    return codes


_SYMBOLS = _canonical_codes()
