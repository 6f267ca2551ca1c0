"""Rights: what the roles of deploy/ grant to a daemon, and what its code asks for.

What the code asks for is read from the code itself, which names the kind of object in each call of a client:
`client.patch(EIPCLAIMS, ..., subresource="status")`, `ObjectCache(client, PODS)`.
"""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ipamd.kube import resources
from tests.deploy import manifests

AGENT, CONTROLLER = "tke-eni-agent", "tke-eni-ipamd"
ADMISSION = "admission webhook of tke-eni-ipamd"
SOURCES = {
    ADMISSION: ("ipamd/controller/admission/*.py",),
    AGENT: ("ipamd/agent/**/*.py", "ipamd/kube/events.py"),
    CONTROLLER: ("ipamd/controller/**/*.py", "ipamd/kube/events.py", "ipamd/kube/leases.py"),
}
ROLES = {ADMISSION: "components/admission/rbac.yaml"}
"""Where roles and bindings are, if not in rbac.yaml."""
ACCOUNTS = {ADMISSION: CONTROLLER}
"""The service account, if it is not called as the daemon."""
VERBS = {
    "get": ("get",),
    "list": ("list",),
    "scan": ("list",),
    "watch": ("watch",),
    "create": ("create",),
    "patch": ("patch",),
    "replace": ("update",),
    "delete": ("delete",),
}
"""Methods of KubeClient, and what RBAC calls them."""
_WATCHES = ("ObjectCache", "OptionalWatch")
CONSTANTS = {name: value for name, value in vars(resources).items() if isinstance(value, resources.Resource)}
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one kind of object; `resource` with its subresource, as RBAC writes it."""

    group: str
    resource: str
    verb: str


def granted(daemon: str) -> set[Right]:
    """Return what the roles bound to the daemon's service account say."""
    return {right for role in _roles(daemon) for rule in role["rules"] for right in _rights(rule)}


def needed(daemon: str) -> set[Right]:
    """Return what the daemon's code asks for."""
    return {right for path in sorted(_modules(daemon)) for right in _of_module(path)}


_OF_ANY_KIND = ROOT / "ipamd/agent/node_objects.py"
"""Who derives from it says which kind."""


def _modules(daemon: str) -> set[Path]:
    """Return the daemon's modules, without those of an optional part that has a role of its own."""
    found = {path for pattern in SOURCES[daemon] for path in ROOT.glob(pattern)} - {_OF_ANY_KIND}
    return found if daemon in ROLES else found.difference(*map(_modules, ROLES))


@functools.cache
def group_of(resource: str) -> str:
    """Return the API group of a resource's plural name."""
    plural = resource.partition("/")[0]
    (group,) = {known.group for known in CONSTANTS.values() if known.plural == plural}
    return group


def _roles(daemon: str) -> Iterator[manifests.Obj]:
    file, account = ROLES.get(daemon, "rbac.yaml"), ACCOUNTS.get(daemon, daemon)
    for binding in manifests.documents(file):
        if "roleRef" in binding and any(subject["name"] == account for subject in binding["subjects"]):
            yield manifests.one(binding["roleRef"]["kind"], binding["roleRef"]["name"], file)


def _rights(rule: manifests.Obj) -> Iterator[Right]:
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield Right(group, resource, verb)


def _of_module(path: Path) -> Iterator[Right]:
    tree = ast.parse(path.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in calls:
        verbs = _verbs(call)
        if not verbs:
            continue
        position = 1 if _called(call) in _WATCHES or _is_of_a_node(call) else 0
        constant = _constant(call.args[position]) if len(call.args) > position else None
        # A resource that is only known when the code runs may be any that its module names.
        kinds = [constant] if constant else sorted(_mentioned(tree))
        assert kinds, f"{path}:{call.lineno}: which kind of object is this about?"
        for kind in kinds:
            resource = CONSTANTS[kind]
            name = resource.plural + _subresource(call)
            yield from (Right(resource.group, name, verb) for verb in verbs)


def _verbs(call: ast.Call) -> tuple[str, ...]:
    if _is_of_a_node(call):
        return ("get", "list", "watch")
    if _called(call) in _WATCHES:
        return ("list", "watch")
    if isinstance(call.func, ast.Attribute) and _name(call.func.value).endswith("client"):
        return VERBS.get(call.func.attr, ())
    return ()


def _is_of_a_node(call: ast.Call) -> bool:
    """Whether a class of `ipamd.agent.node_objects` says which objects it watches, and asks for live."""
    is_base = ast.unparse(call.func) == "super().__init__"
    return is_base and len(call.args) > 1 and _constant(call.args[1]) is not None


def _called(call: ast.Call) -> str:
    return _name(call.func)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _constant(node: ast.expr) -> str | None:
    return _name(node) if _name(node) in CONSTANTS else None


def _mentioned(tree: ast.AST) -> set[str]:
    return {_name(node) for node in ast.walk(tree) if isinstance(node, ast.expr)} & set(CONSTANTS)


def _subresource(call: ast.Call) -> str:
    for keyword in call.keywords:
        if keyword.arg == "subresource" and isinstance(keyword.value, ast.Constant):
            return f"/{keyword.value.value!s}"
    return ""
