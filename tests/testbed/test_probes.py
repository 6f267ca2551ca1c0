"""The evidence of real packets: who was seen, and that silence is told from an answer."""

import os
import subprocess

import pytest

from testbed.probes import SourceReporter, seen_source

pytestmark = pytest.mark.netns

HERE, THERE = "10.9.0.1", "10.9.0.2"


@pytest.fixture
def pair():
    """Two namespaces with a wire between them."""
    here, there = (f"probe{os.getpid()}-{end}" for end in ("a", "b"))
    for name in (here, there):
        ip("netns", "add", name)
    ip("-n", here, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", there)
    for name, address in ((here, HERE), (there, THERE)):
        ip("-n", name, "address", "add", f"{address}/24", "dev", "wire")
        ip("-n", name, "link", "set", "wire", "up")
    yield here, there
    for name in (here, there):
        ip("netns", "delete", name)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def test_a_client_is_seen_by_the_address_that_it_sends_with(pair):
    here, there = pair
    ip("-n", here, "address", "add", "10.9.0.7/24", "dev", "wire")
    with SourceReporter(there):
        assert seen_source(here, THERE) == HERE
        ip("-n", here, "route", "replace", THERE, "dev", "wire", "src", "10.9.0.7")
        assert seen_source(here, THERE) == "10.9.0.7"


def test_nobody_is_seen_where_nobody_listens(pair):
    here, there = pair
    with SourceReporter(there, port=9999):
        assert seen_source(here, THERE, seconds=0.5) == ""


def test_nobody_is_seen_when_the_wire_is_cut(pair):
    here, there = pair
    with SourceReporter(there):
        ip("-n", there, "link", "set", "wire", "down")
        assert seen_source(here, THERE, seconds=0.5) == ""


def test_a_reporter_that_was_closed_answers_no_more_and_leaves_its_port(pair):
    here, there = pair
    SourceReporter(there).close()

    assert seen_source(here, THERE, seconds=0.5) == ""
    with SourceReporter(there):
        assert seen_source(here, THERE) == HERE
