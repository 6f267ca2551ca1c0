"""Quotas that start anew each day, such as DAILY_EIP_APPLY.

The day is that of Beijing (UTC+8), as the console's is. Not thread-safe.
"""

_DAY = 86400
_BEIJING = 8 * 3600


class DailyCounts:
    """Counts by name for the present day; those of earlier days are forgotten."""

    def __init__(self) -> None:
        self._day = 0
        self._counts: dict[str, int] = {}

    def today(self, name: str, now: float) -> int:
        """Give the count of `name` for the day of `now`."""
        return self._counts.get(name, 0) if self._day == _day(now) else 0

    def add(self, name: str, count: int, now: float) -> None:
        """Count `count` more on the day of `now`."""
        if self._day != _day(now):
            self._day = _day(now)
            self._counts = {}
        self._counts[name] = self._counts.get(name, 0) + count


def _day(now: float) -> int:
    return int(now + _BEIJING) // _DAY
