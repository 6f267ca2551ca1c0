"""What is left behind in a node's kernel is found, whatever kind it is, and nothing else."""

import os
import subprocess

import pytest

from testbed.leaks import kernel_state, left_behind

pytestmark = pytest.mark.netns

TABLE = """
table ip tke_eni {
    set pods { type ipv4_addr; }
    chain forward { }
}
"""


@pytest.fixture
def node():
    name = f"leaks{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    run(name, "ip", "link", "set", "lo", "up")
    run(name, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    nft(name, TABLE)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


def run(node, *command, **options):
    subprocess.run(["ip", "netns", "exec", node, *command], check=True, **options)


def nft(node, text):
    run(node, "nft", "-f", "-", input=text, text=True)


KINDS = {
    "links": lambda node: run(node, "ip", "link", "add", "eni0", "type", "veth", "peer", "name", "eni1"),
    "rules": lambda node: run(node, "ip", "rule", "add", "priority", "600", "lookup", "4003"),
    "routes": lambda node: run(node, "ip", "route", "add", "10.0.1.5", "dev", "lo", "table", "4003"),
    "neighbours": lambda node: run(
        node,
        "ip",
        "neigh",
        "add",
        "10.0.1.5",
        "lladdr",
        "02:00:00:00:00:01",
        "dev",
        "eth0",
        "nud",
        "permanent",
    ),
    "nft": lambda node: nft(node, "add element ip tke_eni pods { 10.0.1.5 }"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_one_thing_too_many_is_named_by_its_kind(node, kind):
    before = kernel_state(node)

    KINDS[kind](node)

    found = left_behind(before, kernel_state(node))
    assert list(found) == [kind]
    assert any("10.0.1.5" in fact or "eni0" in fact or '"priority": 600' in fact for fact in found[kind])


def test_a_rule_of_nft_is_left_behind_too(node):
    before = kernel_state(node)

    nft(node, "add rule ip tke_eni forward ip saddr 10.0.1.5 accept")

    assert "10.0.1.5" in str(left_behind(before, kernel_state(node))["nft"])


def test_what_went_is_not_left_behind(node):
    for add in KINDS.values():
        add(node)
    before = kernel_state(node)

    run(node, "ip", "link", "delete", "eni0")
    nft(node, "delete element ip tke_eni pods { 10.0.1.5 }")

    assert left_behind(before, kernel_state(node)) == {}


def test_a_table_that_was_made_anew_with_the_same_content_is_the_same(node):
    nft(node, "add element ip tke_eni pods { 10.0.1.5 }")
    before = kernel_state(node)

    nft(node, f"delete table ip tke_eni{TABLE}")
    nft(node, "add element ip tke_eni pods { 10.0.1.5 }")

    assert left_behind(before, kernel_state(node)) == {}
