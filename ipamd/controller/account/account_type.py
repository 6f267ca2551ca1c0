"""Which kind the account is: asked at the start, and now and then, as accounts can be changed over.

While it cannot be asked (a CAM policy of an earlier release lacks the action) the account is taken for a
STANDARD one; the cloud refuses a wrong order, and nothing is lost by it.
Thread safety: a check is for one thread at a time; `fit` may be called from any thread.
"""

import logging
from typing import Final, Protocol

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.eip import account_types
from ipamd.core.eip.account_types import AccountType
from ipamd.core.model import EipOrder
from ipamd.core.timing.backoff import Backoff
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace

log = logging.getLogger(__name__)

_INTERVAL: Final = 3600.0
BACKOFF: Final = Backoff(first=2.0, longest=300.0)


class AccountReader(Protocol):
    """What tells the type: `TencentCloud`."""

    def describe_account_type(self) -> AccountType:
        """Return the account's type. Raises: CloudError."""


class AccountChecks:
    """Invariant: `type` is what the last look that succeeded has shown; None before it."""

    def __init__(self, cloud: AccountReader, backoff: Backoff = BACKOFF) -> None:
        self._cloud = cloud
        self.type: AccountType | None = None
        self.loop = Loop(
            "account-type",
            self.check,
            policy=Survive(),
            pace=LoopPace(period=_INTERVAL, backoff=backoff),
        )

    def check(self) -> None:
        """Look once. Raises: CloudError."""
        found = self._cloud.describe_account_type()
        if found is not self.type:
            log.info("the account is of type %s", found.value)
        self.type = found

    def fit(self, order: EipOrder) -> EipOrder:
        """Return the order as the account takes it; CloudError (INVALID) when it takes none such."""
        if self.type is None:
            try:
                self.check()
            except CloudError as e:
                log.debug("the account is taken for a STANDARD one: %s", e)
        return account_types.fit(order, self.type or AccountType.STANDARD)
