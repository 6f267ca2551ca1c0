"""What people read names a page of the cloud by its URL: nobody can look up "document 215/16702"."""

import ast
import re

import pytest

from tests.docs.project import PAGES, ROOT

NUMBER = re.compile(r"(?<![\w/.])\d{3,4}/\d{4,6}(?![\w/.])")
SOURCES = [path for package in ("ipamd", "cni_plugin") for path in sorted((ROOT / package).rglob("*.py"))]


def texts(tree):
    """Yield the strings that a program works with, which are all but docstrings."""
    standing = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in standing:
            yield node.value


@pytest.mark.parametrize("package", ["ipamd", "cni_plugin"])
def test_texts_for_people_name_no_page_by_its_number(package):
    found = [
        f"{path}: {text}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == package
        for text in texts(ast.parse(path.read_text()))
        if NUMBER.search(text)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_no_page_by_its_number(page):
    assert NUMBER.findall(page.read_text()) == []


def test_a_url_is_no_number_and_a_bare_reference_is():
    assert not NUMBER.search("see https://cloud.tencent.com/document/product/1199/41648")
    assert NUMBER.search("(document 1199/41648)")
