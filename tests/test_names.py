"""Names of the product: one class for a name, so that nobody asks which of two is meant."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATED = ROOT / "ipamd" / "rpc"


def test_no_class_name_stands_in_two_modules():
    places = defaultdict(set)
    for root in ("cni_plugin", "ipamd"):
        for path in (ROOT / root).rglob("*.py"):
            if path.is_relative_to(GENERATED):
                continue
            for statement in ast.parse(path.read_text()).body:
                if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
                    places[statement.name].add(str(path.relative_to(ROOT)))

    assert places["Ledger"] == {"ipamd/core/ledger/ledger.py"}  # the comparison is not one of nothing
    assert {name: sorted(where) for name, where in places.items() if len(where) > 1} == {}
