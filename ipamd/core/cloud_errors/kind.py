"""The kinds of failure of a cloud call, each with its policy."""

from enum import Enum

from ipamd.core.cloud_errors.policy import FailurePolicy, Outcome, Repeat


class CloudErrorKind(Enum):
    """What a failed cloud call means to the caller."""

    THROTTLED = (
        "throttled",
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
    ADDRESS_IN_USE = (
        "address in use",
        FailurePolicy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=True,
            needs_look=False,
        ),
    )
    """The private address that the call names is somebody else's: only another address can succeed."""
    NOT_OFFERED = (
        "not offered",
        FailurePolicy(
            outcome=Outcome.NOTHING,
            repeat=Repeat.NONE,
            needs_operator=False,
            retry_after=0.0,
            is_shortage=False,
            is_of_object=False,
            needs_look=False,
        ),
    )
    """The cloud has no such action here: region, account or release of the API lack it."""
    PERMISSION = (
        "permission",
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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
        FailurePolicy(
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

    def __init__(self, text: str, policy: FailurePolicy) -> None:
        """Take what it is called, and the answers."""
        self.text = text
        self.policy = policy
