"""Room on the node's ENIs for fixed addresses: kept free from the pool, and made where there is none. Pure.

A fixed address has to be on an ENI of its own subnet. The pool of addresses plans what it asks for without
those places (`reserved`), and is told what to ask for besides (`made`): an ENI in the subnet, or, where the
instance can have no more ENIs, one warm address less on an ENI there.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from ipamd.core.ledger.ledger import Ledger
from ipamd.core.pool import CreateEni, EniCapacity, PoolFacts, UnassignIps, may_create


def reserved(facts: PoolFacts, demand: Mapping[str, int]) -> PoolFacts:
    """Return the facts with a place taken for each address that is to come, by subnet, where there is one."""
    if not demand:
        return facts
    per_eni = facts.limits.ips_per_eni - 1
    left = Counter(demand)
    enis = []
    for eni in sorted(facts.enis, key=lambda e: (-e.addresses, e.eni_id)):
        places = 0 if eni.broken else max(0, min(left[eni.subnet_id], per_eni - eni.addresses))
        left[eni.subnet_id] -= places
        enis.append(replace(eni, addresses=eni.addresses + places) if places else eni)
    return replace(facts, enis=tuple(enis))


def made(facts: PoolFacts, demand: Mapping[str, int]) -> list[CreateEni | UnassignIps]:
    """Return what to ask the cloud for, so that there is room in each subnet; empty where there is."""
    per_eni = facts.limits.ips_per_eni - 1
    actions: list[CreateEni | UnassignIps] = []
    for subnet_id, count in sorted(demand.items()):
        there = [eni for eni in facts.enis if eni.subnet_id == subnet_id and not eni.broken]
        if sum(max(0, per_eni - eni.addresses) for eni in there) >= count:
            continue
        slot_left = len(facts.enis) + 1 < facts.limits.enis
        if slot_left and may_create(facts) and per_eni > 0:
            if not facts.creating:
                actions.append(CreateEni(count=0, subnet_id=subnet_id))
            continue
        actions += _one_warm_less(facts.ledger, there)
    return actions


def obstacle(facts: PoolFacts, subnet_id: str) -> str:
    """Return why there will be no room in a subnet for a fixed address; empty while there may be."""
    there = [eni for eni in facts.enis if eni.subnet_id == subnet_id and not eni.broken]
    per_eni = facts.limits.ips_per_eni - 1
    if facts.creating or any(eni.addresses < per_eni for eni in there) or _one_warm_less(facts.ledger, there):
        return ""
    if len(facts.enis) + 1 < facts.limits.enis:
        return "" if may_create(facts) else "the cloud refuses the node a new ENI for the time being"
    if there:
        return f"Pods have all {per_eni * len(there)} addresses of the node's ENIs in {subnet_id}"
    return f"the node has {len(facts.enis)} of {facts.limits.enis - 1} ENIs for Pods and none in {subnet_id}"


def _one_warm_less(ledger: Ledger, enis: list[EniCapacity]) -> list[UnassignIps]:
    for eni in enis:
        warm = sorted(a.ip for a in ledger.available if a.eni_id == eni.eni_id)
        if warm and not eni.busy and not eni.keeps:
            return [UnassignIps(eni_id=eni.eni_id, ips=(warm[0],))]
    return []
