"""Complete listings from an API that answers by pages of at most 100.

Pages are cut by offset, so a row that goes away while the pages are read shifts its successors, and one of
them would be missed. Each page therefore starts with the last row of the one before; where it does not, the
listing is read again. Ids beyond the page size would be cut off silently (DescribeAddresses pages AddressIds
too), so ids are asked for by the hundred.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ipamd.cloud import fields
from ipamd.cloud.session import Session
from ipamd.core.cloud_errors import cloud_error
from ipamd.core.deadline import Deadline

_log = logging.getLogger(__name__)
_Item = TypeVar("_Item")

PAGE = 100
"""The largest Limit, and the most ids, that the actions in use take."""
_MOST_PAGES = 100
_MOST_READINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[_Item]):
    """A Describe action and how to read its answer."""

    action: str
    rows: str
    """Field that holds the objects, beside TotalCount."""
    decode: Callable[[fields.Row], _Item]
    identify: Callable[[_Item], str]
    product: str = "vpc"
    numbers_as_text: bool = False
    """DescribeSubnets, DescribeVpcs and DescribeRouteTables take Offset and Limit as text."""


def read_all(
    session: Session, listing: Listing[_Item], params: Mapping[str, Any], deadline: Deadline | None = None
) -> list[_Item]:
    """Return every object that matches `params`, in the order of the API, none twice.

    Raises CloudError as `Session.call` does.
    """
    deadline = session.deadline(deadline)
    for _ in range(_MOST_READINGS):
        items, whole = _read_once(session, listing, params, deadline)
        if whole:
            break
    else:
        _log.warning(
            "%s changes faster than it can be read; %d objects were seen", listing.action, len(items)
        )
    return list(items.values())


def by_hundreds(ids: Sequence[str]) -> Iterator[list[str]]:
    """Cut ids into lists that one request may carry, leaving out repeats."""
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), PAGE):
        yield unique[start : start + PAGE]


def _read_once(
    session: Session, listing: Listing[_Item], params: Mapping[str, Any], deadline: Deadline
) -> tuple[dict[str, _Item], bool]:
    """Read the pages once; return the objects by identity, and whether the list stood still meanwhile."""
    spell: Callable[[int], object] = str if listing.numbers_as_text else int
    items: dict[str, _Item] = {}
    whole = True
    offset = 0
    last = ""
    for _ in range(_MOST_PAGES):
        page = {**params, "Offset": spell(offset), "Limit": spell(PAGE)}
        reply = session.call(listing.action, page, deadline=deadline, product=listing.product)
        found = reply.each(listing.rows, listing.decode)
        total = reply.read(lambda body: fields.integer(body, "TotalCount"))
        ids = [listing.identify(item) for item in found]
        whole = whole and last in ("", *ids[:1])
        items.update(zip(ids, found, strict=True))
        if len(found) < PAGE or offset + PAGE >= total:
            return items, whole
        last = ids[-1]
        offset += PAGE - 1
    raise cloud_error(listing.action, "ClientUnexpectedAnswer", f"over {_MOST_PAGES} pages of objects")
