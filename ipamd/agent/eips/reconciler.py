"""Keeps EIPs where the claims want them: does what `ipamd.core.eip.binding_plan` decides, again and again.

A thread compares ledger and claims after every change of either, and hands what is to be done to a few
workers, one at a time for each claim. What fails is told to the Pod and comes again after a pause; nothing
is remembered of it but its last error. What succeeds and is due as before, because a watch is behind, waits
as well. While the watches have not caught up, only what needs no claim is done: EIPs of freed addresses are
unbound.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from functools import partial

from ipamd import logs
from ipamd.agent.eips import associate
from ipamd.agent.eips.associate import BindTools
from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.eips.disassociate import Disassociation
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods.source import PodSource
from ipamd.core import model
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip import binding_plan
from ipamd.core.errors import CloudErrorKind, IpamError, TryAgainError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import BindStage, Held, Unbinding
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.errors import KubeError
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.expectations import Expectations
from ipamd.runtime.failure_cache import FailureCache
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, gauge
from ipamd.runtime.task import note_defect
from ipamd.runtime.workers import OF_JOBS, JobQueue, Workers, do_job

log = logging.getLogger(__name__)

_GATHER = 0.01
"""Seconds in which changes are gathered before they are looked at."""
_TICK = 10.0
"""Seconds after which everything is compared even if nothing has happened."""
_WORKERS = 8
_LOOK_SECONDS = 30.0


class EipReconciler:
    """The EIPs of one node.

    Invariant: at most one action for a claim (or for an EIP without claim) is under way; `_under_way` names
    their subjects and is touched under `_guard` only. Thread safety: any thread may call any public method.
    """

    def __init__(
        self,
        node: str,
        *,
        claims: ClaimSource,
        pods: PodSource,
        enis: NodeEnis,
        disassociation: Disassociation,
        tools: BindTools,
    ) -> None:
        """Take the node's name, what to compare, and the tools of the actions."""
        self._node = node
        self._claims = claims
        self._pods = pods
        self._enis = enis
        self._disassociation = disassociation
        self._tools = tools
        self._guard = threading.Lock()
        self._under_way: set[str] = set()
        self._failures = FailureCache(clock=tools.book.now, random=chance.fraction)
        self._expectations = Expectations(clock=tools.book.now, random=chance.fraction)
        self._loose: dict[str, str] = {}  # by claim: the EIP that this process has just seen unbound
        self._jobs = JobQueue()
        self._workers = Workers("bind-worker", _WORKERS, self._jobs, do_job, policy=OF_JOBS)
        # The ADD that changed the ledger has wiring to do, and needs the interpreter more.
        self._loop = Loop(
            "bind", self._round, policy=Survive(), pace=LoopPace(period=_TICK, first=None, gather=_GATHER)
        )

    def start(self) -> None:
        """Begin to compare and act."""
        self._workers.start()
        self._loop.start()

    def stop(self, timeout: float) -> None:
        """End; actions under way are waited for, and resumed by the next start if they take longer."""
        self._loop.stop(None)
        self._workers.stop(timeout)

    def trigger(self) -> None:
        """Have ledger and claims compared now."""
        self._loop.trigger()

    def error(self, claim: str) -> IpamError | None:
        """Return why the last action for a claim (namespace/name) failed, None after a success."""
        return self._failures.error(claim)

    def errors(self) -> Mapping[str, IpamError]:
        """Return the last failures by claim, or by EIP where there is no claim."""
        return self._failures.errors()

    def metrics(self) -> Iterator[Metric]:
        """Yield how much has failed."""
        yield gauge(
            "tke_eni_eips_failing",
            "Claims of the node whose last bind or unbind failed.",
            len(self.errors()),
        )

    def _round(self) -> None:
        if not self._enis.are_known:
            return  # an EIP of an address that the ledger does not know yet would look like nobody's
        ledger = self._tools.book.ledger
        claims = self._claims.all()
        facts = binding_plan.BindingFacts(
            node=self._node, ledger=ledger, claims=claims, expected=self._expected(ledger)
        )
        informed = self._claims.has_synced and self._pods.has_synced
        due = [a for a in binding_plan.decide(facts) if informed or _needs_no_claim(a)]
        subjects = {_subject_of(action) for action in due}
        self._failures.keep_only(subjects)
        self._expectations.keep_only(subjects)
        for name in set(self._loose).difference(claims):
            self._loose.pop(name, None)  # its claim went without a Withdraw
        for action in due:
            self._begin(action)

    def _expected(self, ledger: Ledger) -> frozenset[model.PodRef]:
        """Return the Pods whose addresses are held and that may get a sandbox again."""
        views = [self._pods.known(a.pod) for a in ledger.in_state(Held) if a.pod is not None]
        return frozenset(view.ref for view in views if view is not None and view.wants_sandbox)

    def _begin(self, action: binding_plan.Action) -> None:
        subject = _subject_of(action)
        with self._guard:
            if subject in self._under_way or self._failures.is_closed(subject):
                return
            if self._expectations.is_early(subject, action):
                return
            self._under_way.add(subject)
        self._jobs.submit(partial(self._carry_out, subject, action))

    def _carry_out(self, subject: str, action: binding_plan.Action) -> None:
        with logs.about(**_told_of(action)):
            self._attempt(subject, action)

    def _attempt(self, subject: str, action: binding_plan.Action) -> None:
        try:
            self._execute(action)
            self._failures.succeeded(subject)
            self._expectations.done(subject, action)
        except TryAgainError as e:
            log.info("EIP of %s: %s", subject, e)
            self._failures.failed(subject, e)
        except IpamError as e:
            self._failed(subject, action, e)
        except Exception as e:  # a worker must give its subject back
            log.exception("EIP of %s: a defect", subject)
            note_defect()
            self._failures.failed(subject, IpamError(f"a defect of the agent: {type(e).__name__}: {e}"))
        finally:
            with self._guard:
                self._under_way.discard(subject)
            self._tools.book.wake()
            self.trigger()

    def _execute(self, action: binding_plan.Action) -> None:
        match action:
            case binding_plan.Associate():
                associate.associate(action, self._node, self._tools)
            case binding_plan.PublishBinding():
                associate.announce(action, self._node, self._tools)
            case binding_plan.Disassociate():
                self._disassociation.disassociate(action)
                self._remember_loose(action)
            case binding_plan.ClearPublishedBinding():
                self._withdraw(action.claim)

    def _remember_loose(self, action: binding_plan.Disassociate) -> None:
        eip_id = action.address.eip.eip_id if action.address.eip else ""
        if self._tools.book.ledger.with_eip(eip_id) is None:
            # The CVM may have one more public IP now: who was refused for that need not wait.
            self._failures.relieve(CloudErrorKind.QUOTA)
            self._loose[str(_subject_of(action))] = eip_id

    def _withdraw(self, claim: Claim) -> None:
        """Take our binding out of a claim; the cloud is looked at unless we have just unbound the EIP."""
        eip_id = claim.address.eip_id if claim.address else ""
        if eip_id and self._loose.get(str(claim)) != eip_id:
            self._see_loose(claim, eip_id)
        self._tools.announcer.withdraw(claim, self._is_here)
        self._loose.pop(str(claim), None)

    def _see_loose(self, claim: Claim, eip_id: str) -> None:
        """Return when the claim's EIP is at no address that this node has or had; else TryAgainError.

        A new CVM may come to the name of one that is gone (names are private IPs, which are used again): what
        is still bound to an ENI of that one, which nobody has now, is unbound in its place.
        """
        eip = self._tools.cloud.describe_eip(eip_id)
        if eip is None or not eip.bound:
            return
        if eip.eni_id in self._enis.enis:
            self._enis.look(Deadline.after(_LOOK_SECONDS, self._tools.monotonic))
            raise TryAgainError(f"{eip_id} of EIPClaim {claim} is bound to {eip.private_ip}: recorded now")
        if self._was_left(claim, eip):
            self._tools.cloud.disassociate_eip(eip_id)
            raise TryAgainError(f"{eip_id} of EIPClaim {claim} is unbound from {eip.place}, which no CVM has")

    def _was_left(self, claim: Claim, eip: model.Eip) -> bool:
        """Whether the EIP is where the claim says that this node bound it, on an ENI that no CVM has now."""
        binding = claim.binding
        if binding is None or (binding.eni_id, binding.private_ip) != (eip.eni_id, eip.private_ip):
            return False
        eni = self._tools.cloud.describe_eni(eip.eni_id)
        return eni is None or not eni.instance_id

    def _is_here(self, claim: Claim) -> bool:
        return binding_plan.is_here(self._tools.book.ledger, claim)

    def _failed(self, subject: str, action: binding_plan.Action, error: IpamError) -> None:
        pause = self._failures.failed(subject, error)
        log.warning("EIP of %s: %s (again in %.0f s)", subject, error, pause)
        pod = action.address.pod if not isinstance(action, binding_plan.ClearPublishedBinding) else None
        if pod is not None:
            reason = "FailedAssociateEIP" if isinstance(action, _BINDS) else "FailedDisassociateEIP"
            self._tools.announcer.warning(pod, reason, str(error))
            claim = self._kept_waiting(action, pod)
            if claim is not None and not isinstance(error, KubeError):
                self._tools.announcer.bind_failed(claim, pod, error)

    def _kept_waiting(self, action: binding_plan.Action, pod: model.PodRef) -> Claim | None:
        """Return the claim whose EIP is not bound because the action failed."""
        if isinstance(action, binding_plan.Associate):
            return action.claim
        claim = self._claims.known(pod)
        if not isinstance(action, binding_plan.Disassociate) or claim is None or claim.address is None:
            return None
        record = action.address.eip
        if record is None:
            return None
        return claim if claim.address.eip_id != record.eip_id else None


_BINDS = (binding_plan.Associate, binding_plan.PublishBinding)


def _subject_of(action: binding_plan.Action) -> str:
    """Return what an action is about: the claim, so that no two of one claim run at once."""
    if isinstance(action, binding_plan.Disassociate):
        record = action.address.eip
        return record.claim or record.eip_id if record else action.address.ip
    return str(action.claim)


def _told_of(action: binding_plan.Action) -> dict[str, str]:
    """Return what the log says that an action is about."""
    if isinstance(action, binding_plan.Disassociate):
        record, pod = action.address.eip, action.address.pod
        told = {"eni": action.address.eni_id}
        told |= {"namespace": pod.namespace, "pod": pod.name} if pod else {}
        return told | ({"eip": record.eip_id, "claim": record.claim} if record else {})
    claim = action.claim
    return {"claim": str(claim), "eip": claim.address.eip_id if claim.address else ""}


def _needs_no_claim(action: binding_plan.Action) -> bool:
    """Whether an action is right whatever the claims say."""
    if not isinstance(action, binding_plan.Disassociate) or action.address.eip is None:
        return False
    leaving = action.address.eip.stage is BindStage.UNBINDING
    return action.certain and (leaving or isinstance(action.address.state, Unbinding))
