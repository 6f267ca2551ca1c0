"""Where a Pod with a fixed address may run, told to the scheduler: where addresses of its subnet can be.

An address is one of its subnet, and a subnet is in one zone; a Pod that is started elsewhere cannot have it.
So the Pod's required node affinity is narrowed to Nodes with the label of the subnet (`node_labels`), in each
of its alternatives. Pure; what is not understood is left as it is. Contract: NodeAffinity of the Pod's
reference; a term without any requirement matches no node and must stay so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ipamd.core.annotations import vpc_ip
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import fields, node_labels
from ipamd.core.kubernetes.pods import PodView

MOST_TERMS = 100
"""Alternatives beyond which nothing is narrowed: subnets times what the Pod has."""
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TERMS = "nodeSelectorTerms"


def subnets_of(view: PodView, kept_in: str) -> tuple[str, ...]:
    """Return the subnets of which one has to be on the Pod's node; empty when any node will do.

    `kept_in` is the subnet of the address that is kept for the Pod's name, empty for none.
    """
    if not vpc_ip.wants_fixed_ip(view):
        return ()
    try:
        request = vpc_ip.request_of(view)
    except InvalidInputError:
        return ()  # the controller tells the Pod's author
    return (kept_in,) if kept_in else request.subnet_ids


def patch(pod: Mapping[str, Any], subnets: Sequence[str]) -> list[dict[str, Any]]:
    """Return the JSON patch that keeps the Pod to nodes with one of the subnets; empty when it needs none."""
    spec = fields.mapping(pod.get("spec"))
    if not subnets or spec.get("nodeName"):
        return []
    labels = [node_labels.subnet_label(subnet_id) for subnet_id in subnets]
    path, present = "/spec", spec
    for name in ("affinity", "nodeAffinity", _REQUIRED):
        path = f"{path}/{name}"
        if not isinstance(present.get(name), Mapping):
            return [{"op": "add", "path": path, "value": _within(name, [_term({}, one) for one in labels])}]
        present = present[name]
    terms = present.get(_TERMS)
    narrowed = _narrowed(terms, labels) if isinstance(terms, list) else None
    return [] if narrowed in (None, terms) else [{"op": "add", "path": f"{path}/{_TERMS}", "value": narrowed}]


def _narrowed(terms: list[Any], labels: Sequence[str]) -> list[Any] | None:
    """Return the alternatives, each once for each label; None for what cannot be narrowed."""
    known = all(isinstance(term, Mapping) for term in terms)
    if not known or len(terms) * len(labels) > MOST_TERMS:
        return None
    found: list[Any] = []
    for term in terms:
        is_void = not term.get("matchExpressions") and not term.get("matchFields")
        found += [term] if is_void or _names_one(term, labels) else [_term(term, one) for one in labels]
    return found


def _names_one(term: Mapping[str, Any], labels: Sequence[str]) -> bool:
    """Whether the alternative asks for one of the labels already: a webhook may be called again."""
    expressions = term.get("matchExpressions")
    return any(
        isinstance(one, Mapping) and one.get("key") in labels and one.get("operator") == "Exists"
        for one in (expressions if isinstance(expressions, list) else ())
    )


def _term(term: Mapping[str, Any], label: str) -> dict[str, Any]:
    expressions = term.get("matchExpressions")
    asked = expressions if isinstance(expressions, list) else []
    return {**term, "matchExpressions": [*asked, {"key": label, "operator": "Exists"}]}


def _within(name: str, terms: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what stands under this member of the affinity and leads to the alternatives."""
    required: dict[str, Any] = {_TERMS: terms}
    node: dict[str, Any] = {_REQUIRED: required}
    return {"affinity": {"nodeAffinity": node}, "nodeAffinity": node, _REQUIRED: required}[name]
