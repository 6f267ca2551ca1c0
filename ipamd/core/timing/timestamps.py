"""Seconds since the epoch, to and from the times of the Kubernetes API.

RFC 3339, metav1.Time and MicroTime.
"""

from datetime import UTC, datetime


def to_text(at: float) -> str:
    """Return a metav1.Time: whole seconds, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_micro_text(at: float) -> str:
    """Return a metav1.MicroTime: microseconds, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> float | None:
    """Return the seconds of either form, or None when it is neither."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.timestamp() if parsed.tzinfo else None
