"""Whether what each process has found is told: by small tests in the place of tests/chaos."""

import textwrap

import pytest

from testbed.faults import lives
from testbed.faults.report import Counts

REPORT = """
    def test_lives():
        seed, pods = (int(os.environ[f"TKE_ENI_{name}"]) for name in ("SEED", "LIFE_CYCLES"))
        found = {"life_cycles": pods, "faults_injected": 3, "faults_by_kind": {"cloud": 2, "kube": 1}}
"""
WRITTEN = 'pathlib.Path(os.environ["TKE_ENI_FAULTS_REPORT"]).write_text(json.dumps(found))'


@pytest.fixture
def shards(tmp_path):
    """Have the processes run a test of these lines after what each has found."""

    def run(*lines, **options):
        test = tmp_path / "test_lives.py"
        body = textwrap.indent("\n".join(lines or ["pass"]), " " * 4)
        test.write_text(f"import json, os, pathlib\n{textwrap.dedent(REPORT)}{body}\n")
        return lives.all_shards(tmp_path, 7, seed=10, test=str(test), **options)

    return run


def test_pods_are_shared_by_processes_of_seeds_of_their_own_and_counts_are_theirs(shards):
    found = shards(WRITTEN)

    assert [shard.seed for shard in found] == [10, 1010, 2010]
    assert sum((shard.counts for shard in found), Counts()) == Counts(life_cycles=9, faults_injected=9)
    assert [shard.complaints for shard in found] == [()] * 3
    assert ["cloud", "6"] in [line.split() for line in lives.table_of(found).splitlines()]


def test_each_process_is_told_when_no_more_pods_come(shards):
    found = shards("assert float(os.environ['TKE_ENI_SECONDS']) == 90", WRITTEN, seconds=90.0)

    assert [shard.complaints for shard in found] == [()] * 3


def test_what_one_process_has_found_is_a_complaint_and_counted(shards):
    found = shards(
        "if seed == 1010:",
        '    found |= {"leaked": 1, "findings": ["leaked: eip-1 of no claim"]}',
        WRITTEN,
        'assert "findings" not in found',
    )

    assert [shard.complaints for shard in found] == [(), ("leaked: eip-1 of no claim",), ()]
    assert [shard.counts.leaked for shard in found] == [0, 1, 0]


def test_a_process_that_fails_without_a_finding_is_a_complaint(shards, tmp_path):
    found = shards(WRITTEN, "assert seed != 2010, 'a defect of the test'")

    assert [len(shard.complaints) for shard in found] == [0, 0, 1]
    assert str(tmp_path / "lives-2010.log") in found[2].complaints[0]
    assert "a defect of the test" in (tmp_path / "lives-2010.log").read_text()


@pytest.mark.parametrize(
    "written", ["pass", WRITTEN.replace("json.dumps(found)", "'{'")], ids=["none", "half"]
)
def test_a_process_that_leaves_nothing_to_read_is_a_complaint_even_when_its_test_passes(shards, written):
    for shard in shards(written):
        assert shard.counts == Counts()
        assert len(shard.complaints) == 1
