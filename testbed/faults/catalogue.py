"""The steps that the product's code has, read from the code: what some scenario has to come by.

An adapter makes the names of its steps from what it is asked to send, so the names follow from who asks: the
actions passed to the cloud's session, the verbs and resources passed to the Kubernetes client, the types of
netlink requests, the sets and transactions of nft, the transactions of the store, the settings below
/proc/sys, and the literal names of the rest. A call that cannot be read so is an error here, not a gap.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

import ipamd
from ipamd.core.ledger import states as ledger_states
from ipamd.kube import resources
from ipamd.kube.resources import Resource
from ipamd.net import mend, netlink, ruleset
from testbed.faults.points import is_read

_ROOT: Final = Path(ipamd.__file__).parent
_DAEMONS: Final = ("agent", "cloud", "controller", "grpc_server", "kube", "net", "start_file", "store")
"""The packages and modules that the daemons are made of."""
_FILE_CHANGES: Final = {"rename", "symlink_to", "unlink", "write_bytes", "write_text"}
_ACTION: Final = re.compile(
    "(?!AttachType$)(Add|Allocate|Assign|Associate|Attach|Create|Delete|Describe|Detach|Disassociate|Migrate|"
    "Modify|Release|Remove|Unassign)[A-Z][A-Za-z0-9]+"
)
_WRITES: Final = {"create", "replace", "patch", "delete"}
_READS: Final = {"get", "list"}


_EXCLUSIVE: Final = (
    "of ENIs for single Pods that are too many: tests/agent/exclusive/test_crashes.py kills there"
)
_MADE_ENI: Final = (
    "of ENIs that move with their Pods (ADR 48): tests/controller/vpc_ips/test_own_enis.py kills there"
)
_FIXED_ENI: Final = (
    "of ENIs that move with their Pods (ADR 48): tests/agent/fixed/test_own_eni_crashes.py kills there"
)
NEVER_TAKEN: Final[Mapping[str, str]] = {
    "cloud.AttachNetworkInterface": _FIXED_ENI,
    "cloud.CreateNetworkInterface": _MADE_ENI,
    "kube.delete.vpcipclaims": "of a fixed address that ends by itself; in the scenario a person ends it",
    "cloud.DetachNetworkInterface": _EXCLUSIVE,
    "cloud.DeleteNetworkInterface": _EXCLUSIVE,
    "nft.remove_table": "an uninstall, which no daemon does by itself",
    "nft.remove_ipv6_guard": "the same",
    "netlink.deladdr": "somebody else has to put a Pod's address on a link of the node first",
    "sysctl.promote_secondaries": "the same",
}
"""Effects that no scenario comes by, and why."""
BY_CHANCE: Final[Mapping[str, str]] = {
    "kube.patch.events": "an Event that repeats itself; nothing of ours reads Events back",
}
"""Effects that a scenario may come by or not, as time has it, and why none of them has to."""
_WATCHES_OF_OTHERS = ("ipamd/kube/optional_watch.py", "ipamd/agent/node_objects.py")


class UnreadableStepError(ValueError):
    """A step's name cannot be told from the code; the message names file and line."""


def atoms(step: str) -> set[str]:
    """Return the single steps of one that does several at once: `netlink.newrule+delrule` has two."""
    adapter, _, rest = step.partition(".")
    if adapter == "store" and rest.startswith("commit."):
        return {f"store.commit.{kind}" for kind in rest.removeprefix("commit.").split("+")}
    return {f"{adapter}.{part}" for part in rest.split("+")}


def catalogue() -> dict[str, str]:
    """Return every single step of the product, and where it comes from."""
    found: dict[str, str] = {}
    for where, tree in _modules():
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.Call)):
            for step in _steps_of(node, where):
                found.setdefault(step, f"{where}:{node.lineno}")
    return found


def unannounced() -> list[str]:
    """Return where a daemon changes a file outside of a `with failpoints.failpoint(...)`."""
    found = []
    for where, tree in _modules():
        announced = {id(inner) for node in ast.walk(tree) if _announces(node) for inner in ast.walk(node)}
        found += [
            f"{where}:{node.lineno}: {ast.unparse(node.func)}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _FILE_CHANGES
            and id(node) not in announced
        ]
    return found


def _announces(node: ast.AST) -> bool:
    return isinstance(node, ast.With) and any(
        isinstance(item.context_expr, ast.Call)
        and ast.unparse(item.context_expr.func) == "failpoints.failpoint"
        for item in node.items
    )


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for package in _DAEMONS:
        for path in sorted((_ROOT / package).rglob("*.py")) or [_ROOT / f"{package}.py"]:
            yield str(path.relative_to(_ROOT.parent)), ast.parse(path.read_text())


def gaps(exercised: Iterable[str]) -> list[str]:
    """Return what is wrong with what was exercised, one sentence each.

    An effect that no scenario comes by, one that is taken and should not be, a step that the catalogue lacks.
    """
    known, taken = catalogue(), set(exercised)
    missed = {step for step in known if not is_read(step)} - taken
    return [
        *(
            f"{step} ({known[step]}) is in no scenario"
            for step in sorted(missed - {*NEVER_TAKEN, *BY_CHANCE})
        ),
        *(f"{step} is taken and stands in NEVER_TAKEN" for step in sorted(set(NEVER_TAKEN) - missed)),
        *(f"{step} is taken and the catalogue does not know it" for step in sorted(taken - set(known))),
    ]


def _steps_of(node: ast.Constant | ast.Call, where: str) -> Iterator[str]:
    """Yield the steps that a piece of the product's code leads to."""
    if isinstance(node, ast.Call):
        yield from _steps_of_call(node, where)
    # Actions are handed from one function to the next before they are sent.
    elif where.startswith("ipamd/cloud/") and isinstance(node.value, str) and _ACTION.fullmatch(node.value):
        yield f"cloud.{node.value}"


def _steps_of_call(call: ast.Call, where: str) -> Iterator[str]:
    function = ast.unparse(call.func)
    place = f"{where}:{call.lineno}"
    if function == "failpoints.failpoint":
        yield from _announced(call.args[0], place)
    elif function in ("libnftables.run", "run") and where.endswith(
        ("nft_table.py", "ipv6_guard.py", "libnftables.py")
    ):
        yield f"nft.{_literal(call.args[2], place)}"
    elif function == "self._transaction" and not isinstance(call.args[0], ast.JoinedStr):
        yield f"store.{_literal(call.args[0], place)}"
    elif function.endswith("sysctls.write") and where.endswith("net/mend.py"):
        yield from (f"sysctl.{setting}" for setting in mend.SETTINGS)  # of whoever plans
    elif function.endswith(("sysctls.write", "sysctls.ensure")):
        yield f"sysctl.{_last_part(call.args[0], place)}"
    elif function in ("ObjectCache", "OptionalWatch"):
        if place.startswith(_WATCHES_OF_OTHERS):
            return  # whoever makes one says of what
        resource = _resource(call.args[1], place)
        yield from (f"kube.{verb}.{resource.plural}" for verb in ("list", "watch"))
    elif function == "super().__init__" and len(call.args) > 1:
        # A source of a node's objects, which watches its kind and asks for single ones.
        source = _named_resource(call.args[1])
        yield from (f"kube.{verb}.{source.plural}" for verb in ("list", "watch", "get") if source)
    elif isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value).endswith("client"):
        yield from _kubernetes(call, call.func.attr, place)


def _announced(name: ast.expr, place: str) -> Iterator[str]:
    """Yield the steps of one announcement: its literal name, or all that its adapter can make."""
    if isinstance(name, ast.Constant):
        yield str(name.value)
        return
    if "netlink.py" in place:
        yield from (f"netlink.{kind}" for kind in netlink.CHANGES.values())
    elif "nft_elements.py" in place:
        for name_of_set in ruleset.OF_PODS:
            yield from (f"nft.{verb}.{name_of_set}" for verb in ("add", "delete"))
    elif "store/database.py" in place:
        states = (state.__name__.lower() for state in get_args(ledger_states.State))
        stages = (stage.value for stage in ledger_states.BindStage)
        yield from (f"store.commit.{kind}" for kind in (*states, *stages, "forgotten"))
    elif not place.startswith(("ipamd/cloud/transport.py", "ipamd/kube/transport.py")) and not any(
        part in place for part in ("net/libnftables.py", "net/sysctls.py")
    ):
        raise UnreadableStepError(f"{place}: the name {ast.unparse(name)} is made in a way nobody here knows")


def _kubernetes(call: ast.Call, verb: str, place: str) -> Iterator[str]:
    if verb not in _WRITES | _READS:
        return
    if verb in _READS and _named_resource(call.args[0]) is None:
        return  # one of several, by a table
    below = [_literal(word.value, place) for word in call.keywords if word.arg == "subresource"]
    yield ".".join(["kube", verb, _resource(call.args[0], place).plural, *below])


def _resource(node: ast.expr, place: str) -> Resource:
    found = _named_resource(node)
    if found is None:
        raise UnreadableStepError(f"{place}: {ast.unparse(node)} is no Resource of ipamd.kube.resources")
    return found


def _named_resource(node: ast.expr) -> Resource | None:
    found = getattr(resources, ast.unparse(node).rpartition(".")[2], None)
    return found if isinstance(found, Resource) else None


def _literal(node: ast.expr, place: str) -> str:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise UnreadableStepError(f"{place}: {ast.unparse(node)} should be a literal, so that it can be told")
    return node.value


def _last_part(node: ast.expr, place: str) -> str:
    if isinstance(node, ast.JoinedStr):
        node = node.values[-1]
    return _literal(node, place).rpartition("/")[2]
