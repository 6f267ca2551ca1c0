"""What a request asks for, read from its method, path and query: verb, resource, name and so on.

Pure. The same words are used by authorization, fault rules and counters. Follows "Resource URIs" of the
Kubernetes API concepts and the server's own request parser.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from simulator.kube import selectors, status

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_NAMESPACE_SUBRESOURCES = {"status", "finalize"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request line, understood. `resource` is "" for a path that names none (discovery, health)."""

    method: str
    path: str
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def counted_as(self) -> str:
        """Resource and subresource as RBAC writes them: `pods`, `pods/status`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def flag(self, name: str) -> bool:
        """Read a boolean parameter. Raises ApiError 400."""
        text = self.query.get(name, "")
        if text.lower() in ("1", "true", "t"):
            return True
        if text.lower() in ("", "0", "false", "f"):
            return False
        raise status.bad_request(f'strconv.ParseBool: parsing "{text}": invalid syntax')

    def number(self, name: str) -> int | None:
        """Read an integer parameter. Raises ApiError 400."""
        text = self.query.get(name, "")
        if not text:
            return None
        try:
            return int(text)
        except ValueError as error:
            message = f'strconv.ParseInt: parsing "{text}": invalid syntax'
            raise status.bad_request(message) from error


def parse(method: str, target: str) -> Request:
    """Understand a request line; never fails (what is not served is found out later)."""
    url = urlsplit(target)
    query = {key: values[0] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
    path = url.path
    parts = [unquote(part) for part in path.strip("/").split("/") if part]
    verb = _VERBS.get(method, method.lower())
    plain = Request(method=method, path=path, verb=method.lower(), query=query)
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return plain
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) < 4:
        return plain
    else:
        group, version, rest = parts[1], parts[2], parts[3:]
    forced_watch = rest[0] == "watch" and len(rest) > 1
    if forced_watch:
        rest, verb = rest[1:], "watch"
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    if not name:
        verb, name = _collection_verb(verb, query)
    return Request(
        method=method,
        path=path,
        verb=verb,
        group=group,
        version=version,
        resource=rest[0],
        namespace=namespace,
        name=name,
        subresource="/".join(rest[2:]),
        query=query,
    )


def _collection_verb(verb: str, query: Mapping[str, str]) -> tuple[str, str]:
    name = ""
    if verb in ("get", "watch"):
        watching = verb == "watch" or query.get("watch", "false").lower() not in ("false", "0", "f")
        verb = "watch" if watching else "list"
        try:
            fields = selectors.Selector(fields=selectors.parse_fields(query.get("fieldSelector", "")))
            name = fields.exact("metadata.name")
        except status.ApiError:
            name = ""
    return ("deletecollection" if verb == "delete" else verb), name
