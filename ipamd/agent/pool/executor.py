"""The cloud writes that grow and shrink the node's pool, each written down before it is made.

Thread safety: different actions may run at once; the pool sees to it that no two concern one ENI.
"""

import contextlib
import logging
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ipamd import logs
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pool.subnet_choice import SubnetChoice
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model, pool, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.cloud_errors.policy import Outcome
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import ledger
from ipamd.core.timing.deadline import Deadline
from ipamd.store.database import Database, Intent, StoreError

log = logging.getLogger(__name__)

CREATE_ENI = "CreateAndAttachNetworkInterface"
CREATE_EXCLUSIVE_ENI = f"{CREATE_ENI} for one Pod"
_OURS = (CREATE_ENI, CREATE_EXCLUSIVE_ENI)
_ASSIGN_SECONDS = 60.0
_CREATE_SECONDS = 120.0
_INTENT_LIFETIME = 3600.0
"""Seconds for which a ClientToken is trusted to find what its first use has made."""

_REPEAT_SECONDS = 600.0
"""Seconds for which an ENI of unknown outcome is asked for again instead of another one: no longer, because
one that the cloud never finishes must not stop the node's growth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EniPlan:
    """What new ENIs look like; decided by the node's configuration, with the primary ENI as the model."""

    instance: model.Instance
    cluster_id: str
    security_groups: tuple[str, ...]
    subnets: SubnetChoice
    """Chooses where they are."""
    exclusive: bool = False
    """Whether each is for one Pod as a whole."""


class SubnetRefusedError(TryAgainError):
    """The cloud does not make an ENI in one subnet; another subnet may do."""

    def __init__(self, subnet_id: str, cause: CloudError) -> None:
        super().__init__(cause.message, advice=cause.advice)
        self.subnet_id = subnet_id
        self.cause = cause


class PoolExecutor:
    """Executes planned actions. Errors of all methods: CloudError, TryAgainError, StoreError."""

    def __init__(
        self,
        plan: Callable[[], EniPlan],
        *,
        cloud: TencentCloud,
        enis: NodeEnis,
        shared_ledger: SharedLedger,
        database: Database,
        monotonic: Callable[[], float],
    ) -> None:
        """Take what new ENIs look like and the adapters."""
        self._plan = plan
        self._cloud = cloud
        self._enis = enis
        self._shared_ledger = shared_ledger
        self._database = database
        self._monotonic = monotonic

    @property
    def subnet_ids(self) -> tuple[str, ...]:
        """Where new ENIs may be."""
        return self._plan().subnets.ids

    def assign(self, action: pool.AssignIps) -> None:
        """Get addresses for an ENI and take them into the ledger."""
        deadline = Deadline.after(_ASSIGN_SECONDS, self._monotonic)
        count = self._within_subnet(action, deadline)
        try:
            ips = self._cloud.assign_ips(action.eni_id, count, uuid.uuid4().hex, deadline)
        except CloudError as e:
            if e.kind.policy.outcome is not Outcome.NOTHING:
                self.look()
            raise
        self._shared_ledger.note(
            lambda shared_ledger: ledger.adopt(shared_ledger, action.eni_id, ips, self._shared_ledger.now())
        )
        log.info("assigned %d addresses to %s: %s", len(ips), action.eni_id, ", ".join(ips))

    def create(self, action: pool.CreateEni, closed: frozenset[str]) -> str:
        """Create and attach an ENI in the best of the configured subnets and take it into service.

        One whose outcome is not known comes first: it may be there already. Returns the subnet. Raises: also
        SubnetRefusedError.
        """
        deadline = Deadline.after(_CREATE_SECONDS, self._monotonic)
        intent = self._open_intent() or self._new_intent(action, closed, deadline)
        subnet_id: str = intent.arguments["subnet_id"]
        try:
            self._carry_out(intent, deadline)
        except CloudError as e:
            if e.kind.policy.is_of_object:
                raise SubnetRefusedError(subnet_id, e) from e
            raise
        return subnet_id

    def _open_intent(self) -> Intent | None:
        """Return an ENI creation of unknown outcome that is worth a repeat; the oldest of several."""
        since = self._shared_ledger.now() - _REPEAT_SECONDS
        intents = self._database.intents()
        return next((i for i in intents if i.action == self._action and i.created_at > since), None)

    @property
    def _action(self) -> str:
        return CREATE_EXCLUSIVE_ENI if self._plan().exclusive else CREATE_ENI

    def _new_intent(self, action: pool.CreateEni, closed: frozenset[str], deadline: Deadline) -> Intent:
        """Choose the subnet and write down what is going to be asked for."""
        plan = self._plan()
        subnet = (
            plan.subnets.named(action.subnet_id, deadline)
            if action.subnet_id
            else plan.subnets.best(closed, deadline)
        )
        request = model.EniRequest(
            instance_id=plan.instance.instance_id,
            vpc_id=plan.instance.vpc_id,
            subnet_id=subnet.subnet_id,
            security_groups=plan.security_groups,
            secondary_ips=min(action.count, subnet.available_ips - 1),
            tags={tags.CLUSTER_ID: plan.cluster_id} if plan.cluster_id else {},
        )
        intent = Intent(
            token=uuid.uuid4().hex,
            action=self._action,
            arguments=_arguments(request),
            created_at=self._shared_ledger.now(),
        )
        self._database.put_intent(intent)
        return intent

    def unfinished(self) -> list[Intent]:
        """Return the ENI creations whose outcome is not known; those too old to repeat are struck out."""
        kept = []
        for intent in self._database.intents():
            if intent.action in _OURS and intent.action != self._action:
                continue
            if (
                intent.action == self._action
                and self._shared_ledger.now() - intent.created_at < _INTENT_LIFETIME
            ):
                kept.append(intent)
            else:
                log.warning(
                    "the outcome of %s with ClientToken %s stays unknown", intent.action, intent.token
                )
                with contextlib.suppress(StoreError):  # then the next start strikes it out
                    self._database.drop_intent(intent.token)
        return kept

    def resume(self, intent: Intent) -> None:
        """Repeat an ENI creation that may have been carried out; its token finds what was made."""
        log.info("resuming %s with ClientToken %s", intent.action, intent.token)
        self._carry_out(intent, Deadline.after(_CREATE_SECONDS, self._monotonic))

    def unassign(self, eni_id: str, ips: tuple[str, ...]) -> None:
        """Give retired addresses back; they are forgotten once they are off the ENI.

        Without permission to give back they go on serving; after any other failure they stay retired.
        """
        try:
            self._cloud.unassign_ips(eni_id, ips, Deadline.after(_ASSIGN_SECONDS, self._monotonic))
        except CloudError as e:
            if e.kind is CloudErrorKind.PERMISSION:
                self._shared_ledger.note(
                    lambda shared_ledger: ledger.reinstate(shared_ledger, ips, self._shared_ledger.now())
                )
            raise
        self._enis.departures.note_addresses(eni_id, *ips)
        self._shared_ledger.note(lambda shared_ledger: ledger.forget(shared_ledger, ips))
        log.info("gave %d addresses of %s back: %s", len(ips), eni_id, ", ".join(ips))

    def remove(self, eni_id: str, ip: str) -> None:
        """Detach and delete a retired exclusive ENI; its address is forgotten once it is gone."""
        deadline = Deadline.after(_CREATE_SECONDS, self._monotonic)
        self._cloud.detach_eni(eni_id, self._plan().instance.instance_id, deadline)
        self._cloud.delete_eni(eni_id, deadline)
        self._enis.departures.note_eni(eni_id)
        self._shared_ledger.note(lambda shared_ledger: ledger.forget(shared_ledger, [ip]))
        log.info("gave ENI %s with %s back", eni_id, ip)
        self.look()

    def _within_subnet(self, action: pool.AssignIps, deadline: Deadline) -> int:
        """Return how many addresses to ask for: the cloud gives all or none, so no more than there are."""
        eni = self._enis.enis.get(action.eni_id)
        if eni is None or action.count == 1:
            return action.count
        subnets = self._plan().subnets.look([eni.subnet_id], deadline)
        return max(1, min([action.count, *(subnet.available_ips for subnet in subnets)]))

    def _carry_out(self, intent: Intent, deadline: Deadline) -> None:
        arguments = dict(intent.arguments)
        arguments["security_groups"] = tuple(arguments["security_groups"])
        arguments["exclusive"] = intent.action == CREATE_EXCLUSIVE_ENI
        try:
            eni = self._cloud.create_and_attach_eni(model.EniRequest(**arguments), intent.token, deadline)
        except CloudError as e:
            if not e.kind.policy.outcome_unknown:
                self._database.drop_intent(intent.token)
            raise
        with logs.about(eni=eni.eni_id):
            count = len(eni.addresses) - 1
            log.info("created ENI %s in %s with %d addresses", eni.eni_id, eni.subnet_id, count)
            self.look()
        self._database.drop_intent(intent.token)

    def look(self) -> None:
        """See which ENIs and addresses the node has."""
        self._enis.look(Deadline.after(_ASSIGN_SECONDS, self._monotonic))


def _arguments(request: model.EniRequest) -> dict[str, Any]:
    """Return what is written down of a request; a release before has to be able to repeat it."""
    arguments = asdict(request)
    del arguments["exclusive"]  # the action says it
    return arguments
