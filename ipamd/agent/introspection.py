"""The gRPC service `Introspection`: what an operator may know (`ipamctl`). Reads snapshots, changes nothing.

Container ids are left out: with one, somebody who may read could also delete.
Thread safety: methods run on the server's threads.
"""

import ipaddress
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import ipamd
from ipamd.agent.components import ComponentSight
from ipamd.agent.eips.reconciler import EipReconciler
from ipamd.agent.enis import NodeEni, NodeEnis
from ipamd.agent.exclusive import entry as exclusive_entry
from ipamd.agent.exclusive.pool import ExclusivePool
from ipamd.agent.pool.pool import Pool
from ipamd.agent.problems import NodeProblems
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.kubernetes import capacity
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import (
    Address,
    Assigned,
    BindStage,
    Cooling,
    Held,
    Occupied,
    Unassigning,
    Unbinding,
)
from ipamd.core.ledger.uses import use_of
from ipamd.core.timing import boottime
from ipamd.core.timing.boottime import Boottime
from ipamd.grpc_server.call import Call
from ipamd.rpc import introspection_pb2 as messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What does not change while the agent runs."""

    node: str
    region: str
    instance: Callable[[], model.Instance]
    """The CVM as it was told last."""
    started_at: Boottime


class IntrospectionService:
    """Answers `ipamctl`."""

    def __init__(  # noqa: PLR0913 - where to look
        self,
        identity: Identity,
        *,
        shared_ledger: SharedLedger,
        pool: Pool,
        exclusive_pool: ExclusivePool,
        enis: NodeEnis,
        eip_reconciler: EipReconciler,
        problems: NodeProblems,
    ) -> None:
        """Take who the node is, and where to look."""
        self._identity = identity
        self._shared_ledger = shared_ledger
        self._pool = pool
        self._exclusive_pool = exclusive_pool
        self._enis = enis
        self._eip_reconciler = eip_reconciler
        self._problems = problems

    def GetStatus(  # noqa: N802 - the name in the contract
        self,
        request: messages.GetStatusRequest,
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> messages.NodeStatus:
        """Say who the node is, what its pool holds and what is wrong."""
        identity, instance = self._identity, self._identity.instance()
        return messages.NodeStatus(
            version=ipamd.__version__,
            node=identity.node,
            instance_id=instance.instance_id,
            region=identity.region,
            zone=instance.zone,
            vpc_id=instance.vpc_id,
            subnet_id=instance.subnet_id,
            started_at_unix=self._unix(identity.started_at),
            problems=self._problems.all_problems(),
            notices=self._problems.notices(),
            pool=self._pool_message(),
            capacity=self._capacity(instance),
            components=[self._component(sight) for sight in self._problems.components.look()],
            addresses=self._addresses() if request.addresses else (),
            exclusive_enis=self._exclusive_message(),
        )

    def ListPods(  # noqa: N802 - the name in the contract
        self,
        request: messages.ListPodsRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> messages.ListPodsReply:
        """List the Pods that own or occupy an address, by name."""
        entries = [
            _pod_entry(a.pod, a, self._unix(a.state.since))
            for a in self._shared_ledger.current.addresses.values()
            if a.pod and isinstance(a.state, Assigned | Occupied)
        ]
        return messages.ListPodsReply(pods=sorted(entries, key=lambda entry: (entry.namespace, entry.name)))

    def ListEnis(  # noqa: N802 - the name in the contract
        self,
        request: messages.ListEnisRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> messages.ListEnisReply:
        """List the ENIs that carry Pods, those of single Pods behind the others."""
        limit = self._pool.terms.limits.ips_per_eni - 1
        shared_ledger = self._shared_ledger.current
        enis = sorted(self._enis.enis.values(), key=lambda eni: eni.eni_id)
        whole = sorted(self._enis.exclusive.enis.values(), key=lambda eni: eni.eni_id)
        return messages.ListEnisReply(
            enis=[
                *(_eni_entry(eni, shared_ledger, limit) for eni in enis),
                *(exclusive_entry.entry(eni, shared_ledger) for eni in whole),
            ]
        )

    def ListEips(  # noqa: N802 - the name in the contract
        self,
        request: messages.ListEipsRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> messages.ListEipsReply:
        """List the EIPs at this node's addresses, and the claims whose EIP could not be bound."""
        errors = dict(self._eip_reconciler.told())
        recorded = [a for a in self._shared_ledger.current.addresses.values() if a.eip is not None]
        entries = [_eip_entry(address, errors.pop(_subject(address), "")) for address in recorded]
        entries += [_unbound_entry(claim, message) for claim, message in errors.items()]
        return messages.ListEipsReply(eips=sorted(entries, key=lambda entry: (entry.namespace, entry.name)))

    def _component(self, sight: ComponentSight) -> messages.ComponentStatus:
        waiting = sight.age is None and not sight.detail
        return messages.ComponentStatus(
            name=sight.name,
            state="trouble" if sight.troubles else "waiting" if waiting else "ok",
            last_good_unix=0 if sight.age is None else round(time.time() - sight.age),
            detail=sight.detail,
            troubles=sight.troubles,
        )

    def _addresses(self) -> list[messages.AddressEntry]:
        """Return what every address is doing, by ENI and address."""
        found = sorted(
            self._shared_ledger.current.addresses.values(), key=lambda a: (a.eni_id, _number(a.ip))
        )
        return [self._address(address) for address in found]

    def _address(self, address: Address) -> messages.AddressEntry:
        use = use_of(address)
        return messages.AddressEntry(
            ip=address.ip,
            eni_id=address.eni_id,
            use=use.word,
            pod=use.pod,
            until_unix=0 if use.until is None else self._unix(use.until),
            since_unix=0 if use.since is None else self._unix(use.since),
            eip_id=address.eip.eip_id if address.eip else "",
            why=use.why,
        )

    def _unix(self, at: Boottime) -> int:
        """Return the Unix time of an instant, by what the node's wall clock says now."""
        return round(boottime.to_unix(at, now=self._shared_ledger.now(), wall=time.time()))

    def _capacity(self, instance: model.Instance) -> dict[str, int]:
        """Return what the Node offers to Pods, by the names of the resources without their prefix."""
        offered = capacity.resources(instance.vcpus, self._pool.terms.limits, self._enis.other_public_ips)
        if self._exclusive_pool.limit:
            offered[capacity.DIRECT_ENI_RESOURCE] = self._exclusive_pool.limit
        return {name.partition("/")[2]: quantity for name, quantity in offered.items()}

    def _pool_message(self) -> messages.Pool:
        terms = self._pool.terms
        counted = _counted(self._shared_ledger.current.shared, exclusive=False)
        counted.min_warm, counted.max_warm = terms.targets.min_warm, terms.targets.max_warm
        counted.limit, counted.activity = capacity.pod_ips(terms.limits), self._pool.activity
        return counted

    def _exclusive_message(self) -> messages.Pool:
        pool = self._exclusive_pool
        counted = _counted(self._shared_ledger.current.exclusive, exclusive=True)
        counted.min_warm, counted.max_warm = pool.targets.min_warm, pool.targets.max_warm
        counted.limit, counted.activity = pool.limit, pool.activity
        return counted


def _counted(part: ledger.Ledger, *, exclusive: bool) -> messages.Pool:
    states = Counter(type(a.state) for a in part.addresses.values() if not a.quarantined)
    return messages.Pool(
        total=len(part.addresses),
        in_use=states[Assigned] + states[Occupied],
        warm=part.free(exclusive=exclusive),
        held=states[Held],
        cooling=states[Cooling] + states[Unbinding] + states[Unassigning],
        quarantined=sum(a.quarantined for a in part.addresses.values()),
    )


def _number(ip: str) -> int:
    return int(ipaddress.IPv4Address(ip))


def _pod_entry(pod: model.PodRef, address: Address, added_at_unix: int) -> messages.PodEntry:
    return messages.PodEntry(
        namespace=pod.namespace,
        name=pod.name,
        uid=pod.uid,
        private_ip=address.ip,
        eni_id=address.eni_id,
        host_interface=address.state.host_interface if isinstance(address.state, Assigned | Occupied) else "",
        eip_id=address.eip.eip_id if address.eip else "",
        public_ip=address.eip.public_ip if address.eip else "",
        eip_state=address.eip.stage.value if address.eip else "",
        added_at_unix=added_at_unix,
        netns=address.state.netns if isinstance(address.state, Assigned) else "",
        exclusive=address.exclusive,
    )


def _eni_entry(eni: NodeEni, shared_ledger: ledger.Ledger, limit: int) -> messages.EniEntry:
    mine = [a for a in shared_ledger.addresses.values() if a.eni_id == eni.eni_id]
    return messages.EniEntry(
        eni_id=eni.eni_id,
        interface=eni.link.name if eni.link else "",
        mac=eni.mac,
        subnet_id=eni.subnet_id,
        primary=False,
        state=eni.state or "UNKNOWN",
        route_table=eni.link.table if eni.link else 0,
        addresses=len(mine),
        in_use=sum(isinstance(a.state, Assigned | Occupied) for a in mine),
        address_limit=limit,
    )


def _eip_entry(address: Address, last_error: str) -> messages.EipEntry:
    eip = address.eip
    if eip is None:
        msg = f"{address.ip} has no EIP"
        raise ValueError(msg)
    claim = _subject(address)
    namespace, _, name = claim.rpartition("/")
    leaving = isinstance(address.state, Unbinding)
    return messages.EipEntry(
        eip_id=eip.eip_id,
        public_ip=eip.public_ip,
        private_ip=address.ip,
        namespace=namespace,
        name=name if namespace else "",
        state=BindStage.UNBINDING.value if leaving else eip.stage.value,
        last_error=last_error,
    )


def _unbound_entry(claim: str, message: str) -> messages.EipEntry:
    namespace, _, name = claim.rpartition("/")
    return messages.EipEntry(namespace=namespace, name=name, state="unbound", last_error=message)


def _subject(address: Address) -> str:
    """Return under which name the EIP reconciler keeps errors about the address's EIP."""
    if address.eip is not None and address.eip.claim:
        return address.eip.claim
    return str(address.pod) if address.pod else ""
