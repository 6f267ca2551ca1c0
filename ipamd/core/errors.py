"""What can go wrong, in terms of what the caller may do about it.

Every error here may end up in front of a cluster operator (CNI error, Event, condition, ipamctl), so each
carries `message` (object, verb, cause) and `advice` (what to do next). Adapters raise these `from` the
library's own exception and let nothing of the library through.
"""


class IpamError(Exception):
    """Root of the project's errors."""

    def __init__(self, message: str, *, advice: str = "") -> None:
        """Take the sentence that says what happened and the one that says what to do."""
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}; {self.advice}" if self.advice else self.message


class InvalidInputError(IpamError):
    """Something a user or operator wrote is wrong; a retry without a change is in vain."""


class TryAgainError(IpamError):
    """Nothing is wrong that time does not mend; the caller should repeat the request."""


class NetnsError(InvalidInputError):
    """CNI_NETNS does not name a network namespace that a Pod could live in."""


class KernelError(IpamError):
    """The kernel refused a change of links, addresses, routes, rules or nftables; `errno` is its reason."""

    def __init__(self, message: str, *, errno: int, advice: str = "") -> None:
        """Take what was asked for and why it was refused, and the kernel's error number."""
        super().__init__(message, advice=advice)
        self.errno = errno
