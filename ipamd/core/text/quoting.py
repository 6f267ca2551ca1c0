"""How an error shows a value that somebody wrote: unmistakable, and cut to what a message can bear. Pure."""

import json

_SHOWN = 60
"""Characters of a value that an error repeats."""


def shown(value: object) -> str:
    """Return the value as JSON in ASCII, its end cut off if it is long."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
