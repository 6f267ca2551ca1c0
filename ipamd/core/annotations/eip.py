"""What a Pod asks for with its EIP annotations: the words of TKE's page, checked and completed.

`eip-attributes` describes an EIP to create; `eip-id-list`, `eip-selector` and `eip-pool` name EIPs that
exist, and win. `eip-claim-delete-policy: Never` keeps claim and EIP when the Pod is gone,
`claim-expired-duration` says for how long. White space around a value means nothing: YAML's `|` adds a line
feed. Pure. Every error names annotation, Pod, value and what is allowed.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from ipamd.core import model
from ipamd.core.annotations import eip_attributes, eip_id_list, eip_selector, networks
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import (
    DELETE_POLICY,
    EIP_ATTRIBUTES,
    EIP_ID_LIST,
    EIP_POOL,
    EIP_SELECTOR,
    EXISTING,
    EXPIRED_DURATION,
)
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.text.quoting import shown
from ipamd.core.timing import durations

LEAST_EXPIRY = 300.0
"""Seconds: the least that TKE takes; a Pod that moves to another node must find its EIP."""
MOST_EXPIRY = 10 * 365 * 86400.0
_POOL_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LONGEST_NAME = 253
"""Characters of an object's name in Kubernetes."""


class DeletePolicy(Enum):
    """What becomes of claim and EIP when the Pod is gone."""

    DELETE = "Delete"
    NEVER = "Never"


@dataclass(frozen=True, slots=True, kw_only=True)
class EipRequest:
    """One Pod's wish, complete. Invariant: it has one of order, address ids, selector and pool."""

    order: model.EipOrder | None = None
    """The EIP to create."""
    address_ids: tuple[str, ...] = ()
    """The user's EIPs to choose from."""
    selector: EipSelector | None = None
    """The same by tag, name or public IP."""
    pool: str = ""
    """Name of the EIPPool to take one from."""
    delete_policy: DeletePolicy
    expire_after: float | None = None
    """Seconds for which a retained claim outlives its Pod; None leaves it to the controller's flag."""


def wants_eip(pod: PodView) -> bool:
    """Whether the Pod asks for an EIP at all: by annotation or by resource, and with a network of its own."""
    return _asks(pod) and not pod.host_network


def asks_in_vain(pod: PodView) -> bool:
    """Whether the Pod asks for an EIP, and has no network of its own that could have one."""
    return _asks(pod) and pod.host_network


def _asks(pod: PodView) -> bool:
    return pod.requests_eip or any(name in pod.annotations for name in (EIP_ATTRIBUTES, *EXISTING))


def request_of(pod: PodView, default_network: str = networks.ROUTE_ENI) -> EipRequest:
    """Return what the Pod asks for; one that names no network is on the default one.

    Raises: InvalidInputError, which a retry without a change of the annotations meets again.
    """
    networks.check_eip(pod, default_network)
    with _reading(DELETE_POLICY, pod):
        policy = _delete_policy(_value(pod, DELETE_POLICY))
    with _reading(EXPIRED_DURATION, pod):
        expire_after = _expiry(_value(pod, EXPIRED_DURATION))
    named = _named(pod)
    with _reading(named, pod):
        text = _value(pod, named)
        return EipRequest(
            order=eip_attributes.order_of(text) if named == EIP_ATTRIBUTES else None,
            address_ids=eip_id_list.parse(text) if named == EIP_ID_LIST else (),
            selector=eip_selector.parse(text) if named == EIP_SELECTOR else None,
            pool=pool_name(text) if named == EIP_POOL else "",
            delete_policy=policy,
            expire_after=expire_after,
        )


def _named(pod: PodView) -> str:
    """Return the annotation that says which EIP is wanted; errors: InvalidInputError."""
    named = [name for name in EXISTING if name in pod.annotations]
    if len(named) > 1:
        raise InvalidInputError(
            f"Pod {pod.ref} has the annotations {' and '.join(named)}; allowed is one of them",
            advice="remove the others and create the Pod again",
        )
    return named[0] if named else EIP_ATTRIBUTES


def pool_name(text: object) -> str:
    """Return the name of an EIPPool, if the text may be one; errors: InvalidInputError."""
    if not isinstance(text, str) or len(text) > _LONGEST_NAME or not _POOL_NAME.fullmatch(text):
        raise InvalidInputError(
            f"it is {shown(text)}; allowed is the name of an EIPPool: a-z, 0-9, - and ., at most "
            f"{_LONGEST_NAME} characters"
        )
    return text


def expiry_of(text: str) -> float:
    """Return the whole seconds that a claim's expiry of this text means; errors: InvalidInputError."""
    seconds = durations.parse(text)
    if not LEAST_EXPIRY <= seconds <= MOST_EXPIRY:
        raise InvalidInputError(
            f"it is {shown(text)}; allowed are {durations.text_of(LEAST_EXPIRY)} "
            f"to {durations.text_of(MOST_EXPIRY)}"
        )
    return float(round(seconds))


def _value(pod: PodView, annotation: str) -> str:
    return pod.annotations.get(annotation, "").strip()


@contextmanager
def _reading(annotation: str, pod: PodView) -> Iterator[None]:
    """Say of an error whose annotation is wrong."""
    try:
        yield
    except InvalidInputError as e:
        advice = (
            f"{e.advice}, and create the Pod again" if e.advice else "correct it and create the Pod again"
        )
        raise InvalidInputError(
            f"annotation {annotation} of Pod {pod.ref}: {e.message}", advice=advice
        ) from e


def _delete_policy(text: str) -> DeletePolicy:
    if text == "":
        return DeletePolicy.DELETE
    if text != DeletePolicy.NEVER.value:
        raise InvalidInputError(
            f"it is {shown(text)}; allowed is Never, or no annotation to release the EIP with the Pod"
        )
    return DeletePolicy.NEVER


def _expiry(text: str) -> float | None:
    return None if text == "" else expiry_of(text)
