"""Who reads the wall clock, and why: anybody may set it, so nothing on a node is measured by it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
READINGS = {
    *(f"time.{name}" for name in ("time", "time_ns", "gmtime", "localtime", "ctime", "CLOCK_REALTIME")),
    *(f"{module}{cls}.{method}" for module in ("", "dt.", "datetime.") for cls in ("datetime", "date")
      for method in ("now", "utcnow", "today")),
}  # fmt: skip
REASONS = {
    "ipamd/agent/eips/build.py": "times in the status of claims are for people and other machines",
    "ipamd/agent/introspection.py": "what people are shown is converted when it is shown",
    "ipamd/cloud/metadata.py": "only for a metadata service that does not date its answers",
    "ipamd/controller/admission/webhook.py": "certificates are valid between two Unix times",
    "ipamd/controller/tempo.py": "written into claims, and read by the next leader on another machine",
    "ipamd/controller/claims/ports.py": "written into claims, and read by the next leader on another machine",
    "ipamd/ctl/archive.py": "the names and dates of files for people",
    "ipamd/ctl/eip_cleanup.py": "the age of an EIP, told to people; decides nothing",
    "ipamd/ctl/output.py": "ages, told to people",
    "ipamd/kube/events.py": "times of Events are for people",
    "ipamd/kube/exec_plugin.py": "compared with the time until which a token is valid, which its issuer says",
    "ipamd/kube/leases.py": "times in a Lease are for people; nobody decides by them",
    "ipamd/logs.py": "the time of a line, for people",
    "ipamd/store/database.py": "the name of a file that was moved aside, for people",
    "ipamd/store/schema.py": "the date of a step, for people; and what an earlier release had stored",
}


def readings():
    """Every reading of the wall clock in the product, as file and expression."""
    for package in ("ipamd", "cni_plugin"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and ast.unparse(node) in READINGS:
                    yield str(path.relative_to(ROOT)), ast.unparse(node)


def test_every_reading_of_the_wall_clock_has_a_reason():
    assert {file for file, _ in readings()} == set(REASONS)


def test_nobody_reads_it_by_another_name():
    """`from time import time` would hide it from the look above."""
    for package in ("ipamd", "cni_plugin"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module == "time":
                    assert not {alias.name for alias in node.names} & {"time", "time_ns", "gmtime"}, path
