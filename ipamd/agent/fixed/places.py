"""Places for ENIs that Pods have as a whole, as those see them who attach one: `ExclusivePool` has them."""

from typing import Protocol


class EniPlaces(Protocol):
    """How many such ENIs the node may have, and who makes room. Thread safety: any thread."""

    @property
    def is_on(self) -> bool:
        """Whether Pods of the node may have ENIs of their own at all."""
        ...

    @property
    def places(self) -> int:
        """How many more the node may have now."""
        ...

    def make_room(self, coming: int) -> None:
        """Have places kept for so many, which are to be attached."""
        ...

    def no_room(self) -> str:
        """Return why one will find no place here; empty while it may."""
        ...
