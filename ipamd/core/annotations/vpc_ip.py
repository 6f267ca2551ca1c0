"""What a Pod asks for with its annotations of a fixed private address: TKE's words, checked and completed.

`vpc-ip-claim-delete-policy: Never` keeps the address for the next Pod of the name, `nominated-vpc-ip` says
which address it is, `nominated-eni-subnets` from which subnets one is taken, `claim-expired-duration` for how
long it is kept. White space around a value means nothing. Pure. Every error names annotation, Pod, value and
what is allowed.
"""

import ipaddress
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from ipamd.core.annotations import networks
from ipamd.core.annotations.eip import expiry_of
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import (
    EXPIRED_DURATION,
    NETWORKS,
    NOMINATED_SUBNETS,
    NOMINATED_VPC_IP,
    VPC_IP_DELETE_POLICY,
)
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.text.quoting import shown

MOST_SUBNETS = 20
_SUBNET = re.compile(r"subnet-[0-9a-z]{1,32}")


class VpcIpPolicy(Enum):
    """What becomes of claim and address when the Pod is gone; the words are TKE's."""

    IMMEDIATE = "Immediate"
    NEVER = "Never"


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcIpRequest:
    """One Pod's wish for an address of its own, complete."""

    delete_policy: VpcIpPolicy
    expire_after: float | None = None
    """Seconds for which a kept claim outlives its Pod; None leaves it to the controller's flag."""
    nominated_ip: str = ""
    """The very address; empty for any of the subnet."""
    subnet_ids: tuple[str, ...] = ()
    """Where an address may be taken; empty for the subnets of the Pod's node."""
    exclusive: bool = False
    """Whether the address is that of an ENI of the Pod's own (`tke-direct-eni`), not one on a shared ENI."""


def wants_fixed_ip(pod: PodView) -> bool:
    """Whether the Pod asks for an address that is its own: one that is kept for its name, or a very one.

    A policy that is no word of TKE's counts as a wish: `request_of` says what is wrong with it.
    """
    return _asks(pod) and not pod.host_network


def asks_in_vain(pod: PodView) -> bool:
    """Whether the Pod asks for a fixed address, and has no network of its own that could have one."""
    return _asks(pod) and pod.host_network


def names_subnets_alone(pod: PodView) -> bool:
    """Whether the Pod says in which subnets its address is to be, and not that it is a fixed one."""
    return bool(_value(pod, NOMINATED_SUBNETS)) and not _asks(pod) and not pod.host_network


def _asks(pod: PodView) -> bool:
    policy = _value(pod, VPC_IP_DELETE_POLICY)
    return policy not in ("", VpcIpPolicy.IMMEDIATE.value) or bool(_value(pod, NOMINATED_VPC_IP))


def request_of(pod: PodView, default_network: str = networks.ROUTE_ENI) -> VpcIpRequest:
    """Return what a Pod that `wants_fixed_ip` asks for; one that names no network is on the default one.

    Raises: InvalidInputError, which a retry without a change of the annotations meets again.
    """
    _check_network(pod, default_network)
    with _reading(VPC_IP_DELETE_POLICY, pod):
        policy = policy_of(_value(pod, VPC_IP_DELETE_POLICY) or VpcIpPolicy.IMMEDIATE.value)
    with _reading(EXPIRED_DURATION, pod):
        text = _value(pod, EXPIRED_DURATION)
        expire_after = expiry_of(text) if text else None
    with _reading(NOMINATED_VPC_IP, pod):
        text = _value(pod, NOMINATED_VPC_IP)
        nominated = address_of(text) if text else ""
    with _reading(NOMINATED_SUBNETS, pod):
        text = _value(pod, NOMINATED_SUBNETS)
        subnets = subnets_of([entry.strip() for entry in text.split(",")]) if text else ()
    return VpcIpRequest(
        delete_policy=policy,
        expire_after=expire_after,
        nominated_ip=nominated,
        subnet_ids=subnets,
        exclusive=networks.is_exclusive(pod),
    )


def policy_of(value: object) -> VpcIpPolicy:
    """Return the policy of this word; errors: InvalidInputError."""
    for policy in VpcIpPolicy:
        if value == policy.value:
            return policy
    raise InvalidInputError(f"it is {shown(value)}; allowed are Never and Immediate")


def address_of(value: object) -> str:
    """Return the IPv4 address of this text; errors: InvalidInputError."""
    try:
        return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))
    except ipaddress.AddressValueError:
        raise InvalidInputError(
            f"it is {shown(value)}; allowed is one IPv4 address of the VPC, such as 10.0.3.7"
        ) from None


def subnets_of(value: object) -> tuple[str, ...]:
    """Return the subnets of a list of ids, each once; errors: InvalidInputError."""
    entries = value if isinstance(value, list) else []
    good = all(isinstance(entry, str) and _SUBNET.fullmatch(entry) for entry in entries)
    if not good or not 1 <= len(entries) <= MOST_SUBNETS:
        raise InvalidInputError(
            f"it is {shown(value)}; allowed are 1 to {MOST_SUBNETS} ids of subnets (subnet-...), in an "
            "annotation separated by commas"
        )
    return tuple(dict.fromkeys(entries))


def _check_network(pod: PodView, default_network: str) -> None:
    """Refuse a Pod whose address is another plugin's."""
    if not networks.is_ours(pod, default_network):
        raise InvalidInputError(
            f"Pod {pod.ref} asks for a fixed address and is on a network that is not ours",
            advice=f"name {networks.ROUTE_ENI} in annotation {NETWORKS}, or take the annotations of the "
            "fixed address away, and create the Pod again",
        )


def _value(pod: PodView, annotation: str) -> str:
    return pod.annotations.get(annotation, "").strip()


@contextmanager
def _reading(annotation: str, pod: PodView) -> Iterator[None]:
    """Say of an error whose annotation is wrong."""
    try:
        yield
    except InvalidInputError as e:
        raise InvalidInputError(
            f"annotation {annotation} of Pod {pod.ref}: {e.message}",
            advice="correct it and create the Pod again",
        ) from e
