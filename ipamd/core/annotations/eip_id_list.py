"""`eip-id-list`: the user's own EIPs, and which of them a Pod's name asks for.

The value is a list of EIP ids, divided by commas; an empty entry, such as the one behind a comma at the end,
does not count. A Pod whose name ends in a number takes the entry of that number, the first being 0; any other
takes whichever is free (TKE's page on Pod EIPs). Pure. Errors say what is wrong and what is allowed; whose
annotation it is, the caller adds.
"""

import re
from collections.abc import Sequence

from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import generated_names
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.text.quoting import shown

MOST = 100
"""Entries: as many as one DescribeAddresses takes (document 215/16702)."""
_LONGEST = 4096
"""Characters that are looked at: more than MOST entries need."""
_ID = re.compile(r"eip-[0-9a-z]{8}")
_DIGITS = re.compile(r"[0-9]+")


def parse(text: str) -> tuple[str, ...]:
    """Return the ids that the annotation's value lists; errors: InvalidInputError."""
    if len(text) > _LONGEST:
        raise InvalidInputError(f"it has {len(text)} characters; allowed are {_LONGEST}")
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    if not entries:
        raise InvalidInputError("it is empty; allowed are EIP ids such as eip-1a2b3c4d,eip-5e6f7g8h")
    return check(entries)


def check(entries: Sequence[object]) -> tuple[str, ...]:
    """Return the entries if they are a usable list; errors: InvalidInputError."""
    if not 1 <= len(entries) <= MOST:
        raise InvalidInputError(f"it has {len(entries)} entries; allowed are 1 to {MOST}")
    ids: list[str] = []
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, str) or not _ID.fullmatch(entry):
            raise InvalidInputError(
                f"entry {number} is {shown(entry)}; allowed is the id of an EIP: eip- and 8 of a-z and 0-9"
            )
        if entry in ids:
            raise InvalidInputError(
                f"{entry} is entry {ids.index(entry) + 1} and entry {number}; an EIP serves one Pod, "
                "so it may stand in the list once"
            )
        ids.append(entry)
    return tuple(ids)


def number_of(pod: PodView) -> int | None:
    """Return the number at the end of the Pod's name, None for a name that has none.

    It is all that follows the name's last dash; an end that a name generator made is not a number even if it
    is all digits.
    """
    end = pod.ref.name.rpartition("-")[2]
    return None if not _DIGITS.fullmatch(end) or generated_names.has_one(pod) else int(end)
