"""What the account is, as far as it matters to orders; and what time it is there."""

from ipamd.cloud import fields
from ipamd.cloud.session import Calls
from ipamd.core.eip.account_types import AccountType
from ipamd.core.timing.deadline import Deadline


class AccountCalls(Calls):
    """Reads of the account. Thread safety: as the session."""

    def time(self) -> float | None:
        """Return the cloud's time now (seconds since the epoch) by its answers; None before the first."""
        return self._session.time()

    def describe_account_type(self, deadline: Deadline | None = None) -> AccountType:
        """Return how the account pays for EIPs (API page DescribeNetworkAccountType).

        A type that is not known here is taken for the present one, STANDARD.
        """
        reply = self._session.call("DescribeNetworkAccountType", {}, deadline=deadline)
        said = reply.read(lambda body: fields.text(body, "NetworkAccountType"))
        return AccountType.LEGACY if said == AccountType.LEGACY.value else AccountType.STANDARD
