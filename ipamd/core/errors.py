"""What can go wrong, in terms of what the caller may do about it.

Every error here may end up in front of a cluster operator (CNI error, Event, condition, ipamctl), so each
carries `message` (object, verb, cause) and `advice` (what to do next). Adapters raise these `from` the
library's own exception and let nothing of the library through.
"""

from enum import Enum


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


class CloudErrorKind(Enum):
    """What a failed cloud call means to the caller."""

    THROTTLED = "throttled"
    """Too many requests; nothing was done."""
    BUSY = "busy"
    """Another task holds the object; nothing was done, repeat soon."""
    NOT_FOUND = "not found"
    """The object does not exist (any more)."""
    WRONG_STATE = "wrong state"
    """The object is in a state that forbids the action: look again before anything else."""
    QUOTA = "quota"
    """An account, region or instance limit; repeat only after a long pause."""
    SUBNET_FULL = "subnet full"
    """No free address in the subnet."""
    PERMISSION = "permission"
    """CAM denies the action."""
    MONEY = "money"
    """Arrears or no balance."""
    CREDENTIALS = "credentials"
    """Signature, token or clock is wrong."""
    INVALID = "invalid"
    """The request is wrong in itself."""
    NEW_TOKEN = "new token"  # noqa: S105 - not a secret
    """Delivery failed; nothing was created, and only a new ClientToken can succeed."""
    TASK_FAILED = "task failed"
    """An accepted asynchronous task ended in failure."""
    UNKNOWN_OUTCOME = "unknown outcome"
    """No answer came (network, time-out, broken answer): the action may have been carried out."""
    INTERNAL = "internal"
    """The cloud's own fault; nothing is known to have been done."""


class CloudError(IpamError):
    """A cloud call that failed; `kind` decides what happens next, the rest is for people."""

    def __init__(
        self, kind: CloudErrorKind, message: str, *, action: str, code: str, request_id: str, advice: str = ""
    ) -> None:
        """Take the API action, its error code (or the client's) and the cloud's RequestId."""
        detail = f"{action} failed with {code}: {message}"
        super().__init__(f"{detail} (RequestId {request_id})" if request_id else detail, advice=advice)
        self.kind = kind
        self.detail = message
        self.action = action
        self.code = code
        self.request_id = request_id

    def restated(self, detail: str) -> "CloudError":
        """Return this failure with other words for its cause, as a new exception."""
        return CloudError(
            self.kind,
            detail,
            action=self.action,
            code=self.code,
            request_id=self.request_id,
            advice=self.advice,
        )
