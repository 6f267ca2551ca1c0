"""A node whose agent is rolled back to a release without exclusive ENI mode, and forward again.

The release is that of `test_upgrade`, from its commit; one node of the simulated region is enough.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import AgentBed
from tests.agent.exclusive.test_exclusive_pods import NODE_OPTIONS, Given, extended, ip_of, links, stop
from tests.agent.exclusive.test_reboot import WithEip
from tests.e2e.test_upgrade import BEFORE

pytestmark = [pytest.mark.release, pytest.mark.netns]
WARM = "--eni-min-warm-target=2", "--eni-max-warm-target=2"
LATE = 8
"""Pods that come under the older agent: more than it has warm addresses."""

PROGRAM = """
import sys
sys.path.insert(0, {tree!r})
import ipamd.__main__ as older
assert older.__file__.startswith({tree!r}), older.__file__
sys.exit(older.main(sys.argv[1:]))
"""


@pytest.fixture
def older(tmp_path: Path) -> tuple[str, ...]:
    """How the interpreter is to run the release before."""
    tree = tmp_path / "before"
    tree.mkdir()
    packed = subprocess.run(["git", "archive", BEFORE], capture_output=True, check=False)
    if packed.returncode != 0:
        pytest.fail(f"{BEFORE} is not here; fetch the whole history: {packed.stderr.decode().strip()}")
    subprocess.run(["tar", "--extract", "--directory", tree], input=packed.stdout, check=True)
    return "-c", PROGRAM.format(tree=str(tree))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Any]:
    with AgentBed(tmp_path / "bed") as bed:
        yield bed.begin(*NODE_OPTIONS, *WARM)


def test_the_older_release_leaves_pods_and_their_enis_alone_and_the_newer_one_finds_them(
    node: Any, older: tuple[str, ...]
):
    with_eip, plain = WithEip(node, "with-eip"), Given(node, "plain")
    node.eventually("two are warm", lambda: len(extended(node)) == 4)
    enis = set(extended(node))
    launcher, options = node.launcher, node.options
    stop(node)

    node.options = [option for option in options if option not in (*NODE_OPTIONS, *WARM)]
    node.launcher = older
    # Not until all is well: it tells that it does not find the addresses.
    node.start_agent(options=node.options, launcher=node.launcher)
    node.eventually("an answer", lambda: node.socket.exists() and bool(node.status()))
    for number in range(LATE):
        _, sandbox = node.pod_and_sandbox(f"late-{number}")
        code, result = node.call("add", sandbox)
        assert code == 0, result
        assert ip_of(result) not in enis
    assert with_eip.is_seen_by_its_eip(with_eip.sandbox)
    code, refusal = node.call("add", node.runtime.new_sandbox(pod=with_eip.pod))
    assert code != 0
    assert "tke-direct-eni" in refusal["msg"]
    plain.end()
    assert set(extended(node)) == enis, "it detaches none"

    stop(node)
    node.launcher, node.options = launcher, options
    node.start_again()
    assert with_eip.is_seen_by_its_eip(with_eip.sandbox)
    macs = {eni.mac for ip, eni in extended(node).items() if ip != with_eip.ip}
    names = {f"tke{mac.replace(':', '')}" for mac in macs}
    node.eventually("the others are free", lambda: names <= set(links(node.node.netns)))
    assert ip_of(Given(node, "again").result) in extended(node)
