"""Of which subnets the node can have addresses: where it has ENIs, and where it may make them.

The scheduler learns of them by labels of the Node, because an address that is kept for a Pod is one of its
subnet. Thread safety: for one thread, that which writes the labels.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Final

from ipamd.agent.enis import NodeEnis
from ipamd.agent.pool.subnet_choice import SubnetChoice
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)

_SECONDS: Final = 10.0
_ASK_AGAIN: Final = 60.0
"""Seconds between two questions for subnets of which the cloud has not told: one may not exist."""


class SubnetHomes:
    """Invariant: nothing is said of the subnets before the cloud has told the zones of some."""

    def __init__(
        self,
        enis: NodeEnis,
        choice: SubnetChoice,
        *,
        known: Callable[[], Mapping[str, model.Subnet]],
        zone: Callable[[], str],
        disabled: Callable[[], bool],
        monotonic: Callable[[], float],
    ) -> None:
        """Take what tells ENIs, configuration, the subnets that the cloud has shown, and the node's zone.

        A node that is `disabled` makes no ENIs; those that it has stay.
        """
        self._enis = enis
        self._choice = choice
        self._known = known
        self._zone = zone
        self._disabled = disabled
        self._monotonic = monotonic
        self._asked: object = None
        self._asked_at = -math.inf

    def current(self) -> frozenset[str] | None:
        """Return their ids, None while it is not known; the cloud is asked for what it has not told yet."""
        if not self._is_known() and self._is_due():
            self._ask()
        known = self._known()
        if not known or not self._choice.is_found:
            return None
        own = frozenset(eni.subnet_id for eni in self._enis.enis.values() if eni.subnet_id)
        if self._disabled():
            return own
        zone = self._zone()
        return own | {one for one in self._choice.ids if one in known and known[one].zone == zone}

    def _is_known(self) -> bool:
        return self._choice.is_found and all(one in self._known() for one in self._choice.ids)

    def _is_due(self) -> bool:
        return self._asked != self._choice.places or self._monotonic() - self._asked_at >= _ASK_AGAIN

    def _ask(self) -> None:
        self._asked, self._asked_at = self._choice.places, self._monotonic()
        try:
            self._choice.find(Deadline.after(_SECONDS, time.monotonic))
        except CloudError as e:
            log.info("in which subnets this node may make ENIs is not known: %s", e)
