"""Unbinds one EIP from one address, and only if it is there and nobody wants it there.

The cloud is looked at before it is asked: an EIP that went elsewhere is not ours to unbind any more. The
address is released only when the cloud no longer shows the EIP at it, and one look is not believed: lists of
the cloud may be some seconds old.
Thread safety: one call for an EIP at a time; calls for different EIPs run in parallel.
"""

import logging

from ipamd.agent.eips.associate import SECONDS, BindTools, change
from ipamd.agent.eips.claims import ClaimSource
from ipamd.core import model, tags
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip import binding_plan
from ipamd.core.errors import IpamError
from ipamd.core.ledger import eip_records, ledger
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import Address, Binding, Held
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)

_SETTLE = 3.0
"""Seconds for which an EIP has to be seen loose that is recorded and was not unbound by us just now."""


class Disassociation:
    """Unbinds EIPs of one node."""

    def __init__(
        self, node: str, cluster_id: str, *, claims: ClaimSource, tools: BindTools, cooldown: float
    ) -> None:
        """Take the node's name, the cluster's id as in tags, and the seconds that freed addresses cool."""
        self._node = node
        self._cluster_id = cluster_id
        self._claims = claims
        self._tools = tools
        self._cooldown = cooldown

    def disassociate(self, action: binding_plan.Disassociate) -> None:
        """Unbind the recorded EIP and free the address of it; return when the cloud shows that.

        Raises: CloudError, KubeError, StoreError, TryAgainError; IpamError for an EIP that is not ours. The
        record then stays, and with it the address stays out of the pool.
        """
        before, tools = action.address, self._tools
        record = before.eip
        deadline = Deadline.after(SECONDS, tools.monotonic)
        if record is None or not (action.certain or self._is_unwanted(before, record, deadline)):
            return
        address = change(before.ip, lambda book: self._begin(book, before, record), tools, deadline)
        if address is None:
            return
        log.info("unbinding %s from %s: %s", record.eip_id, address.ip, action.why)
        eip = tools.cloud.describe_eip(record.eip_id, deadline)
        if eip_records.is_at(eip, address):
            self._unbind(record.eip_id, address, deadline)
        else:
            self._settle(record.eip_id, address, deadline)
        self._forget(address, record, deadline)
        log.info("%s is unbound from %s", record.eip_id, address.ip)

    def _forget(self, address: Address, record: Binding, deadline: Deadline) -> None:
        tools = self._tools

        def forgotten(book: Ledger) -> Transition:
            now = tools.book.now()
            return eip_records.confirm_unbound(book, address.ip, record.eip_id, self._cooldown, now)

        change(address.ip, forgotten, tools, deadline)

    def _begin(self, book: Ledger, before: Address, record: Binding) -> Transition:
        """Record the unbind; a hold ends with it, because its Pod comes back elsewhere or not at all."""
        address = book.addresses.get(before.ip)
        if address is None or address.eip is None or address.eip.eip_id != record.eip_id:
            return Transition(book)
        if address.pod != before.pod:
            return Transition(book)
        begun = eip_records.begin_unbind(book, address.ip, record.eip_id)
        if not isinstance(address.state, Held):
            return begun
        # The second transition holds the address with both changes, so one commit is enough.
        return ledger.vacate(begun.ledger, address.ip, self._cooldown, self._tools.book.now())

    def _is_unwanted(self, address: Address, record: Binding, deadline: Deadline) -> bool:
        """Look at claim and EIP live; whether it may be unbound. IpamError when it is somebody else's.

        Ours are those that this agent has bound, that a claim names, or that were created for the cluster.
        """
        claim = self._live_claim(address, record)
        if claim is not None and self._wants_it_here(claim, address, record):
            return False
        if record.claim or (claim is not None and _has(claim, record.eip_id)):
            return True
        # That the Pod has a claim says nothing about an EIP that an operator put at its address.
        if any(_has(known, record.eip_id) for known in self._claims.all().values()):
            return True
        eip = self._tools.cloud.describe_eip(record.eip_id)
        if eip is None or eip.tags.get(tags.CLUSTER_ID) == self._cluster_id:
            return True
        if not eip_records.is_at(eip, address):
            # Whoever bound it has unbound it. It is not ours to unbind should it come back this instant.
            self._forget(address, record, deadline)
            return False
        raise self._not_ours(address, record, claim)

    def _not_ours(self, address: Address, record: Binding, claim: Claim | None) -> IpamError:
        """Say that the EIP is left alone, and what to do, to whom the address belongs."""
        foreign = (
            f"EIP {record.eip_id} ({record.public_ip or 'no public IP listed'}) is bound to {address.ip} on "
            f"{address.eni_id}, was neither bound by tke-eni nor created for cluster {self._cluster_id}, "
            "and is left alone"
        )
        if address.pod is None:
            return IpamError(
                f"{foreign}; the address is no Pod's and is not used",
                advice="unbind it, if nobody needs it there",
            )
        if claim is None or claim.address is None:
            return IpamError(
                f"{foreign}: Pod {address.pod} has no claim for it",
                advice="unbind it, if the Pod is not meant to have it",
            )
        return IpamError(
            f"{foreign}: Pod {address.pod} cannot get {claim.address.eip_id} while it is there",
            advice=f"unbind {record.eip_id} in the console or with DisassociateAddress; "
            f"{claim.address.eip_id} is bound by itself then",
        )

    def _live_claim(self, address: Address, record: Binding) -> Claim | None:
        name = record.claim or (str(address.pod) if address.pod else "")
        if not name:
            known = self._claims.all().values()
            name = next((str(c) for c in known if c.address and c.address.eip_id == record.eip_id), "")
        namespace, _, name = name.partition("/")
        return self._claims.live(namespace, name) if name else None

    def _wants_it_here(self, claim: Claim, address: Address, record: Binding) -> bool:
        pod: model.PodRef | None = address.pod
        return (
            pod is not None
            and not claim.deleting
            and claim.address is not None
            and claim.address.eip_id == record.eip_id
            and not binding_plan.wanted_elsewhere(claim, self._node)
            and (claim.retained or claim.pod_uid == pod.uid)
        )

    def _settle(self, eip_id: str, address: Address, deadline: Deadline) -> None:
        """See the EIP loose for a while, as the first look may be older than the binding; else unbind it.

        A request to bind that may have been sent has come true or is done with after that.
        """
        effects, monotonic = self._tools.effects, self._tools.monotonic
        quiet_until = monotonic() + _SETTLE
        seen = effects.wait(
            eip_id,
            lambda eip: eip_records.is_at(eip, address) or monotonic() >= quiet_until,
            deadline,
            action="AssociateAddress",
            task_id="",
        )
        if eip_records.is_at(seen, address):
            self._unbind(eip_id, address, deadline)

    def _unbind(self, eip_id: str, address: Address, deadline: Deadline) -> None:
        task_id = self._tools.cloud.disassociate_eip(eip_id, deadline)
        self._tools.effects.wait(
            eip_id,
            lambda eip: not eip_records.is_at(eip, address),
            deadline,
            action="DisassociateAddress",
            task_id=task_id,
            certain=True,
        )
        if not task_id:
            # Not asked, because the cloud showed it unbound or on its way; which may have been an old answer.
            self._settle(eip_id, address, deadline)


def _has(claim: Claim, eip_id: str) -> bool:
    return claim.address is not None and claim.address.eip_id == eip_id
