"""A small project with tests, and what `make coverage` would have recorded of it."""

import re
import shutil
import subprocess
from pathlib import Path

from coverage import CoverageData

from testbed.mutants.measured import Measured
from testbed.mutants.mutation import mutations

A_TEST = "def test_a():\n    pass\n"


def write_project(tmp_path):
    for name, text in {
        "ipamd/core/limit.py": "LIMIT = 8\n\n\ndef fits(count):\n    return count <= LIMIT\n",
        "ipamd/core/loop.py": "def down(n):\n    while n > 0:\n        n = n - 1\n    return n\n",
        "tests/core/test_limit.py": "from ipamd.core.limit import fits\n\n\n"
        "def test_few_fit():\n    assert fits(1) and not fits(20)\n",
        "tests/core/test_loop.py": "from ipamd.core.loop import down\n\n\n"
        "def test_down():\n    assert down(3) == 0\n",
        "tests/agent/test_slow.py": "from ipamd.core.limit import fits\n\n\n"
        "def test_exactly():\n    assert fits(8)\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    record(tmp_path)


def record(root):
    directory = root / "build" / "coverage"
    directory.mkdir(parents=True)
    data = CoverageData(str(directory / "data"))
    limit, loop = str(root / "ipamd/core/limit.py"), str(root / "ipamd/core/loop.py")
    data.set_context("")
    data.add_lines({limit: [1, 4]})
    data.set_context("tests/core/test_limit.py")
    data.add_lines({limit: [5]})
    data.set_context("tests/agent/test_slow.py::test_exactly (setup)")
    data.add_lines({limit: [5]})
    data.set_context("tests/core/test_gone.py")
    data.add_lines({limit: [5]})
    data.set_context("tests/core/test_loop.py")
    data.add_lines({loop: [2, 3, 4]})
    data.write()
    shutil.copytree(root / "ipamd", directory / "ipamd")
    (directory / "tests.xml").write_text(
        '<testsuites><testsuite><testcase classname="tests.core.test_limit" time="3.5"/>'
        '<testcase classname="tests.core.test_limit" time="1"/>'
        '<testcase classname="tests.agent.test_slow" time="0.5"/></testsuite></testsuites>'
    )


def measured(root):
    tests = (path.relative_to(root) for path in (root / "tests").rglob("test_*.py"))
    names = {f"{test}::{name}" for test in tests for name in re.findall(r"def (test_\w+)", test.read_text())}
    return Measured(root / "build/coverage", names)


def mutations_of(name):
    path = Path(f"ipamd/core/{name}.py")
    return mutations(path, path.read_text())
