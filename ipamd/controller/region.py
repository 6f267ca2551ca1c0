"""The region of the cluster where no flag says it: that of the CVM on which the controller runs."""

import logging
from collections.abc import Callable

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.timing.backoff import Backoff
from ipamd.runtime import chance

log = logging.getLogger(__name__)

_ASK_AGAIN = Backoff(first=0.5, longest=15.0)


def asked_region(ask: Callable[[], str], wait: Callable[[float], bool]) -> str:
    """Ask the metadata service until it answers; return the answer, empty when told to end meanwhile.

    `wait` lets so many seconds pass and returns whether to end, as `threading.Event.wait` does.
    """
    attempt = 1
    while True:
        try:
            return ask()
        except CloudError as e:
            pause = _ASK_AGAIN.delay(attempt, chance.fraction)
            log.warning(
                "waiting for the region of this CVM, which --region would say; asked again in %.1f s: %s",
                pause,
                e,
            )
        if wait(pause):
            return ""
        attempt += 1
