"""What must be so at rest, whatever was killed on the way there: a look at everything in, sentences out.

Four kinds of failure are told apart, as they cost differently. Pure.

leaked      something is there that nobody needs: an EIP, an ENI, an address, a link, a claim
stolen      something is where it belongs to somebody else
duplicate   one wish was granted twice
unmended    a Pod that runs lacks what it should have
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from testbed.faults.evidence import Evidence, Row

KINDS: Final = ("leaked", "stolen", "duplicate", "unmended")
_CLUSTER_TAG: Final = "tke-clusterId"
_UID_TAG: Final = "tke-eipclaim-uid"
_NODE_TAG: Final = "tke-eni-node"
_PUT_AWAY: Final = "tke"
"""How the name of a link begins that waits for a Pod."""
_UNOWNED: Final = ("warm", "cooling", "unassigning")
"""States of an address that nobody has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that is not as it must be; `pod` is whose it is, empty when it is the node's."""

    kind: str
    text: str
    pod: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A Pod that runs, as the runtime was told."""

    name: str
    eip: bool
    ip: str
    container_id: str
    states: tuple[str, ...] = ("assigned",)
    """Of its address in the store; `occupied` where a lost store cannot name the sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is to be so."""

    pods: Mapping[str, Wanted]
    retained: AbstractSet[str]
    """Names whose claims outlive their Pods."""
    warm: range
    """How many addresses without owner may be warm or on their way there."""
    enis: int
    """Secondary ENIs."""
    cluster_id: str


def violations(seen: Evidence, expected: Expectation) -> list[Violation]:
    """Return everything that is not as it must be; empty at the end of every fault."""
    return [
        *_eips(seen, expected),
        *_claims(seen, expected),
        *_enis(seen, expected),
        *_own_enis(seen, expected),
        *_addresses(seen, expected),
        *_kernel(seen, expected),
        *(v for wanted in expected.pods.values() for v in _pod(seen, wanted)),
    ]


def repeated_orders(writes: Iterable[Row]) -> list[Violation]:
    """Return the claims for which the cloud was had to allocate more than one EIP, by its audit."""
    granted = (
        w for w in writes if w["action"] == "AllocateAddresses" and not w["code"] and not w["replayed"]
    )
    counts = Counter(tag["Value"] for w in granted for tag in w["params"]["Tags"] if tag["Key"] == _UID_TAG)
    return [
        Violation(kind="duplicate", text=f"{count} EIPs were allocated for the claim with UID {uid}")
        for uid, count in counts.items()
        if count > 1
    ]


def _ours(seen: Evidence, expected: Expectation) -> list[Row]:
    return [eip for eip in seen.eips if eip["Tags"].get(_CLUSTER_TAG) == expected.cluster_id]


def _eips(seen: Evidence, expected: Expectation) -> Iterator[Violation]:
    uids = {claim["metadata"]["uid"]: claim["metadata"]["name"] for claim in seen.claims}
    wanted = {n for n, p in expected.pods.items() if p.eip} | set(expected.retained)
    owners: Counter[str] = Counter()
    for eip in _ours(seen, expected):
        uid = eip["Tags"].get(_UID_TAG, "")
        name = uids.get(uid, "")
        owners[uid] += 1
        if name not in wanted:
            of = f"of claim {name}" if name else f"of no claim (UID {uid})"
            text = f"EIP {eip['AddressId']} {of} is {eip['AddressStatus']}"
            yield Violation(kind="leaked", text=text, pod=name)
        elif eip["PrivateAddressIp"]:
            pod = expected.pods.get(name)
            row = seen.leases.get(eip["PrivateAddressIp"])
            held = name in expected.retained and row is not None and row["name"] == name
            if not held and (pod is None or eip["PrivateAddressIp"] != pod.ip):
                text = f"EIP {eip['AddressId']} of claim {name} is at {eip['PrivateAddressIp']}"
                yield Violation(kind="stolen", text=text, pod=name)
    for uid, count in owners.items():
        if count > 1:
            text = f"{count} EIPs carry the UID of claim {uids.get(uid, uid)}"
            yield Violation(kind="duplicate", text=text, pod=uids.get(uid, ""))


def _claims(seen: Evidence, expected: Expectation) -> Iterator[Violation]:
    wanted = {n for n, p in expected.pods.items() if p.eip} | set(expected.retained)
    for claim in seen.claims:
        name = claim["metadata"]["name"]
        if name not in wanted:
            deleting = ", which is being deleted," if claim["metadata"].get("deletionTimestamp") else ""
            yield Violation(kind="leaked", text=f"claim {name}{deleting} is there", pod=name)


def _enis(seen: Evidence, expected: Expectation) -> Iterator[Violation]:
    secondary = [eni for eni in seen.enis if not eni["primary"]]
    for eni in secondary:
        if eni["instance_id"] != seen.instance_id:
            yield Violation(kind="leaked", text=f"ENI {eni['eni_id']} is attached to nothing of ours")
    if len(secondary) > expected.enis:
        text = f"the node has {len(secondary)} secondary ENIs, {expected.enis} are enough"
        yield Violation(kind="duplicate", text=text)
    elif len(secondary) < expected.enis:
        yield Violation(kind="unmended", text=f"the node has {len(secondary)} of {expected.enis} ENIs")
    if seen.intents:
        yield Violation(kind="leaked", text=f"the store has {seen.intents} intents whose outcome is known")


def _own_enis(seen: Evidence, expected: Expectation) -> Iterator[Violation]:
    """Look for ENIs of single Pods that are neither in their Pod nor put away."""
    owners = {pod.ip: pod.name for pod in expected.pods.values()}
    for ip, link in seen.own_enis.items():
        if ip in owners and link:
            text = f"the ENI of {ip} is on the node, as {link}"
            yield Violation(kind="unmended", text=text, pod=owners[ip])
        elif ip not in owners and not link.startswith(_PUT_AWAY):
            text = f"the ENI of {ip}, which no Pod has, is {link or 'not on the node'}"
            yield Violation(kind="leaked", text=text)


def _addresses(seen: Evidence, expected: Expectation) -> Iterator[Violation]:
    """Compare what the cloud assigned with what the store has."""
    listed = {
        ip
        for eni in seen.enis
        if eni["tags"].get(_NODE_TAG) == seen.instance_id
        for ip, address in eni["addresses"].items()
        if not address["primary"]
    } | set(seen.own_enis)
    for ip in sorted(listed - set(seen.leases)):
        yield Violation(kind="leaked", text=f"{ip} is assigned by the cloud and not in the store")
    unowned = {ip: row for ip, row in seen.leases.items() if row["state"] in _UNOWNED}
    # What is in quarantine is known not to be listed, and given to nobody.
    free = {ip for ip, row in unowned.items() if row["missing_since"] is None and ip not in seen.own_enis}
    for ip in sorted(set(seen.leases) - (set(unowned) - free) - listed):
        yield Violation(kind="unmended", text=f"{ip} is in the store and not assigned by the cloud")
    if len(free) not in expected.warm:
        kind = "leaked" if len(free) >= expected.warm.stop else "unmended"
        yield Violation(kind=kind, text=f"{len(free)} addresses are free, {_range(expected.warm)} should be")
    for ip, row in seen.leases.items():
        name = str(row["name"] or "")
        holds = row["state"] == "held" and name in expected.retained
        if ip not in unowned and not holds and (name not in expected.pods or expected.pods[name].ip != ip):
            text = f"{ip} is {row['state']} for Pod {name or 'of no name'}, which does not have it"
            yield Violation(kind="leaked", text=text, pod=name)


def _kernel(seen: Evidence, expected: Expectation) -> Iterator[Violation]:
    """Look for what is there without a Pod; what a Pod lacks is `_pod`'s."""
    ips = {pod.ip: pod.name for pod in expected.pods.values()}
    owners = {ip: str(row["name"] or "") for ip, row in seen.leases.items()}
    for where, found in (
        ("a route to", set(seen.host_routes)),
        ("an element of nft map pods for", seen.nft_pods),
        ("an element of nft set eip_pods for", seen.nft_eip_pods),
        ("an element of nft set pod_sources for", seen.nft_sources),
    ):
        for ip in sorted(found - set(ips)):
            yield Violation(kind="leaked", text=f"the kernel has {where} {ip}", pod=owners.get(ip, ""))
    if len(seen.links) > len(ips):
        text = f"the kernel has {len(seen.links)} links for {len(ips)} Pods"
        suspects = sorted(set(owners.values()) - set(ips.values()) - {""})
        yield Violation(kind="leaked", text=text, pod=suspects[0] if suspects else "")
    # One that finds Pods, and two for each ENI.
    if seen.rules != 1 + 2 * expected.enis:
        text = f"the kernel has {seen.rules} policy rules for {expected.enis} ENIs"
        yield Violation(kind="leaked" if seen.rules > 1 + 2 * expected.enis else "unmended", text=text)


def _pod(seen: Evidence, pod: Wanted) -> Iterator[Violation]:
    row = seen.leases.get(pod.ip)
    owns = row is not None and row["state"] in pod.states
    if row is None or not owns or row["container_id"] not in (pod.container_id, None):
        yield _lack(pod, f"the store has {pod.ip} as {dict(row) if row else 'nothing'}")
    if pod.ip not in seen.host_routes or seen.host_routes[pod.ip] not in seen.links:
        yield _lack(pod, f"there is no link, or no route to {pod.ip}")
    elements = pod.ip in seen.nft_pods, pod.ip in seen.nft_sources, pod.ip in seen.nft_eip_pods
    # What comes from an ENI of its own does not pass the node, where its address would be kept.
    if elements != (True, True, pod.eip and pod.ip not in seen.own_enis):
        yield _lack(pod, f"the nft elements of {pod.ip} are not right")
    if not pod.eip:
        return
    claim = next((c for c in seen.claims if c["metadata"]["name"] == pod.name), None)
    if claim is None or claim["metadata"].get("deletionTimestamp"):
        yield _lack(pod, "its claim is gone or going")
        return
    yield from _eip_of(seen, pod, claim)


def _eip_of(seen: Evidence, pod: Wanted, claim: Row) -> Iterator[Violation]:
    status: Mapping[str, Any] = claim.get("status", {})
    address = status.get("address", {})
    eip = next((e for e in seen.eips if e["AddressId"] == address.get("id")), None)
    if eip is None or (eip["AddressStatus"], eip["PrivateAddressIp"]) != ("BIND", pod.ip):
        yield _lack(pod, f"its EIP {address.get('id')} is not bound to {pod.ip}: {eip}")
        return
    binding = status.get("binding", {})
    told = (binding.get("privateIP"), binding.get("eniID"), binding.get("sandbox"))
    if told != (pod.ip, eip["NetworkInterfaceId"], pod.container_id):
        yield _lack(pod, f"its claim says that it is bound to {binding or 'nothing'}")
    if not any(c["type"] == "Bound" and c["status"] == "True" for c in status.get("conditions", ())):
        yield _lack(pod, "its claim is not Bound")
    annotations = seen.pods.get(pod.name, {}).get("metadata", {}).get("annotations", {})
    shown = annotations.get("tke.cloud.tencent.com/eip-public-ip")
    if shown != eip["AddressIp"]:
        yield _lack(pod, f"its annotation eip-public-ip is {shown}, its EIP {eip['AddressIp']}")


def _lack(pod: Wanted, text: str) -> Violation:
    return Violation(kind="unmended", text=f"Pod {pod.name}: {text}", pod=pod.name)


def _range(numbers: Sequence[int]) -> str:
    return f"{numbers[0]} to {numbers[-1]}"
