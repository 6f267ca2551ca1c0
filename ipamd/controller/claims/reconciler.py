"""The loop around the rules: gather facts, decide, look or act, decide again, until the claim can rest.

One round serves one key (namespace and name of Pod and claim). It keeps nothing: whatever it learns is asked
for again in the next round, so a crash at any point is no special case.
Thread safety: one object serves all workers; the work queue keeps two of them off the same key.
"""

import logging
from dataclasses import replace

from ipamd import logs
from ipamd.cloud.tasks import TaskState
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.claims.executor import Executor
from ipamd.controller.claims.live_reader import LiveReader
from ipamd.controller.claims.ports import Ports
from ipamd.core.claim import actions as do
from ipamd.core.claim import provision, state_machine, status, warnings
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.facts import ClaimFacts, PodRelation, is_alone, relation_of
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.failure_meanings import failures
from ipamd.kube import errors
from ipamd.kube.leases import NotLeaderError
from ipamd.kube.watch import Key
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_MOST_STEPS = 20
"""More than any claim needs to come to rest.

A round that exceeds it is a defect or a fight with another writer.
"""


class ClaimReconciler:
    """Brings one claim as far as it gets."""

    def __init__(
        self,
        cluster_id: str,
        *,
        cluster: ClusterView,
        live: LiveReader,
        executor: Executor,
        ports: Ports,
        rules: ClusterRules | None = None,
    ) -> None:
        self._rules = rules or ClusterRules()
        self._cluster_id = cluster_id
        self._cluster = cluster
        self._live = live
        self._executor = executor
        self._ports = ports

    def reconcile(self, key: Key) -> Result:
        """Work on the key once.

        Raises: KubeError, CloudError, NotLeaderError: nothing is lost, come back later.
        """
        namespace, name = key
        # Claim and Pod have one name.
        with logs.about(claim=f"{namespace}/{name}", namespace=namespace, pod=name):
            return self._reconcile(key)

    def _reconcile(self, key: Key) -> Result:
        facts = self._begin(self._cluster.claim(key), key)
        for _ in range(_MOST_STEPS):
            action = state_machine.decide(facts)
            try:
                outcome = self._step(action, facts)
            except errors.ConflictError:
                outcome = self._begin(self._ports.writer.read(*key), key)
            except errors.NotFoundError as e:
                log.debug("claim %s/%s is gone meanwhile: %s", *key, e)
                return Result(requeue_after=1.0)
            except CloudError as e:
                if not _asks_for_a_look(action, e):
                    self._tell_failure(action, facts, e)
                    raise
                log.info("claim %s/%s: the cloud is looked at, as it refuses: %s", *key, e)
                outcome = replace(facts, look_first=True)
            if isinstance(outcome, Result):
                self._give_hints(facts)
                return outcome
            facts = outcome
        log.warning("claim %s/%s does not come to rest; last facts: %s", *key, facts)
        return Result(failed=True)

    def _begin(self, claim: Claim | None, key: Key) -> ClaimFacts:
        pod = self._cluster.pod(key)
        absent = is_alone(claim, pod)
        obstacle = self._cluster.obstacle(pod, early=self._rules.early_orders) if pod else None
        obstructed = claim is not None and claim.address is None and obstacle is not None
        return self._with_promises(
            ClaimFacts(
                cluster_id=self._cluster_id,
                now=self._ports.clock(),
                claim=claim,
                pod=pod,
                rules=self._rules,
                absent_for=self._ports.absences.looked(key, claim.uid if claim else "", absent=absent),
                obstacle=obstacle,
                obstructed_for=self._ports.obstacles.looked(
                    key, claim.uid if claim else "", absent=obstructed
                ),
                clock_doubt=self._ports.clock_doubt() if absent else "",
                kept_eni=self._cluster.kept_eni(key) if claim else None,
            )
        )

    def _give_hints(self, facts: ClaimFacts) -> None:
        claim, pod = facts.claim, facts.pod
        if pod is None or not pod.wants_sandbox:
            return
        notes = warnings.misunderstandings(pod, self._cluster.node(pod.node))
        if claim and not claim.deleting and relation_of(claim, pod) is PodRelation.SAME:
            notes += warnings.notes(claim, pod)
        for note in notes:
            self._ports.teller.pod_once(pod.ref, note.reason, note.message)

    def _step(self, action: do.Action, facts: ClaimFacts) -> ClaimFacts | Result:
        claim = facts.claim
        if isinstance(action, do.Idle):
            return Result()
        if isinstance(action, do.Wait):
            return self._wait(action, facts)
        if isinstance(action, do.LookAtNode):
            return replace(facts, node_fate=self._live.at_node(action.node))
        if claim and isinstance(action, do.LookAtPod):
            return replace(facts, live_pod=self._live.at_pod(claim))
        if isinstance(action, do.LookAtOwners):
            return replace(facts, workload=self._live.at_owners(action.pod))
        if claim and isinstance(action, do.LookAtCloud):
            return self._look_at_cloud(claim, facts)
        return self._executor.execute(action, facts)

    def _look_at_cloud(self, claim: Claim, facts: ClaimFacts) -> ClaimFacts:
        in_flight = self._ports.in_flight
        claims_due = in_flight.order_asked(claim.uid)
        eips = self._live.at_cloud(
            claim,
            facts.ordered,
            shown_by_tag=in_flight.shown_by_tag(claim.uid),
            by_id=in_flight.by_id(claim.uid),
            claims_due=claims_due,
        )
        order = in_flight.ordered(claim.uid)
        shown = {eip.eip_id for eip in eips}
        missing = order is not None and order.eip_id not in shown | facts.released
        if order is not None:
            usable = {eip.eip_id for eip in eips if eip.status in provision.USABLE}
            in_flight.order_looked(claim.uid, delivered=order.eip_id in usable)
        task = self._live.at_order(order) if order and missing else TaskState.UNKNOWN
        unshown = in_flight.looked(claim.uid, shown=bool(eips)) if claim.deleting else 0.0
        return self._with_promises(
            replace(
                facts,
                eips=eips,
                order_failed=task is TaskState.FAILED,
                order_delivered=task is TaskState.SUCCESS,
                change_failed=self._change_failed(claim),
                unshown_for=unshown,
                blind=self._ports.blind(),
            )
        )

    def _change_failed(self, claim: Claim) -> bool:
        step = self._ports.changes.of(claim.uid) if claim.change else None
        return step is not None and self._live.at_order(step) is TaskState.FAILED

    def _wait(self, action: do.Wait, facts: ClaimFacts) -> Result:
        log.debug("claim %s waits %.1f s: %s", facts.claim, action.seconds, action.reason)
        if action.warning and facts.claim:
            self._ports.teller.claim(facts.claim, "Warning", action.warning, action.reason)
        if action.until_sweep and facts.claim:
            self._ports.sweep_waits.add((facts.claim.namespace, facts.claim.name))
            if not self._ports.blind():  # the pass ended between the look and now
                self._ports.sweep_waits.wake()
        return Result(requeue_after=action.seconds, failed=bool(action.warning))

    def _with_promises(self, facts: ClaimFacts) -> ClaimFacts:
        if facts.claim is None:
            return facts
        listed = frozenset(eip.eip_id for eip in facts.eips or ())
        order = self._ports.in_flight.ordered(facts.claim.uid)
        return replace(
            facts,
            ordered=order.eip_id if order else "",
            delivery_in=self._ports.in_flight.delivery_in(facts.claim.uid),
            refused=self._ports.in_flight.refused(facts.claim.uid),
            released=self._ports.in_flight.released(facts.claim.uid, listed),
        )

    def _tell_failure(self, action: do.Action, facts: ClaimFacts, error: CloudError) -> None:
        """Tell of what was not done; a failed order has been told with its claim's condition."""
        if facts.claim and isinstance(action, do.Release | do.DisassociateEip):
            verb = "Release" if isinstance(action, do.Release) else "Disassociate"
            self._ports.teller.claim(facts.claim, "Warning", f"Failed{verb}EIP", failures.told(error))
        if (
            facts.claim
            and isinstance(action, do.LookAtCloud | do.Choose)
            and error.kind.policy.needs_operator
        ):
            self._ports.teller.both(facts.claim, "Warning", "FailedDescribeEIP", failures.told(error))
            self._record_blindness(facts.claim, error)

    def _record_blindness(self, claim: Claim, error: CloudError) -> None:
        """Say in a claim that waits for its EIP that the cloud does not let itself be asked."""
        if claim.address is not None or claim.deleting:
            return
        reason = failures.of_order(error).reason
        patch = status.not_provisioned(
            claim, reason, failures.told(error), self._ports.clock(), certain=False
        )
        if patch is None:
            return
        try:
            self._ports.fence.deadline()
            self._ports.writer.write_status(claim, patch)
        except (errors.KubeError, NotLeaderError) as e:
            log.debug("claim %s does not say yet why it waits: %s", claim, e)


def _asks_for_a_look(action: do.Action, error: CloudError) -> bool:
    """Whether something was decided without a look, and the cloud says that it is not as it was believed."""
    return isinstance(action, do.Release) and not action.looked and error.kind.policy.needs_look
