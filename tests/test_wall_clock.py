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
    "ipamd/agent/diagnosis/service.py:DiagnosisService._event": "times of events, told to people",
    "ipamd/agent/node/build.py:condition": "times in a condition of the Node are for people and others",
    "ipamd/agent/pool/build.py:build": "since when the pool is frozen, told to people; decides nothing",
    "ipamd/agent/eips/build.py:build": "times in the status of claims are for people and other machines",
    "ipamd/agent/findings/build.py:build": "the clock itself is what is compared with the cloud's",
    "ipamd/agent/introspection.py:IntrospectionService._component": "people are shown since when",
    "ipamd/agent/introspection.py:IntrospectionService._unix": "converted when people are shown it",
    "ipamd/cloud/metadata.py:_date": "only for a metadata service that does not date its answers",
    "ipamd/agent/fixed/build.py:build": "what is written into claims is for people and other machines",
    "ipamd/controller/admission/webhook.py:AdmissionWebhook.__init__": "certificates have Unix times",
    "ipamd/controller/tempo.py:ReplicaPace": "written into claims, for the next leader on another machine",
    "ipamd/controller/claims/ports.py:Ports": "written into claims, for the next leader on another machine",
    "ipamd/ctl/archive.py:name_of": "the name of a file for people",
    "ipamd/ctl/archive.py:_add": "the dates of files for people",
    "ipamd/ctl/eip_cleanup.py:_Cleanup._show": "the age of an EIP, told to people; decides nothing",
    "ipamd/ctl/output.py:show": "ages, told to people",
    "ipamd/ctl/preflight/cloud_probe.py:_Asked.judged": "it is what is compared with the cloud's",
    "ipamd/kube/events.py:EventRecorder.__init__": "times of Events are for people",
    "ipamd/kube/exec_plugin.py:ExecToken.__init__": "the issuer of a token says until when it is valid",
    "ipamd/kube/leases.py:_micro_now": "times in a Lease are for people; nobody decides by them",
    "ipamd/logs.py:_time": "the time of a line, for people",
    "ipamd/store/database.py:set_aside": "the name of a file that was moved aside, for people",
    "ipamd/store/schema.py:migrate": "the date of a step, for people",
    "ipamd/store/schema.py:_boottime": "what an earlier release had stored by it",
}


def readings():
    """Every reading of the wall clock in the product, as file, place in it and expression."""
    for package in ("ipamd", "cni_plugin"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for place, expression in readings_of(ast.parse(path.read_text())):
                yield (
                    f"{path.relative_to(ROOT)}:{place}" if place else str(path.relative_to(ROOT)),
                    expression,
                )


def readings_of(node, place=""):
    """Every reading below a node, with the classes and functions around it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Attribute) and ast.unparse(child) in READINGS:
            yield place, ast.unparse(child)
        within = f"{place}.{child.name}" if isinstance(child, ast.ClassDef | ast.FunctionDef) else place
        yield from readings_of(child, within.strip("."))


def test_every_reading_of_the_wall_clock_has_a_reason():
    assert {place for place, _ in readings()} == set(REASONS)


def test_a_reading_is_found_where_it_is():
    source = (
        "class A:\n    def f(self, clock=time.time):\n        return datetime.now()\nx = time.monotonic()\n"
    )

    assert list(readings_of(ast.parse(source))) == [("A.f", "time.time"), ("A.f", "datetime.now")]


def test_nobody_reads_it_by_another_name():
    """`from time import time` would hide it from the look above."""
    for package in ("ipamd", "cni_plugin"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module == "time":
                    assert not {alias.name for alias in node.names} & {"time", "time_ns", "gmtime"}, path
