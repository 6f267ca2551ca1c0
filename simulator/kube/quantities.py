"""Resource quantities ("5", "1500m", "16Gi"): read, and write in the canonical form that the server stores.

Pure. Source: `apimachinery/pkg/api/resource`: the suffix stays in its family (decimal or binary) and is the
largest one that leaves a whole number.
"""

import re
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from enum import Enum

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?")
_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_EXPONENT = ("e-9", "e-6", "e-3", "", "e3", "e6", "e9", "e12", "e15", "e18")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
MALFORMED = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


class Family(Enum):
    """Which kind of suffix a quantity is written with."""

    DECIMAL = "k"
    BINARY = "Ki"
    EXPONENT = "e3"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with the family of its suffix."""

    value: Decimal
    family: Family

    @property
    def whole(self) -> bool:
        """Whether it is an integer."""
        return self.value == self.value.to_integral_value()

    def __str__(self) -> str:
        if not self.value:
            return "0"
        if self.family is Family.BINARY and self.whole and abs(self.value) >= 1024:
            return self._with_suffix(_BINARY, Decimal(1024), 0)
        suffixes = _EXPONENT if self.family is Family.EXPONENT else _DECIMAL
        return self._with_suffix(suffixes, Decimal(1000), -3)

    def _with_suffix(self, suffixes: tuple[str, ...], base: Decimal, lowest: int) -> str:
        for index in range(len(suffixes) - 1, -1, -1):
            number = self.value / base ** (index + lowest)
            if number == number.to_integral_value():
                return f"{int(number)}{suffixes[index]}"
        # Finer than nano is rounded up, as the server does.
        return f"{int((self.value * 10**9).to_integral_value(rounding=ROUND_UP))}n"


def parse(value: object) -> Quantity:
    """Read a quantity from JSON (text or a number). Raises ValueError with the server's words."""
    match = _FORM.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if match is None:
        raise ValueError(MALFORMED)
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY[1:]:
        return Quantity(number * Decimal(1024) ** _BINARY.index(suffix), Family.BINARY)
    if suffix in _DECIMAL:
        return Quantity(number * Decimal(1000) ** (_DECIMAL.index(suffix) - 3), Family.DECIMAL)
    return Quantity(number.scaleb(int(suffix[1:])), Family.EXPONENT)
