"""Moments as the API writes them. Pure functions."""

from datetime import UTC, datetime, timedelta, timezone

_BEIJING = timezone(timedelta(hours=8))


def iso(moment: float) -> str:
    """Write a moment as cvm and the EIP actions do: ISO 8601 in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(moment: float) -> str:
    """Write a moment as the other vpc actions do: Beijing time without a zone."""
    return datetime.fromtimestamp(moment, _BEIJING).strftime("%Y-%m-%d %H:%M:%S")
