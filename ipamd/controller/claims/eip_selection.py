"""Gives EIPs that there are to claims, one claim at a time, so that no EIP ever gets to two of them.

They are the user's, by id or selector, or those of an EIPPool.

Only the leader writes the EIP of a claim, and only here if it is the user's. So the first choice of a process
reads all claims live, and what it has chosen since is known to it: the watch cache may be behind, but the two
together never lack a holder. That an EIP is free again is believed after a live look at the one claim that
had it. An earlier leader may have sent such a record just before it lost the Lease: so the first choice
writes into every claim that waits for an EIP of a list. A record that was decided on an older version of it
is refused by the API server from then on.
A claim all of whose EIPs are held, as far as is known, is refused without any request and without a turn:
thousands may wait, and must not keep others from their work. Which EIPs a selector or pool has is known for
that from the last look, if it is a few seconds old, and who is in the line of a pool likewise: one of
thousands is gone through once a second.
Thread safety: any thread may call `choose`; one choice at a time.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.claim import eip_selection
from ipamd.core.claim.actions import Choose, MarkNotProvisioned, RecordAddress, Wait
from ipamd.core.claim.eip_line import WaitingLine
from ipamd.core.claim.eip_selection import SelectionFacts
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip_pool import offer
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.core.model import Eip
from ipamd.kube import errors
from ipamd.runtime import chance

log = logging.getLogger(__name__)

_FRESH: Final = 5.0
"""Seconds for which what a selector or pool had is believed for a refusal."""
_FRESH_LINE: Final = 0.0002
"""The same for a line, for each claim in it: to go through it takes a tenth of that."""


class SelectionReader(Protocol):
    """What is looked at for a choice: `LiveReader`."""

    def at_claims(self) -> list[Claim]:
        """Return all claims, live. Raises: KubeError."""

    def at_holders(self, eip_ids: Iterable[str]) -> dict[str, list[Claim]]:
        """Return which claims have the EIPs, as the watch last told."""

    def may_hold(self, claim: Claim, eip_id: str) -> bool:
        """Whether this incarnation of the claim exists and records no other EIP, as the watch last told."""

    def at_eips(self, eip_ids: tuple[str, ...]) -> dict[str, Eip]:
        """Return those of the EIPs that exist, by id. Raises: CloudError."""

    def at_selected(self, selector: EipSelector) -> dict[str, Eip]:
        """Return the EIPs that are selected, by id. Raises: CloudError."""

    def at_pool(self, name: str) -> EipPool | None:
        """Return the EIPPool, live. Raises: KubeError."""

    def at_members(self, pool: EipPool) -> dict[str, Eip]:
        """Return the EIPs that claims may have of the pool, by id. Raises: CloudError."""

    def line(self, pool: str) -> list[Claim]:
        """Return the claims that wait for an EIP of the pool, as the watch last told."""


class _Look(NamedTuple):
    """What a selector or pool had at the last look."""

    at: float
    eip_ids: tuple[str, ...]
    pool: EipPool | None


class _LineLook(NamedTuple):
    """Who waited for an EIP of a pool."""

    at: float
    line: WaitingLine


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
        self._looks: dict[str, _Look] = {}  # by source; likewise
        self._lines: dict[str, _LineLook] = {}  # by source; only for refusals

    def choose(
        self, claim: Claim, choice: Choose, record: Callable[[RecordAddress, Claim], Claim]
    ) -> Claim | MarkNotProvisioned | Wait:
        """Choose for a claim; `record` writes the EIP into it and returns it as stored.

        Raises: KubeError (ConflictError when the claim is not what it was), CloudError, NotLeaderError.
        """
        if self._fenced:
            refusal = self._refusal(claim, choice)
            if refusal is not None:
                return refusal
        with self._turn:
            self._ports.fence.deadline()
            self._begin_term()
            facts = self._look(claim, choice)
            outcome = eip_selection.settle(claim, choice, facts)
            if not isinstance(outcome, RecordAddress):
                return outcome
            self._ports.fence.deadline()
            eip_id = outcome.address.eip_id
            self._chosen[eip_id] = claim  # before: the answer may be lost
            try:
                recorded = record(outcome, claim)
            except errors.ConflictError:
                del self._chosen[eip_id]  # decided on an older claim, which may have another one by now
                raise
            self._chosen = {i: c for i, c in self._chosen.items() if i == eip_id or c.uid != claim.uid}
            return recorded

    def withdraw(self, eip_id: str, release: Callable[[], None]) -> Claim | None:
        """Have an EIP released that no claim has, while nobody chooses; return the claim that has it.

        Raises: KubeError, CloudError, NotLeaderError.
        """
        with self._turn:
            self._ports.fence.deadline()
            self._begin_term()
            holder = self._sure_holders("", (eip_id,)).get(eip_id)
            if holder is None:
                release()
            return holder

    def look_again(self, source: str) -> None:
        """Forget what was known of a selector or pool: it has EIPs that are new or free."""
        self._looks.pop(source, None)
        self._lines.pop(source, None)

    def _look(self, claim: Claim, choice: Choose) -> SelectionFacts:
        """Look at the EIPs to choose from, and at who has them."""
        pool = self._sight.at_pool(choice.pool) if choice.pool else None
        if choice.pool:
            eips = self._sight.at_members(pool) if pool else {}
        elif choice.selector:
            eips = self._sight.at_selected(choice.selector)
        else:
            eips = self._sight.at_eips(choice.address_ids)
        if choice.source:
            self._remember(choice.source, _Look(self._ports.steady(), tuple(sorted(eips)), pool))
        ids = choice.address_ids or tuple(eips)
        return eip_selection.SelectionFacts(
            cluster_id=self._cluster_id,
            tagged_only=self._tagged_only,
            eips=eips,
            holders=self._sure_holders(claim.uid, ids),
            lot=self._lots(),
            pool=offer.offer_for(claim, choice.pool, pool, self._line(choice.pool), size=len(eips))
            if choice.pool
            else None,
            adopts=claim.adopts or bool(pool and pool.spec and pool.spec.address_ids),
        )

    def _remember(self, source: str, look: _Look) -> None:
        """Keep what was seen, and nothing that is too old to be believed: sources come and go with Pods."""
        old = [name for name, (at, *_) in list(self._looks.items()) if look.at - at > _FRESH]
        for name in old:
            self.look_again(name)
        self._looks[source] = look

    def _line(self, pool: str) -> WaitingLine:
        """Return who waits for an EIP of the pool; who was just given one waits no more."""
        served = {chosen.uid for chosen in list(self._chosen.values())}  # others may write it meanwhile
        return WaitingLine.of(other for other in self._sight.line(pool) if other.uid not in served)

    def _recent_line(self, choice: Choose) -> WaitingLine:
        """Return who waited a moment ago: thousands may ask, and each look takes as long as the line is."""
        known, now = self._lines.get(choice.source), self._ports.steady()
        if known is None or now - known.at > _FRESH_LINE * len(known.line.turns):
            known = self._lines[choice.source] = _LineLook(now, self._line(choice.pool))
        return known.line

    def _refusal(self, claim: Claim, choice: Choose) -> MarkNotProvisioned | None:
        """Return the refusal of a claim that can get nothing, as far as is known without asking."""
        if not choice.source:
            return eip_selection.refuse_if_held(choice, self._known_holders(claim, choice.address_ids))
        look = self._looks.get(choice.source)
        if look is None or not look.eip_ids or self._ports.steady() - look.at > _FRESH:
            return None
        held = self._known_holders(claim, look.eip_ids)
        if not choice.pool:
            return eip_selection.refuse_if_held(Choose(address_ids=look.eip_ids), held)
        line = self._recent_line(choice)
        pool = offer.offer_for(claim, choice.pool, look.pool, line, size=len(look.eip_ids))
        if pool.refusal or len(look.eip_ids) - len(held) > pool.ahead:
            return None
        return eip_selection.wait_in_line(pool, eip_selection.holdings(held))

    def _known_holders(self, claim: Claim, eip_ids: tuple[str, ...]) -> dict[str, Claim]:
        """Return who has the EIPs, as far as is known without asking, other than the claim itself."""
        held = {
            eip_id: other
            for eip_id in eip_ids
            if (other := self._chosen.get(eip_id))
            and other.uid != claim.uid
            and self._sight.may_hold(other, eip_id)
        }
        return held | self._shown_holders(claim.uid, eip_ids)

    def _sure_holders(self, claim_uid: str, eip_ids: tuple[str, ...]) -> dict[str, Claim]:
        """Return who has the EIPs; of those that only this process knows of, as the API server has them now.

        Of what watches show, this claim's own EIP does not count. Of what this process knows, it does: the
        answer to the write that gave it the EIP may have been lost, and no other one may be chosen then.
        """
        held = self._shown_holders(claim_uid, eip_ids)
        for eip_id in eip_ids:
            other = self._chosen.get(eip_id)
            if other is None or eip_id in held:
                continue
            live = self._ports.writer.read(other.namespace, other.name)
            if live and live.uid == other.uid and live.address and live.address.eip_id == eip_id:
                held[eip_id] = live
            else:
                del self._chosen[eip_id]
        return held

    def _shown_holders(self, claim_uid: str, eip_ids: tuple[str, ...]) -> dict[str, Claim]:
        shown = self._sight.at_holders(eip_ids)
        return {i: other for i, holders in shown.items() for other in holders if other.uid != claim_uid}

    def _begin_term(self) -> None:
        if self._fenced:
            return
        for claim in self._sight.at_claims():
            if claim.address is None and claim.request and claim.request.order is None:
                try:
                    self._ports.writer.stamp(claim, self._term)
                except errors.NotFoundError:
                    log.debug("EIPClaim %s is gone meanwhile", claim)
        self._chosen = {c.address.eip_id: c for c in self._sight.at_claims() if c.address}
        self._fenced = True
