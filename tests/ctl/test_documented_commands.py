"""What pages show of ipamctl and kubectl eni is run, beside a node and a cluster that are known.

Whether each command line is taken at all, tests/docs/test_commands.py says.
"""

import re

import pytest

from simulator.kube import KubeServer, Store, listen
from tests.ctl.cluster_beside import ClusterBeside
from tests.ctl.fixture_node import serving
from tests.docs import command_lines
from tests.docs.project import PAGES, ROOT

ON_A_NODE = {"status", "pods", "enis", "eips", "check", "repair", "bundle"}
OF_THE_CLUSTER = {"nodes", "claims", "fixed-ips", "check", "status", "bundle"}
STANDS_FOR = re.compile(r"^(NODE|POD|NAMESPACE|NAME|NAMESPACE/NAME|10\.0\.1\.4)$")
"""Words for what a reader's own cluster has."""


def shown(program, verbs):
    """Arguments of the program in blocks of all pages, each once, with the first page that shows them."""
    found: dict[tuple[str, ...], str] = {}
    for page in PAGES:
        for line in command_lines.of_blocks(page):
            for words in line.commands:
                inside = words[words.index("--") + 1 :] if "--" in words else words
                if inside[: len(program)] != program or not verbs.intersection(inside):
                    continue
                found.setdefault(tuple(inside[len(program) :]), str(page.relative_to(ROOT)))
    return sorted(found.items())


def ends_well(done):
    """0, or 1 where something is wrong with what was looked at: the fixture's node has problems."""
    return done.returncode in (0, 1) and "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "page"), shown(["ipamctl"], ON_A_NODE), ids=str)
def test_what_is_shown_of_ipamctl_runs(ipamctl, tmp_path, arguments, page):
    if arguments[0] == "bundle":
        arguments = ("bundle", "--file", str(tmp_path / "b.tar.gz"))
    known = {
        "web-0": "web-1",
        "default/web-0": "kube-system/web-1",
        "shop/web-0": "kube-system/web-1",
        "shop": "",
    }

    done = ipamctl(*(known.get(word, word) for word in arguments))

    assert ends_well(done), f"{page}: {done.stderr}"
    assert done.stdout


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cluster")
    with KubeServer(Store(), [listen()]) as server, serving(directory / "agent.sock") as socket:
        beside = ClusterBeside(server.url, directory, socket)
        beside.add_node("node-a", agent="agent-a")
        beside.add_claim("web-0", node="node-a")
        yield beside
        beside.close()


@pytest.mark.parametrize(("arguments", "page"), shown(["kubectl", "eni"], OF_THE_CLUSTER), ids=str)
def test_what_is_shown_of_kubectl_eni_runs(cluster, tmp_path, arguments, page):
    words = [STANDS_FOR.sub("node-a", word) for word in arguments]
    if words[0] == "bundle":
        words += ["--file", str(tmp_path / "b.tar.gz")]

    done = cluster(*words)

    assert ends_well(done), f"{page}: {done.stderr}"


def test_there_are_some():
    assert len(shown(["ipamctl"], ON_A_NODE)) > 3
    assert len(shown(["kubectl", "eni"], OF_THE_CLUSTER)) > 5
