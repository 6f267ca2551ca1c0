"""What can go wrong, in terms of what the caller may do about it.

Every error here may end up in front of a cluster operator (CNI error, Event, condition, ipamctl), so each
carries `message` (object, verb, cause) and `advice` (what to do next). Adapters raise these `from` the
library's own exception and let nothing of the library through.
"""

from dataclasses import dataclass
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


class Outcome(Enum):
    """What a write that failed may have done."""

    NOTHING = "nothing"
    PARTIAL = "partial"
    """It was accepted and failed on its way: some of it may be there."""
    UNKNOWN = "unknown"
    """Nothing is known: all of it may be there."""


class Repeat(Enum):
    """Which calls may be sent again as they are, soon, after they failed."""

    ANY = "any"
    HARMLESS = "harmless"
    """Reads, and writes that the cloud knows again by their ClientToken: it may have been carried out."""
    NONE = "none"
    """None: the next one would fail alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is done about a failed cloud call. Every kind of failure has an answer to every question."""

    outcome: Outcome
    repeat: Repeat
    needs_operator: bool
    """Whether calls like this one, reads included, fail until somebody acts."""
    retry_after: float
    """Seconds for which a refusal is believed without asking again, and no ADD waits it out; 0 for none."""
    is_shortage: bool
    """Whether something that comes free makes the refusal void."""
    is_of_object: bool
    """Whether it is about the object that the call names, so that another subnet, say, may not meet with it;
    else it is about account, credentials, rate or the way to the cloud."""
    needs_look: bool
    """Whether the state that the object is in by now may explain it, and even be the one that was wanted."""

    @property
    def outcome_unknown(self) -> bool:
        """Whether a write may have been carried out in full."""
        return self.outcome is Outcome.UNKNOWN


class CloudErrorKind(Enum):
    """What a failed cloud call means to the caller."""

    THROTTLED = (
        "throttled",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.ANY,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """Too many requests; nothing was done."""
    BUSY = (
        "busy",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.ANY,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """Another task holds the object; nothing was done, repeat soon."""
    NOT_FOUND = (
        "not found",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=True,
            needs_look=True,
        ),
    )
    """The object does not exist (any more)."""
    WRONG_STATE = (
        "wrong state",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=True,
            needs_look=True,
        ),
    )
    """The object is in a state that forbids the action: look again before anything else."""
    QUOTA = (
        "quota",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=60.0,
            is_shortage=True,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """An account, region or instance limit; repeat only after a long pause."""
    SUBNET_FULL = (
        "subnet full",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=60.0,
            is_shortage=True,
            is_of_object=True,
            needs_look=False,
        ),
    )
    """No free address in the subnet."""
    PERMISSION = (
        "permission",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=True,
            retry_after=60.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """CAM denies the action."""
    TAGS = (
        "tags",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """The account takes no more tags, or no more values of one; the order itself is all right."""
    MONEY = (
        "money",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=True,
            retry_after=120.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """Arrears or no balance."""
    CREDENTIALS = (
        "credentials",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=True,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """Signature, token or clock is wrong."""
    INVALID = (
        "invalid",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=True,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=True,
            needs_look=True,
        ),
    )
    """The request is wrong in itself."""
    NEW_TOKEN = (
        "new token",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """Delivery failed; nothing was created, and only a new ClientToken can succeed."""
    TASK_FAILED = (
        "task failed",
        Policy(
            outcome=Outcome.PARTIAL,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=True,
            needs_look=True,
        ),
    )
    """An accepted asynchronous task ended in failure."""
    UNKNOWN_OUTCOME = (
        "unknown outcome",
        Policy(
            outcome=Outcome.UNKNOWN,
            repeat=Repeat.HARMLESS,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=True,
        ),
    )
    """No answer came (network, time-out, broken answer): the action may have been carried out."""
    INTERNAL = (
        "internal",
        Policy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.HARMLESS,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=True,
            needs_look=False,
        ),
    )
    """The cloud's own fault; nothing is known to have been done."""

    def __init__(self, text: str, policy: Policy) -> None:
        """Take what it is called, and the answers."""
        self.text = text
        self.policy = policy


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

    @property
    def is_silence(self) -> bool:
        """Whether the cloud has not answered, or as one does that does not work."""
        return self.kind in (CloudErrorKind.UNKNOWN_OUTCOME, CloudErrorKind.INTERNAL)

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
