"""Nodes that were started at one moment do not do the same: chance is nobody else's to set."""

import ast
import random
from pathlib import Path

from ipamd.runtime import chance

IPAMD = Path(__file__).parents[2] / "ipamd"


def test_who_seeds_the_process_wide_generator_decides_nothing():
    random.seed(1)
    first = [chance.fraction() for _ in range(5)]
    random.seed(1)
    assert [chance.fraction() for _ in range(5)] != first


def test_the_process_wide_generator_is_left_alone():
    before = random.getstate()
    assert 0 <= chance.fraction() < 1
    assert random.getstate() == before


def test_all_of_the_product_draws_there():
    drawing = {
        str(path.relative_to(IPAMD))
        for path in IPAMD.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and "random" in {alias.name for alias in node.names})
        or (isinstance(node, ast.ImportFrom) and node.module == "random")
    }
    assert drawing == {"runtime/chance.py"}
