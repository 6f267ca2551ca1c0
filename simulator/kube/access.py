"""Who may do what: bearer tokens for authentication, a deny list for authorization.

Pure and immutable. While no tokens are set everybody is a cluster administrator, as on an insecure port. A
rule denies; what no rule denies is allowed: tests take away one permission at a time and look at what the
client makes of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.kube import status
from simulator.kube.requests import Request

ANONYMOUS = "system:anonymous"
_PUBLIC = frozenset({"/healthz", "/livez", "/readyz", "/version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """One denial, in the words of a RBAC rule; "*" stands for all."""

    user: str
    verbs: frozenset[str]
    resources: frozenset[str]
    """`pods`, `nodes/status`; as RBAC has it, `pods` does not speak of `pods/status`."""
    namespaces: frozenset[str] = frozenset({"*"})

    def covers(self, user: str, request: Request) -> bool:
        """Say whether the rule denies a request of a user."""
        return (
            self.user in ("*", user)
            and not self.verbs.isdisjoint({"*", request.verb})
            and not self.resources.isdisjoint({"*", request.counted_as})
            and not self.namespaces.isdisjoint({"*", request.namespace})
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Tokens and denials of a server."""

    tokens: Mapping[str, str] = field(default_factory=dict)
    """Bearer token -> user name. Empty: nobody is asked."""
    denials: tuple[Deny, ...] = ()
    default_user: str = "system:admin"
    """Who a caller is while there are no tokens."""

    def user(self, authorization: str) -> str:
        """Return the user of an Authorization header. Raises ApiError 401 for a token that is not known."""
        if not self.tokens:
            return self.default_user
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        user = self.tokens.get(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise status.unauthorized()
        return user

    def authorize(self, user: str, request: Request) -> None:
        """Raise ApiError 403 if a rule denies the request; without a token one sees health and version."""
        if user == ANONYMOUS and request.path.rstrip("/") not in _PUBLIC:
            raise _denial(user, request)
        if request.resource and any(rule.covers(user, request) for rule in self.denials):
            raise _denial(user, request)


def _denial(user: str, request: Request) -> status.ApiError:
    if not request.resource:
        return status.forbidden("", "", "", f'User "{user}" cannot {request.verb} path "{request.path}"')
    place = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    action = f'{request.verb} resource "{request.counted_as}" in API group "{request.group}"'
    cause = f'User "{user}" cannot {action} {place}'
    return status.forbidden(request.group, request.resource, request.name, cause)
