"""`ipamctl explain pod`: what has happened to a Pod, how kernel, cloud and cluster see it, and what is wrong.

Thread safety: any number of explanations run at once; nothing is changed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ipamd.agent.cni.check import Check
from ipamd.agent.diagnosis.history import PodHistory
from ipamd.agent.diagnosis.trace import NoSuchPodError, PodTrace
from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive.pool import ExclusivePool
from ipamd.agent.fixed.wait import FixedWait
from ipamd.agent.pods.source import PodSource
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.annotations import eip, networks, vpc_ip
from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import EGRESS_THROUGH_EIP, READY, UP_TO_DATE, condition
from ipamd.core.eip.way_out import SeenAs
from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.history.explanation import Explanation, PodSight, explained, is_known
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger import eip_records
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import status as vpc_ip_status
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

_CLOUD_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSight:
    """How one side sees the Pod."""

    side: str
    what: str
    text: str
    ok: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PodExplanation:
    """Everything that is to be told of one Pod."""

    pod: model.PodRef
    address: Address | None
    sight: PodSight
    explanation: Explanation
    sides: tuple[SideSight, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodExplain:
    """Explains the Pods of one node."""

    node: str
    shared_ledger: SharedLedger
    pods: PodSource
    claims: ClaimSource
    enis: NodeEnis
    pool: Pool
    exclusive_pool: ExclusivePool
    cloud: TencentCloud
    check: Check
    trace: PodTrace
    history: PodHistory
    bind_errors: Callable[[], Mapping[str, str]]
    """By claim, why the EIP is not bound, for people."""
    fixed: FixedWait

    def run(self, namespace: str, name: str) -> PodExplanation:
        """Explain a Pod. Raises: NoSuchPodError when nothing at all is known of it."""
        ref = model.PodRef(namespace=namespace, name=name, uid="")
        pod, claim = self.pods.known(ref), self.claims.known(ref)
        address = self._address(str(ref))
        sides = [*self._kernel(address), *self._cloud(address), *self._cluster(ref)]
        wants, refused = _wish(pod)
        not_here = _not_here(pod, exclusive=self.exclusive_pool.limit > 0)
        eni_problem, eni_next = self._eni_problem(address)
        sight = PodSight(
            name=str(ref),
            node=self.node,
            pod=pod,
            wants_eip=wants,
            wish_problem=str(refused or not_here or ""),
            wish_next=not_here.advice if not_here and not refused else "",
            claim=claim,
            address=address,
            events=self.history.of(str(ref)),
            kernel=[side.text for side in sides if side.side == "kernel" and not side.ok],
            kernel_next=self.check.advice(address) if address and isinstance(address.state, Assigned) else "",
            eni_problem=eni_problem,
            eni_next=eni_next,
            cloud=[side.text for side in sides if side.side == "cloud" and not side.ok],
            bind_error=self.bind_errors().get(str(ref), ""),
            pool=self._waited_for(pod) if address is None else "",
        )
        if not is_known(sight):
            raise NoSuchPodError(
                f"nothing is known of Pod {ref} on this node",
                advice="`kubectl get pod -o wide` says on which node it is; ask the agent there",
            )
        return PodExplanation(
            pod=pod.ref if pod else ref,
            address=address,
            sight=sight,
            explanation=explained(sight),
            sides=tuple(sides),
        )

    def _waited_for(self, pod: PodView | None) -> str:
        """Return what a Pod without address waits for; empty while there is one for it."""
        current = self.shared_ledger.current
        if pod is not None and vpc_ip.wants_fixed_ip(pod):
            return f"its fixed address, and that for {self.fixed.waited_for(pod.ref)}"
        if pod is not None and networks.is_exclusive(pod):
            return "" if current.available_enis else self.exclusive_pool.waited_for()
        return "" if current.available else self.pool.waited_for()

    def _address(self, pod: str) -> Address | None:
        """Return the address that the Pod has, or that is kept for it."""
        found = [a for a in self.shared_ledger.current.addresses.values() if str(a.pod or "") == pod]
        return max(found, key=lambda a: isinstance(a.state, Assigned), default=None)

    def _kernel(self, address: Address | None) -> Iterator[SideSight]:
        if address is None or not isinstance(address.state, Assigned) or address.pod is None:
            return
        differences = self.check.look(address)
        for text in differences:
            yield SideSight(side="kernel", what="wiring", text=text, ok=False)
        if not differences:
            text = f"link {address.state.host_interface}, routes, rules and nft elements are as ADD made them"
            yield SideSight(side="kernel", what="wiring", text=text)
        yield self._way(address)

    def _way(self, address: Address) -> SideSight:
        pod = address.pod
        try:
            way = self.trace.run(pod.namespace, pod.name, "").way if pod else None
        except IpamError as e:
            return SideSight(side="kernel", what="way to the internet", text=str(e), ok=False)
        if way is None:
            return SideSight(side="kernel", what="way to the internet", text="it has no owner", ok=False)
        bound = address.eip is not None and address.eip.stage is BindStage.BOUND
        wrong = way.seen_as is SeenAs.NOBODY or (bound and way.seen_as is not SeenAs.EIP)
        return SideSight(side="kernel", what="way to the internet", text=way.verdict, ok=not wrong)

    def _eni_problem(self, address: Address | None) -> tuple[str, str]:
        """Return why the ENI carries no packets, and what to do; empty when it does."""
        eni = self.enis.enis.get(address.eni_id) if address else None
        if eni is None or not eni.problem:
            return "", ""
        code = FindingCode.ENI_BROKEN if eni.is_broken else FindingCode.ENI_MISSING
        return f"ENI {eni.eni_id}: {eni.problem}", code.facts.next_step

    def _cloud(self, address: Address | None) -> Iterator[SideSight]:
        if address is None:
            return
        yield self._whole_eni(address) if address.exclusive else self._shared_eni(address)
        if address.quarantined:
            text = f"{address.ip} is not listed at this node any more"
            yield SideSight(side="cloud", what="address", text=text, ok=False)
        if address.eip is not None:
            yield self._eip(address, address.eip)

    def _shared_eni(self, address: Address) -> SideSight:
        eni = self.enis.enis.get(address.eni_id)
        state = f"{eni.state or 'not asked for yet'}, subnet {eni.subnet_id}" if eni else "not known"
        listed = eni is not None and (not eni.problem or eni.is_broken)
        return SideSight(side="cloud", what=f"ENI {address.eni_id}", text=state, ok=listed)

    def _whole_eni(self, address: Address) -> SideSight:
        eni = self.enis.exclusive.enis.get(address.eni_id)
        text = f"{eni.mac}, subnet {eni.subnet_id}, this Pod's alone" if eni else "not known"
        if eni is not None and not eni.is_listed:
            text += "; the cloud does not list it at this node, ready for use"
        listed = eni is not None and eni.is_listed
        return SideSight(side="cloud", what=f"ENI {address.eni_id}", text=text, ok=listed)

    def _eip(self, address: Address, binding: Binding) -> SideSight:
        what = f"EIP {binding.eip_id}"
        try:
            found = self.cloud.describe_eip(binding.eip_id, Deadline.after(_CLOUD_SECONDS, time.monotonic))
        except IpamError as e:
            # That the cloud cannot be asked is told by `ipamctl status`, and is nothing of this Pod.
            return SideSight(side="cloud", what=what, text=f"could not be asked: {e}")
        may_be_elsewhere = found is not None and binding.stage is not BindStage.BOUND
        return SideSight(
            side="cloud",
            what=what,
            text=eip_records.place(found, binding),
            ok=may_be_elsewhere or eip_records.is_at(found, address),
        )

    def _cluster(self, ref: model.PodRef) -> Iterator[SideSight]:
        fixed, claim = self.fixed.claims.known(ref), self.claims.known(ref)
        if fixed is not None:
            yield _fixed_claim(fixed)
        if claim is None:
            return
        ready = condition(claim.conditions, READY)
        reason = f", {ready.get('reason')}: {ready.get('message')}" if ready.get("message") else ""
        phase = status.phase_of(claim)
        ok = ready.get("status") != "False"
        yield SideSight(side="cluster", what="EIPClaim", text=f"{phase.value}{reason}", ok=ok)
        for what, kind in (("route table", EGRESS_THROUGH_EIP), ("change of the EIP", UP_TO_DATE)):
            told = condition(claim.conditions, kind)
            if told:
                text = f"{told.get('status')}, {told.get('reason')}: {told.get('message')}"
                yield SideSight(side="cluster", what=what, text=text, ok=told.get("status") != "False")


def _fixed_claim(claim: VpcIpClaim) -> SideSight:
    ready = condition(claim.conditions, READY)
    address = f", {claim.address.ip} in {claim.address.subnet_id}" if claim.address is not None else ""
    reason = f", {ready.get('reason')}: {ready.get('message')}" if ready.get("message") else ""
    text = f"{vpc_ip_status.phase_of(claim).value}{address}{reason}"
    return SideSight(side="cluster", what="VpcIPClaim", text=text, ok=ready.get("status") != "False")


def _not_here(pod: PodView | None, *, exclusive: bool) -> InvalidInputError | None:
    """Return why the Pod, whose annotations may be well, can have no address on this node."""
    try:
        if pod is not None:
            networks.check(pod, exclusive=exclusive)
    except InvalidInputError as e:
        return e
    return None


def _wish(pod: PodView | None) -> tuple[bool, InvalidInputError | None]:
    """Return whether a Pod asks for an EIP, and why its annotations cannot be understood."""
    if pod is None:
        return False, None
    try:
        if vpc_ip.wants_fixed_ip(pod):
            vpc_ip.request_of(pod)
        wants = eip.wants_eip(pod)
        if wants:
            eip.request_of(pod)
    except InvalidInputError as e:
        return True, e
    return wants, None
