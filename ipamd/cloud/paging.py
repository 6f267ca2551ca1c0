"""Complete listings from an API that answers by pages of at most 100.

Pages are cut by offset, so a row that goes away while the pages are read shifts its successors, and one of
them would be missed. Each page therefore begins with rows of the one before; where it does not, the reader
steps back until it does, so a long list that changes is still read once. Rows that come in front shift the
others the harmless way. Ids beyond the page size would be cut off silently (DescribeAddresses pages
AddressIds too), so ids are asked for by the hundred.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ipamd.cloud import fields
from ipamd.cloud.session import Session
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)
_Item = TypeVar("_Item")

PAGE = 100
"""The largest Limit, and the most ids, that the actions in use take."""
_MOST_PAGES = 10_000
"""A listing that does not end before is given up: a million objects."""
_MOST_STEPS_BACK = 20
_WIDEST_OVERLAP = PAGE // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PagedListing(Generic[_Item]):
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
    session: Session,
    listing: PagedListing[_Item],
    params: Mapping[str, Any],
    deadline: Deadline | None = None,
) -> list[_Item]:
    """Return every object that matches `params`, in the order of the API, none twice.

    Without a deadline each page has the session's time. Raises CloudError as `Session.call` does.
    """
    spell: Callable[[int], object] = str if listing.numbers_as_text else int
    items: dict[str, _Item] = {}
    place = _Place()
    for _ in range(_MOST_PAGES):
        page = {**params, "Offset": spell(place.offset), "Limit": spell(PAGE)}
        reply = session.call(listing.action, page, deadline=deadline, product=listing.product)
        found = reply.each(listing.rows, listing.decode)
        total = reply.read(lambda body: fields.integer(body, "TotalCount"))
        ids = [listing.identify(item) for item in found]
        joined = not place.offset or any(eip_id in items for eip_id in ids)
        items.update(zip(ids, found, strict=True))
        if not joined and place.step_back():
            continue
        if len(found) < PAGE or place.offset + PAGE >= total:
            if place.lost:
                log.warning(
                    "%s changes faster than it can be read; %d objects were seen", listing.action, len(items)
                )
            return list(items.values())
        place.turn()
    raise cloud_error(listing.action, "ClientUnexpectedAnswer", f"over {_MOST_PAGES} pages of objects")


@dataclass(slots=True)
class _Place:
    """Where the reader is. Invariant: the rows before `offset` were seen, unless `lost`."""

    offset: int = 0
    overlap: int = 1
    steps_back: int = 0
    lost: bool = False

    def turn(self) -> None:
        """Go on to the next page."""
        self.offset += PAGE - self.overlap

    def step_back(self) -> bool:
        """Go back, further each time; return False when the list runs away."""
        if self.steps_back >= _MOST_STEPS_BACK:
            self.lost = True
            return False
        self.steps_back += 1
        self.overlap = min(_WIDEST_OVERLAP, 4 * self.overlap)
        self.offset = max(0, self.offset - self.overlap)
        return True


def by_hundreds(ids: Sequence[str]) -> Iterator[list[str]]:
    """Cut ids into lists that one request may carry, leaving out repeats."""
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), PAGE):
        yield unique[start : start + PAGE]
