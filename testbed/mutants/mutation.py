"""The mutants of a source file, and a sample of those of many. Pure but for reading what is sampled.

Left out is what no test can or should notice: arguments of decorators (`frozen`, `slots`), annotations, the
`|` of types elsewhere, `if TYPE_CHECKING`, both directions between `==` and `is`, what is only logged, and
by how little a size or time that somebody chose could be another: a fraction of a second, one of forty
threads, one letter of eighty that are shown. Left out, too, is `strict` of `zip`, which no caller can see
as long as the code is right, and an order where there is none: `<` for the `==` of a text in quotes; and
`~x` for `-x`, which sorts alike. And what everybody notices: what Python does not compile.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

_SYNONYMS: Final = ("Eq_Is", "Is_Eq", "NotEq_IsNot", "IsNot_NotEq")
_UNUSED: Final = ("RemoveDecorator", "VariableReplacer", "VariableInserter")
"""The first is noticed by whatever imports the module; the others need to be told which variables."""
_ORDERS: Final = tuple(
    f"{equal}_{order}" for equal in ("Eq", "NotEq") for order in ("Gt", "GtE", "Lt", "LtE")
)
_ARITHMETIC: Final = ("shift_expr", "term", "arith_expr", "power")
_OF_NAMES: Final = ("testlist_star_expr", "annassign")
_OF_CALLS: Final = ("argument", "arglist", "trailer", "atom_expr", *_OF_NAMES)
_BRANCHES: Final = ("for_stmt", "if_stmt", "while_stmt")
_BUILT_IN_TYPES: Final = ("None", "bool", "bytes", "dict", "float", "int", "list", "str")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One change of one place in one file."""

    path: Path
    operator: str
    occurrence: int
    """The how-manieth place of the file where the operator applies, from 0."""
    line: int
    column: int

    def __str__(self) -> str:
        """Return where it is and what it does."""
        return f"{self.path}:{self.line}:{self.column + 1} {self.operator.rpartition('/')[2]}"

    def applied(self, source: str) -> str:
        """Return the file's text with the change.

        Raises:
            ValueError: the text has no such place: it is not the text that the mutation was found in.
        """
        mutated = mutate_code(source, plugins.get_operator(self.operator)(), self.occurrence)
        if mutated is None:
            raise ValueError(f"{self}: the file has no such place (any more)")
        return str(mutated)


def mutations(path: Path, source: str) -> list[Mutation]:
    """Return every mutation of a file, in the order of its text."""
    nodes = list(ast_nodes(get_ast(source)))
    found = [
        Mutation(path=path, operator=name, occurrence=occurrence, line=start[0], column=start[1])
        for name in _operators()
        for occurrence, (node, start) in enumerate(_places(name, nodes))
        if _is_testable(node) and not _is_pointless(name, node)
    ]
    return sorted(found, key=lambda m: (m.line, m.column, m.operator, m.occurrence))


def usable(path: Path, source: str) -> list[Mutation]:
    """Return those mutations that can be tried: what they make compiles."""
    return [mutation for mutation in mutations(path, source) if _can_be_tried(mutation, source)]


def sample(files: Sequence[Path], count: int, seed: int) -> list[Mutation]:
    """Draw mutations: a file by its lines, a place in it, one of those of the place; no place twice."""
    draw = random.Random(seed)
    texts = {path: path.read_text() for path in files}
    weights = [text.count("\n") for text in texts.values()]
    left: dict[Path, dict[tuple[int, int], list[Mutation]]] = {}
    drawn: list[Mutation] = []
    while len(drawn) < count and any(weights):
        path = draw.choices(files, weights)[0]
        if path not in left:
            left[path] = _by_place(mutations(path, texts[path]))
        if left[path]:
            place = draw.choice(list(left[path]))
            mutation = draw.choice(left[path].pop(place))
            if _can_be_tried(mutation, texts[path]):
                drawn.append(mutation)
        else:
            weights[files.index(path)] = 0
    return drawn


def _can_be_tried(mutation: Mutation, source: str) -> bool:
    try:
        compile(mutation.applied(source), "<mutant>", "exec")
    except (
        SyntaxError,
        AttributeError,
    ):  # the latter: cosmic-ray replaces no `errors.KubeError` among others
        return False
    return True


def _by_place(found: Sequence[Mutation]) -> dict[tuple[int, int], list[Mutation]]:
    places: dict[tuple[int, int], list[Mutation]] = {}
    for mutation in found:
        places.setdefault((mutation.line, mutation.column), []).append(mutation)
    return places


def _operators() -> Iterator[str]:
    for name in sorted(plugins.operator_names()):
        kind = name.rpartition("/")[2]
        if kind not in _UNUSED and not kind.endswith(_SYNONYMS):
            yield name


def _places(operator: str, nodes: Sequence[Any]) -> Iterator[tuple[Any, tuple[int, int]]]:
    applied = plugins.get_operator(operator)()
    for node in nodes:
        for start, _ in applied.mutation_positions(node):
            yield node, start


def _is_testable(node: Any) -> bool:
    if node.type == "number" and (isinstance(_number(node), float) or _is_chosen_size(node)):
        return False
    if node.type == "operator" and node.parent.type == "parameters":
        return False  # the star before arguments that have to be named
    if node.type == "operator" and node.value == "|" and _is_type(node.get_next_sibling()):
        return False
    if _is_length_check(node) or _is_for_type_checker(node):
        return False
    is_size = node.type == "number" and _number_of(node) > 2
    while node.parent is not None:
        if is_size and node.type == "fstring_expr":
            return False  # how much of a stranger's text is shown
        if node.parent.type == "decorator" or _is_annotation(node) or _is_logged(node):
            return False
        node = node.parent
    return True


def _is_length_check(node: Any) -> bool:
    """Whether it is the `strict` of `zip`: that two lengths are equal holds, or the code has a defect."""
    if node.parent.type != "argument" or str(getattr(node.parent.children[0], "value", "")) != "strict":
        return False
    call = node.parent
    while call.type != "atom_expr":
        call = call.parent
    return str(getattr(call.children[0], "value", "")) == "zip"


def _is_for_type_checker(node: Any) -> bool:
    return node.type == "if_stmt" and str(getattr(node.children[1], "value", "")) == "TYPE_CHECKING"


def _is_pointless(operator: str, node: Any) -> bool:
    """Whether it makes an order of texts out of equality, or of `-x` what sorts as `-x` does."""
    if operator.endswith(_ORDERS):
        return any(child.type in ("string", "fstring") for child in node.children)
    return operator.endswith("USub_Invert") and node.children[-1].type != "number"


def _is_annotation(node: Any) -> bool:
    parent = node.parent
    if parent.type == "funcdef":
        return node is parent.annotation
    return parent.type in ("annassign", "tfpdef") and node.get_previous_sibling() == ":"


def _is_chosen_size(number: Any) -> bool:
    """Whether it is a number above 2 to which a module gives a name, or a part of such a one.

    Parts are those of `4 << 20`, and what has a name in a call: `_PACE = Pace(burst=40)`.
    """
    statement = number.parent
    parts = _OF_CALLS if statement.type == "argument" else _OF_NAMES
    while statement.type in parts or _is_sum_of_numbers(statement):
        statement = statement.parent
    within = statement.parent.parent if statement.parent else None
    is_named = statement.type == "expr_stmt" and (within is None or within.type == "file_input")
    return is_named and _number_of(number) > 2


def _is_sum_of_numbers(node: Any) -> bool:
    """Whether it is arithmetic with nothing but numbers in it."""
    return node.type in _ARITHMETIC and all(
        child.type in ("number", "operator") or _is_sum_of_numbers(child) for child in node.children
    )


def _number_of(number: Any) -> int:
    """Its value; 0 of one with a fraction."""
    return 0 if isinstance(_number(number), float) else int(str(number.value), 0)


def _is_logged(node: Any) -> bool:
    """Whether it is a call of the log, or decides only whether there is one."""
    if _is_log_call(node):
        return True
    statement = node if node.type in _BRANCHES else node.parent
    if statement.type not in _BRANCHES or node.type == "suite":
        return False
    suites = [child for child in statement.children if child.type == "suite"]
    lines = [line for suite in suites for line in suite.children if line.type != "newline"]
    return bool(lines) and all(
        line.type == "simple_stmt" and _is_log_call(line.children[0]) for line in lines
    )


def _is_log_call(node: Any) -> bool:
    return node.type == "atom_expr" and str(getattr(node.children[0], "value", "")) == "log"


def _is_type(node: Any) -> bool:
    """Whether it is a type by its name: `None`, `str`, `Held`, `model.Eip`; a constant has capitals only."""
    name = node.get_last_leaf().value if node.type == "atom_expr" else str(getattr(node, "value", ""))
    is_class = name[:1].isupper() and not name.isupper()
    return is_class or name in (
        "None",
        *(each.__name__ for each in (bool, bytes, float, int, str, dict, list)),
    )


def _number(node: Any) -> float:
    text = str(node.value)
    return float(text) if "." in text or ("e" in text.lower() and not text.startswith("0x")) else 0
