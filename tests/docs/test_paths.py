"""Every path that a page names exists, and every link leads somewhere, so that pages survive what moves."""

import re

import pytest

from tests.docs.project import PAGES, ROOT

TOP = sorted(
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and path.name not in ("build", "docs") and path.name[0] != "."
)
PATH = re.compile(
    rf"(?<![\w./-])((?:{'|'.join(map(re.escape, TOP))}|docs|\.ci|\.github)/[\w./*-]*\w(?:\.\w+)?/?)"
)
TEST = re.compile(r"`(test_\w+)(?:\.py)?`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
OF_KUBECTL = re.compile(r"(deploy|ds)/tke-eni-\w+")
"""Deployment and DaemonSet as kubectl takes them."""


def without_samples(text):
    """Return a page without its code blocks: what is shown there is a reader's own."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchor(heading):
    """Return the anchor that forges make of a heading."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower().replace("`", "")
    return re.sub(r"[^\w -]", "", words).replace(" ", "-")


def anchors(path):
    return {anchor(line.lstrip("#")) for line in path.read_text().splitlines() if line.startswith("#")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_paths_that_a_page_names_exist(page):
    missing = [
        path
        for path in PATH.findall(without_samples(page.read_text()))
        if not OF_KUBECTL.fullmatch(path)
        and not any((base / path).exists() or list(base.glob(path)) for base in (ROOT, page.parent))
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_tests_that_a_page_names_exist(page):
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    functions = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        functions |= set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))

    missing = set(TEST.findall(page.read_text())) - files - functions
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page):
    broken = []
    for link in LINK.findall(without_samples(page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (part and part not in anchors(target)):
            broken.append(link)
    assert broken == []
