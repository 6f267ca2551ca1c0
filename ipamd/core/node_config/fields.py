"""The fields of a node's configuration: what each may be, and how TKE's annotations write it. Pure.

Names and annotations are those of TKE where it has them (documents 457/50360 and 457/64919); the warm
targets, `subnets`, `subnetTags`, `syncSecurityGroups` and `disabled` are fields of our own. `deploy/` has the
same rules in the CRD; these here are for servers that do not keep them, and for annotations.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ipamd.core.errors import InvalidInputError
from ipamd.core.text.quoting import shown

Value = int | bool | str | list[str] | dict[str, str]
"""What a field holds, as JSON has it."""

TKE: Final = "tke.cloud.tencent.com/"
MOST_WARM: Final = 1000
MOST_ENIS: Final = 64
MOST_ADDRESSES: Final = 256
MOST_GROUPS: Final = 5
"""Security groups of one ENI: what the documentation of CVMs recommends at most (document 213/500)."""
MOST_SUBNETS: Final = 32
MOST_TAGS: Final = 5
_SECURITY_GROUP: Final = re.compile(r"sg-[0-9a-z]{1,32}")
_SUBNET: Final = re.compile(r"subnet-[0-9a-z]{1,32}")
_YES: Final = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field."""

    name: str
    meaning: str
    """For people, in a few words."""
    allowed: str
    """In words, for who wrote something else."""
    fits: Callable[[object], bool]
    annotation: str = ""
    """TKE's annotation of the same meaning, on NodeENIConfigs and Nodes; empty for none."""
    from_text: Callable[[str], object] = str
    """Reads the annotation. Raises: ValueError, KeyError."""

    def checked(self, value: object, where: str) -> Value:
        """Return the value. `where` says in which object it stands. Raises: InvalidInputError."""
        if not self.fits(value):
            raise self.refusal(value, where)
        return value  # type: ignore[return-value] # `fits` has looked

    def refusal(self, value: object, where: str) -> InvalidInputError:
        """Return the error about a value that is not allowed."""
        return InvalidInputError(
            f"{where}: {self.name} is {shown(value)}", advice=f"allowed is {self.allowed}"
        )


def _whole(name: str, meaning: str, least: int, most: int, annotation: str) -> Field:
    def fits(value: object) -> bool:
        return type(value) is int and least <= value <= most

    return Field(
        name=name,
        meaning=meaning,
        allowed=f"a whole number from {least} to {most}",
        fits=fits,
        annotation=TKE + annotation,
        from_text=int,
    )


def _switch(name: str, meaning: str, annotation: str, *, says_no: bool = False) -> Field:
    """A field that is true or false; `says_no`: the annotation's yes makes it false."""
    return Field(
        name=name,
        meaning=meaning,
        allowed="true or false (in an annotation also yes or no)",
        fits=lambda value: type(value) is bool,
        annotation=TKE + annotation,
        from_text=lambda text: _YES[text] is not says_no,
    )


def _ids(name: str, meaning: str, pattern: re.Pattern[str], form: str, most: int) -> Field:
    def fits(value: object) -> bool:
        return (
            isinstance(value, list)
            and 1 <= len(value) <= most
            and all(isinstance(entry, str) and pattern.fullmatch(entry) for entry in value)
            and len(set(value)) == len(value)
        )

    return Field(
        name=name, meaning=meaning, allowed=f"1 to {most} different ids of the form {form}", fits=fits
    )


def _is_cidr(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return "/" in value and str(ipaddress.IPv4Network(value)) == value
    except ValueError:
        return False


def _are_tags(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and 1 <= len(value) <= MOST_TAGS
        and all(isinstance(k, str) and isinstance(v, str) and 0 < len(k) <= 127 for k, v in value.items())
    )


FIELDS: Final[Mapping[str, Field]] = {
    field.name: field
    for field in (
        _whole(
            "minWarmTarget",
            "at least Pods + this many addresses",
            0,
            MOST_WARM,
            "route-eni-ip-min-warm-target",
        ),
        _whole(
            "maxWarmTarget",
            "at most Pods + this many addresses",
            0,
            MOST_WARM,
            "route-eni-ip-max-warm-target",
        ),
        _whole(
            "desiredRouteENIIP",
            "at least this many addresses, used or not",
            0,
            MOST_WARM,
            "desired-route-eni-pod-num",
        ),
        _whole("maxRouteENI", "at most this many ENIs for Pods", 0, MOST_ENIS, "route-eni-max-attach"),
        _whole(
            "maxIPPerENI",
            "at most this many addresses for Pods on each ENI",
            1,
            MOST_ADDRESSES,
            "max-ip-per-route-eni",
        ),
        _whole(
            "maxDirectENI", "at most this many ENIs for single Pods", 0, MOST_ENIS, "direct-eni-max-attach"
        ),
        _whole(
            "minWarmENITarget",
            "at least this many ENIs that wait for single Pods",
            0,
            MOST_ENIS,
            "direct-eni-min-warm-target",
        ),
        _whole(
            "maxWarmENITarget",
            "at most this many ENIs that wait for single Pods",
            0,
            MOST_ENIS,
            "direct-eni-max-warm-target",
        ),
        _ids(
            "securityGroups",
            "of the ENIs for Pods; else those of the primary ENI",
            _SECURITY_GROUP,
            "sg-12345678",
            MOST_GROUPS,
        ),
        _switch(
            "syncSecurityGroups",
            "ENIs that exist get them too",
            "disable-node-eni-security-groups",
            says_no=True,
        ),
        _ids(
            "subnets", "of new ENIs; else that of the primary one", _SUBNET, "subnet-12345678", MOST_SUBNETS
        ),
        Field(
            name="subnetTags",
            meaning="subnets of new ENIs, by their tags",
            allowed=f"1 to {MOST_TAGS} tags, each a key of 1 to 127 characters with its value",
            fits=_are_tags,
        ),
        Field(
            name="subnetCIDR",
            meaning="the subnet of new ENIs, by its range",
            allowed="an IPv4 range such as 10.0.2.0/24",
            fits=_is_cidr,
        ),
        _switch("disabled", "no addresses for Pods on this node", "disable-node-eni"),
    )
}
PLACES: Final = ("subnets", "subnetTags", "subnetCIDR")
"""Three ways to say where new ENIs are: one of them at a time."""
WARM: Final = (("minWarmTarget", "maxWarmTarget"), ("minWarmENITarget", "maxWarmENITarget"))
"""Fields of which the first is at most the second."""
NEED_SYNC: Final = TKE + "need-sync-security-groups"
"""TKE's, of a Node: `true` has the security groups of its ENIs made right once, and is then removed."""
BY_ANNOTATION: Final = {field.annotation: field for field in FIELDS.values() if field.annotation}
"""TKE's annotations that are read."""


def same_place(name: str) -> tuple[str, ...]:
    """Return the fields that a field replaces, itself included."""
    return PLACES if name in PLACES else (name,)


def check(values: Mapping[str, Value], where: str) -> None:
    """Refuse values that contradict each other in one object. Raises: InvalidInputError."""
    places = [name for name in PLACES if name in values]
    if len(places) > 1:
        raise InvalidInputError(f"{where}: both {places[0]} and {places[1]} are set", advice="leave one out")
    for least, most in WARM:
        low, high = values.get(least), values.get(most)
        if isinstance(low, int) and isinstance(high, int) and high < low:
            raise InvalidInputError(
                f"{where}: {most} is {high} and {least} {low}",
                advice=f"choose them with 0 <= {least} <= {most}",
            )


def from_annotations(annotations: Mapping[str, str], where: str) -> dict[str, Value]:
    """Return what TKE's annotations of an object say. Raises: InvalidInputError."""
    found: dict[str, Value] = {}
    for key, field in BY_ANNOTATION.items():
        if key not in annotations:
            continue
        text = annotations[key]
        named = f"{where}, annotation {key}"
        try:
            value = field.from_text(text.strip().lower())
        except (ValueError, KeyError):
            raise field.refusal(text, named) from None
        found[field.name] = field.checked(value, named)
    check(found, where)
    return found
