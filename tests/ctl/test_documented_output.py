"""What docs/ipamctl.md shows is what the commands print: each example is run beside the fixture node.

But `connectivity` needs Pods that have a namespace: tests/scenario/test_connectivity.py runs its example.
"""

import re
import shlex

import pytest

from tests.docs.project import DOCS

PAGE = DOCS / "ipamctl.md"
EXAMPLE = re.compile(r"```console\n\$ (ipamctl (?!connectivity)[^\n|]*)\n(.*?)```", re.DOTALL)
EXAMPLES = EXAMPLE.findall(PAGE.read_text())


def shape(text):
    """The text without what differs at each run: numbers (ages too), and how wide columns are."""
    return [re.sub(r"(\d+[dhms])+|\d+", "N", " ".join(line.split())) for line in text.strip().splitlines()]


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_an_example_shows_what_the_command_prints(ipamctl, command, shown):
    done = ipamctl(*shlex.split(command)[1:])

    assert shape(shown) == shape(done.stdout + done.stderr)


def test_there_are_examples():
    assert {command.split()[1] for command, _ in EXAMPLES} >= {"status", "pods", "enis", "eips", "trace"}
