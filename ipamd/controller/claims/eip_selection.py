"""Gives the user's EIPs to claims, one claim at a time, so that no EIP ever gets to two of them.

Only the leader writes the EIP of a claim, and only here if it is the user's. So the first choice of a process
reads all claims live, and what it has chosen since is known to it: the watch cache may be behind, but the two
together never lack a holder. That an EIP is free again is believed after a live look at the one claim that
had it. An earlier leader may have sent such a record just before it lost the Lease: so the first choice
writes into every claim that waits for an EIP of a list. A record that was decided on an older version of it
is refused by the API server from then on.
A claim all of whose EIPs are held, as far as is known, is refused without any request and without a turn:
thousands may wait, and must not keep others from their work.
Thread safety: any thread may call `choose`; one choice at a time.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.core.claim import eip_selection
from ipamd.core.claim.actions import Choose, MarkNotProvisioned, RecordAddress, Wait
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.model import Eip
from ipamd.kube import errors
from ipamd.runtime import chance

log = logging.getLogger(__name__)


class SelectionReader(Protocol):
    """What is looked at for a choice: `LiveReader`."""

    def at_claims(self) -> list[Claim]:
        """Return all claims, live. Raises: KubeError."""

    def at_holders(self, eip_ids: Iterable[str]) -> dict[str, list[Claim]]:
        """Return which claims have the EIPs, as the watch last told."""

    def shows(self, claim: Claim) -> bool:
        """Whether this incarnation of the claim exists, as the watch last told."""

    def at_eips(self, eip_ids: tuple[str, ...]) -> dict[str, Eip]:
        """Return those of the EIPs that exist, by id. Raises: CloudError."""


class EipSelection:
    """Invariant: what a claim has, or may have, of the user's EIPs is in `_chosen` or in the watch cache."""

    def __init__(
        self,
        cluster_id: str,
        *,
        sight: SelectionReader,
        ports: Ports,
        tagged_only: bool,
        lots: Callable[[], float] = chance.fraction,
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
        self._chosen: dict[str, Claim] = {}  # by EIP; read without a turn, written in one

    def choose(
        self, claim: Claim, choice: Choose, record: Callable[[RecordAddress, Claim], Claim]
    ) -> Claim | MarkNotProvisioned | Wait:
        """Choose for a claim; `record` writes the EIP into it and returns it as stored.

        Raises: KubeError (ConflictError when the claim is not what it was), CloudError, NotLeaderError.
        """
        if self._fenced:
            refusal = eip_selection.refuse_if_held(choice, self._known_holders(claim, choice))
            if refusal is not None:
                return refusal
        with self._turn:
            self._ports.fence.deadline()
            self._begin_term()
            facts = eip_selection.SelectionFacts(
                cluster_id=self._cluster_id,
                tagged_only=self._tagged_only,
                eips=self._sight.at_eips(choice.address_ids),
                holders=self._sure_holders(claim, choice),
                lot=self._lots(),
            )
            outcome = eip_selection.settle(claim, choice, facts)
            if not isinstance(outcome, RecordAddress):
                return outcome
            self._ports.fence.deadline()
            eip_id = outcome.address.eip_id
            self._chosen[eip_id] = claim  # before: the answer may be lost
            recorded = record(outcome, claim)
            self._chosen = {i: c for i, c in self._chosen.items() if i == eip_id or c.uid != claim.uid}
            return recorded

    def _known_holders(self, claim: Claim, choice: Choose) -> dict[str, Claim]:
        """Return who has EIPs of the list, as far as is known without asking, other than the claim itself."""
        held = {
            eip_id: other
            for eip_id in choice.address_ids
            if (other := self._chosen.get(eip_id)) and other.uid != claim.uid and self._sight.shows(other)
        }
        return held | self._shown_holders(claim, choice)

    def _sure_holders(self, claim: Claim, choice: Choose) -> dict[str, Claim]:
        """Return who has EIPs of the list; of those that only this process knows of, live."""
        held = self._shown_holders(claim, choice)
        for eip_id in choice.address_ids:
            other = self._chosen.get(eip_id)
            if other is None or eip_id in held:
                continue
            live = self._ports.writer.read(other.namespace, other.name)
            if live and live.uid == other.uid and live.address and live.address.eip_id == eip_id:
                held[eip_id] = live
            else:
                del self._chosen[eip_id]
        return held

    def _shown_holders(self, claim: Claim, choice: Choose) -> dict[str, Claim]:
        shown = self._sight.at_holders(choice.address_ids)
        return {i: other for i, holders in shown.items() for other in holders if other.uid != claim.uid}

    def _begin_term(self) -> None:
        if self._fenced:
            return
        for claim in self._sight.at_claims():
            if claim.address is None and claim.request and claim.request.address_ids:
                try:
                    self._ports.writer.stamp(claim, self._term)
                except errors.NotFoundError:
                    log.debug("EIPClaim %s is gone meanwhile", claim)
        self._chosen = {c.address.eip_id: c for c in self._sight.at_claims() if c.address}
        self._fenced = True
