"""Kernel settings where a container's own /proc/sys is read-only, as every container's is by default."""

import subprocess
import sys
from pathlib import Path

import pytest

from ipamd.net.sysctls import PROC_SYS, Sysctls

pytestmark = pytest.mark.netns

CONTAINER = """
import subprocess, sys
from pathlib import Path
from ipamd.core.errors import KernelError
from ipamd.net.sysctls import Sysctls
root = Path(sys.argv[1])
subprocess.run(["mount", "--bind", "/proc/sys/net", root / "net"], check=True)
subprocess.run(["mount", "--bind", "-o", "ro", "/proc/sys", "/proc/sys"], check=True)
try:
    Sysctls().write("ipv4/ip_forward", Sysctls().read("ipv4/ip_forward"))
except KernelError as e:
    print(e)
other = "0" if Sysctls(root).read("ipv4/ip_forward") == "1" else "1"
Sysctls(root).write("ipv4/ip_forward", other)
print(Sysctls(root).read("ipv4/ip_forward") == other, Sysctls(root).read("ipv4/no_such_setting") == "")
"""


def test_a_mount_of_the_node_s_settings_serves_the_namespace_of_whoever_opens_it(tmp_path: Path):
    (tmp_path / "net").mkdir()
    before = Sysctls(PROC_SYS).read("ipv4/ip_forward")

    done = subprocess.run(
        ["unshare", "--mount", "--net", sys.executable, "-c", CONTAINER, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )

    refusal, outcome = done.stdout.splitlines()
    assert "could not set net/ipv4/ip_forward" in refusal
    assert "Read-only file system" in refusal
    assert "--sysctl-root" in refusal
    assert outcome == "True True"
    assert Sysctls(PROC_SYS).read("ipv4/ip_forward") == before
