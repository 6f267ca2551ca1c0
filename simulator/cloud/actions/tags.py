"""Tags of a request as a dict, checked; the EIP and the ENI actions word their refusals differently. Pure."""

from collections.abc import Sequence

from simulator.cloud import situations

_MAX_KEY = 127
_MAX_VALUE = 255


def _fault(key: str, value: str) -> str:
    if not key or len(key) > _MAX_KEY:
        return f"a key has 1 to {_MAX_KEY} characters"
    if len(value) > _MAX_VALUE:
        return f"a value has at most {_MAX_VALUE} characters"
    if key.lower().startswith(("qcloud", "tencent", "project")):
        return "the prefix is reserved"
    return ""


def eip_tags(given: Sequence[dict[str, str]], limit: int) -> dict[str, str]:
    """Give the tags of an EIP order; raise ApiError (InvalidTag, TagQuota)."""
    if len(given) > limit:
        raise situations.EIP_TAG_QUOTA.error(limit=limit, count=len(given))
    tags: dict[str, str] = {}
    for tag in given:
        reason = "the key is given twice" if tag["Key"] in tags else _fault(tag["Key"], tag["Value"])
        if reason:
            raise situations.EIP_TAG_INVALID.error(key=tag["Key"], reason=reason)
        tags[tag["Key"]] = tag["Value"]
    return tags


def reservation_tags(given: Sequence[dict[str, str]], limit: int) -> dict[str, str]:
    """Give the tags of a reserved address; raise ApiError (InvalidParameterValue)."""
    tags: dict[str, str] = {}
    for tag in given:
        reason = "the key is given twice" if tag["Key"] in tags else _fault(tag["Key"], tag["Value"])
        if reason:
            raise situations.RESERVE_REFUSED.error(reason=f"the tag {tag['Key']}: {reason}")
        tags[tag["Key"]] = tag["Value"]
    if len(tags) > limit:
        raise situations.RESERVE_REFUSED.error(reason=f"{len(tags)} tags, at most {limit} are allowed")
    return tags


def eni_tags(given: Sequence[dict[str, str]], limit: int) -> dict[str, str]:
    """Give the tags of a new ENI; raise ApiError with one of the Tag codes."""
    if len(given) > limit:
        raise situations.TAG_LIMIT.error(limit=limit, count=len(given))
    tags: dict[str, str] = {}
    for tag in given:
        if tag["Key"] in tags:
            raise situations.TAG_DUPLICATE.error(key=tag["Key"])
        if reason := _fault(tag["Key"], tag["Value"]):
            raise situations.TAG_INVALID.error(key=tag["Key"], reason=reason)
        tags[tag["Key"]] = tag["Value"]
    return tags
