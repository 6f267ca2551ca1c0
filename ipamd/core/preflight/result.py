"""What a check before an installation has found, and what each check is about. Pure.

A code never changes its meaning: scripts go by it.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum


class Fitness(StrEnum):
    """In the order of the members, worst first."""

    PROBLEM = "problem"
    """Agents would not start, or Pods would have no network or no EIP."""
    WARNING = "warning"
    """It works, and something of it may not, or not for long."""
    UNKNOWN = "unknown"
    """It could not be looked at from here."""
    OK = "ok"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Fitness).index(self)


class FitnessCheck(Enum):
    """What is looked at: the code that people and programs see, and what it asks."""

    KERNEL_RELEASE = ("KernelRelease", "Is the node's Linux new enough?")
    KERNEL_FEATURES = ("KernelFeatures", "Does the kernel take links, policy rules and tables such as ours?")
    PLUGIN_OWNER = ("PluginOwner", "Has nobody else put a plugin of our name onto the node?")
    CONFIGURATION_ORDER = ("ConfigurationOrder", "Is ours the network that the runtime will take?")
    RUNTIME_DIRECTORIES = ("RuntimeDirectories", "Does containerd look where we write?")
    METADATA = ("Metadata", "Does the metadata service tell which CVM this is?")
    CREDENTIAL = ("Credential", "Is there a key for the cloud API?")
    READ_RIGHTS = ("ReadRights", "May that key ask what is asked?")
    WRITE_RIGHTS = ("WriteRights", "May that key change what is changed?")
    CLOCK = ("Clock", "Is the node's clock that of the cloud?")
    ACCOUNT_TYPE = ("AccountType", "How does the account pay for EIPs?")
    EIP_QUOTA = ("EipQuota", "How many EIPs may still be had, and be ordered today?")
    INSTANCE_LIMITS = ("InstanceLimits", "How many ENIs, addresses and EIPs does this CVM take?")
    SUBNET_ADDRESSES = ("SubnetAddresses", "Are there free addresses for Pods?")
    API_SERVER = ("ApiServer", "Does the API server answer?")
    KUBERNETES_VERSION = ("KubernetesVersion", "Is it new enough?")
    OTHER_INSTALLATION = ("OtherInstallation", "Are TKE's own components out of the way?")

    def __init__(self, code: str, question: str) -> None:
        self.code = code
        self.question = question


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Invariant: whatever is not OK has a next step."""

    check: FitnessCheck
    fitness: Fitness
    subject: str
    """What it is about, as kind/name."""
    text: str
    """What was found, a sentence without its end."""
    next_step: str = ""

    def __post_init__(self) -> None:
        if (self.fitness is Fitness.OK) == bool(self.next_step):
            msg = f"{self.check.code}: {self.fitness} with the next step {self.next_step!r}"
            raise ValueError(msg)


def fine(check: FitnessCheck, subject: str, text: str) -> Judgement:
    """Return that all is well."""
    return Judgement(check=check, fitness=Fitness.OK, subject=subject, text=text)


def problem(check: FitnessCheck, subject: str, text: str, next_step: str) -> Judgement:
    """Return what has to be put right first."""
    return Judgement(check=check, fitness=Fitness.PROBLEM, subject=subject, text=text, next_step=next_step)


def warning(check: FitnessCheck, subject: str, text: str, next_step: str) -> Judgement:
    """Return what somebody should know."""
    return Judgement(check=check, fitness=Fitness.WARNING, subject=subject, text=text, next_step=next_step)


def unknown(check: FitnessCheck, subject: str, text: str, next_step: str) -> Judgement:
    """Return what could not be looked at."""
    return Judgement(check=check, fitness=Fitness.UNKNOWN, subject=subject, text=text, next_step=next_step)
