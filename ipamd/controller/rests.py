"""How a round of work on one object ends."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The object is looked at again after `after` seconds, or when something changes."""

    after: float | None = None
    """None: only a change or the resync brings it back."""
    failed: bool = False
    """Whether to back off, by `after` at least."""
