"""Gives the user's EIPs to claims, one claim at a time, so that no EIP ever gets to two of them.

A choice reads all claims live and records the EIP in its claim before the next one begins. An earlier leader
may have sent such a record just before it lost the Lease: so the first choice of a process writes into every
claim that still waits for an EIP of a list. A record that was decided on an older version of it is refused
by the API server from then on.
Thread safety: any thread may call `choose`; one choice at a time.
"""

import logging
import random
import threading
import uuid
from collections.abc import Callable
from typing import Protocol

from ipamd.controller.ports import Ports
from ipamd.core import claim_choice
from ipamd.core.claim_actions import Choose, RecordAddress, Refuse, Wait
from ipamd.core.claims import Claim
from ipamd.core.model import Eip
from ipamd.kube import errors

log = logging.getLogger(__name__)


class Sight(Protocol):
    """What is looked at for a choice: `Lookout`."""

    def at_claims(self) -> list[Claim]:
        """Return all claims, live. Errors: KubeError."""

    def at_eips(self, eip_ids: tuple[str, ...]) -> dict[str, Eip]:
        """Return those of the EIPs that exist, by id. Errors: CloudError."""


class Choices:
    """Invariant: a claim's EIP is recorded before another choice begins."""

    def __init__(
        self,
        cluster_id: str,
        *,
        sight: Sight,
        ports: Ports,
        tagged_only: bool,
        lots: Callable[[], float] = random.random,
    ) -> None:
        """Take the rule for EIPs (`ClusterRules.tagged_only`) and a source of numbers in [0, 1)."""
        self._cluster_id = cluster_id
        self._sight = sight
        self._ports = ports
        self._tagged_only = tagged_only
        self._lots = lots
        self._turn = threading.Lock()
        self._term = uuid.uuid4().hex
        self._fenced = False

    def choose(
        self, claim: Claim, choice: Choose, record: Callable[[RecordAddress, Claim], Claim]
    ) -> Claim | Refuse | Wait:
        """Choose for a claim; `record` writes the EIP into it and returns it as stored.

        Errors: KubeError (ConflictError when the claim is not what it was), CloudError, NotLeaderError.
        """
        with self._turn:
            self._ports.fence.deadline()
            if not self._fenced:
                self._refuse_earlier_records()
                self._fenced = True
            held = claim_choice.holders(self._sight.at_claims(), but=claim)
            scene = claim_choice.Scene(
                cluster_id=self._cluster_id,
                tagged_only=self._tagged_only,
                eips=self._sight.at_eips(choice.address_ids),
                holders=held,
                lot=self._lots(),
            )
            outcome = claim_choice.settle(claim, choice, scene)
            if not isinstance(outcome, RecordAddress):
                return outcome
            self._ports.fence.deadline()
            return record(outcome, claim)

    def _refuse_earlier_records(self) -> None:
        for claim in self._sight.at_claims():
            if claim.address is None and claim.request and claim.request.address_ids:
                try:
                    self._ports.writer.stamp(claim, self._term)
                except errors.NotFoundError:
                    log.debug("EIPClaim %s is gone meanwhile", claim)
