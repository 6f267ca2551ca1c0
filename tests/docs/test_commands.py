"""Whoever copies a command from a page runs one that exists: each is parsed by the program's own parser.

What can be run without a cluster is run: see tests/ctl for ipamctl, tests/apiserver for the quick start.
"""

import contextlib
import importlib.util
import io
import re
import subprocess

import pytest

from ipamd.ctl import __main__ as ipamctl
from ipamd.ctl.kubectl import command as kubectl_eni
from tests.docs import command_lines
from tests.docs.project import PAGES, ROOT

TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
VERBS = {
    *(
        "annotate",
        "api-resources",
        "apply",
        "auth",
        "config",
        "cp",
        "create",
        "delete",
        "debug",
        "describe",
        "drain",
        "edit",
    ),
    *(
        "eni",
        "exec",
        "get",
        "kustomize",
        "label",
        "logs",
        "patch",
        "port-forward",
        "rollout",
        "run",
        "scale",
        "top",
    ),
    *("uncordon", "wait"),
}
RESOURCES = re.compile(r"^[a-z.]+(/[\w-]+)?$")
LINES = [line for page in PAGES for line in command_lines.of_blocks(page)]
SENTENCES = [line for page in PAGES for line in command_lines.of_sentences(page)]
PLACEHOLDER = re.compile(r"[….|\[\]]|\.\.\.")


def parse(parser, words):
    """Return what is wrong with the words, by the parser itself."""
    with contextlib.redirect_stderr(io.StringIO()) as told, contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args(words)
        except SystemExit as e:
            return told.getvalue() if e.code else ""
    return ""


def ours(words):
    """Return program and arguments of a command of ours, also where kubectl runs it in a Pod."""
    if words[0] == "ipamctl":
        return ipamctl.parser(), words[1:]
    if words[:2] == ["kubectl", "eni"]:
        return kubectl_eni.parser(), words[2:]
    if words[0] == "kubectl" and "--" in words:
        inside = words[words.index("--") + 1 :]
        return ours(inside) if inside else None
    return None


def faults(lines):
    for line in lines:
        for words in line.commands:
            if found := ours(words):
                fault = parse(*found)
                if fault:
                    yield f"{line.page.relative_to(ROOT)}: {line.text}: {fault.splitlines()[-1]}"


def test_commands_of_ours_in_blocks_are_taken_by_their_parsers():
    assert list(faults(LINES)) == []


def test_commands_of_ours_between_words_are_taken_by_their_parsers():
    """Without those that stand for several, or are cut short."""
    whole = [line for line in SENTENCES if not PLACEHOLDER.search(line.text)]
    assert len(whole) > 50
    named_only = ("arguments are required", "expected one argument")
    assert [fault for fault in faults(whole) if not any(words in fault for words in named_only)] == []


def test_commands_of_kubectl_have_a_verb_that_it_knows():
    wrong = [
        line.text
        for line in LINES
        for words in line.commands
        if words[0] == "kubectl" and not VERBS.intersection(words[1:])
    ]
    assert wrong == []


def test_targets_of_make_exist():
    named = {word for line in LINES for words in line.commands if words[0] == "make"
             for word in words[1:] if "=" not in word and not word.startswith("-")}  # fmt: skip
    assert {"demo", "test"} <= named
    assert named - TARGETS == set()


def test_modules_that_are_run_exist():
    names = {words[words.index("-m") + 1] for line in LINES for words in line.commands
             if words[0].startswith("python") and "-m" in words}  # fmt: skip
    assert [name for name in names if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize(
    "words", [["status", "--watch"], ["check", "node-a", "--everything"], ["explain", "pod"]]
)
def test_a_command_that_does_not_exist_is_noticed(words):
    assert parse(kubectl_eni.parser(), words)


def test_the_programs_know_their_own_help():
    """By the name under which kubectl finds it, too."""
    for program in ("ipamctl", "kubectl-eni"):
        done = subprocess.run(
            [ROOT / ".venv/bin" / program, "--help"], capture_output=True, text=True, check=True
        )
        assert "COMMAND" in done.stdout
